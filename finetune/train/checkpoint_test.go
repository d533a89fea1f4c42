package train_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lathe/finetune/train"
)

var files = []string{"manifest.json", "parameters.safetensors", "first_moments.safetensors", "second_moments.safetensors"}

// Whatever is wrong with a file, it is named, and the checkpoint before it is taken:
// the training then goes on as it would have.
func TestDamaged(t *testing.T) {
	trained, _ := options(t)
	stopAfter(t, trained, 24)
	unbroken, m := options(t)
	stopAfter(t, unbroken, 21)
	flip := func(at float64) func(b []byte) []byte {
		return func(b []byte) []byte {
			b = slices.Clone(b)
			b[int(at*float64(len(b)-1))] ^= 4
			return b
		}
	}
	for name, damage := range map[string]func(b []byte) []byte{
		"first byte":  flip(0),
		"header":      flip(0.1),
		"middle":      flip(0.5),
		"last byte":   flip(1),
		"cut":         func(b []byte) []byte { return b[:len(b)/2] },
		"empty":       func([]byte) []byte { return nil },
		"longer":      func(b []byte) []byte { return append(slices.Clone(b), 0) },
		"not there":   nil,
		"all is zero": func(b []byte) []byte { return make([]byte, len(b)) },
	} {
		for _, file := range files {
			o, _ := options(t)
			if err := os.CopyFS(o.Dir, os.DirFS(trained.Dir)); err != nil {
				t.Fatal(err)
			}
			path := checkpoint(o.Dir, "step-00000024", file)
			was, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if damage == nil {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, damage(was), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			again := newBigram(vocab)
			var warnings []string
			from := -1
			o.Model, o.Resume, o.Observe = again, true, func(e train.Event) {
				if e.Warning != nil {
					warnings = append(warnings, e.Warning.Error())
				}
				if e.Resumed != nil {
					from = e.Resumed.Step
				}
			}
			stopAfter(t, o, 21)
			if len(warnings) != 1 || !strings.Contains(warnings[0], path) || !strings.Contains(warnings[0], "damaged") || from != 20 {
				t.Errorf("%s of %s: resumed from %d: %q", name, file, from, warnings)
			}
			if !slices.Equal(again.w, m.w) {
				t.Errorf("%s of %s: other parameters", name, file)
			}
		}
	}
}

// stopAfter trains until a step.
func stopAfter(t *testing.T, o train.Options, step int) {
	t.Helper()
	ctx, cancel := contextUntil(t, &o, step)
	defer cancel()
	if res, err := train.Run(ctx, o); err != nil || res.Step != step {
		t.Fatalf("%+v, %v", res, err)
	}
}

func TestAllDamaged(t *testing.T) {
	o, _ := options(t)
	run(t, o)
	for _, name := range saved(t, o.Dir) {
		if err := os.Truncate(checkpoint(o.Dir, name, files[1]), 10); err != nil {
			t.Fatal(err)
		}
	}
	o.Resume = true
	if _, err := train.Run(t.Context(), o); !errors.Is(err, train.ErrDamaged) {
		t.Errorf("%v", err)
	}
}

// The best that is damaged is no reason to lose the last.
func TestBestDamaged(t *testing.T) {
	o, m := options(t)
	o.Dev = worse{cycle{vocab, 2}, m, 10}
	var warning error
	o.Observe = func(e train.Event) {
		if e.Logged != nil && e.Logged.Step == 29 {
			if err := os.Truncate(checkpoint(o.Dir, "step-00000010", files[1]), 10); err != nil {
				t.Error(err)
			}
		}
		if e.Warning != nil {
			warning = e.Warning
		}
	}
	if res := run(t, o); res.Of != 30 || !errors.Is(warning, train.ErrDamaged) {
		t.Errorf("%+v, %v", res, warning)
	}
}

// While checkpoints cannot be written, training goes on, and says so; what was saved
// before stays. The best that could not be saved is missed at the end, where one that
// cannot be saved is an error.
func TestUnwritable(t *testing.T) {
	o, _ := options(t)
	folder := filepath.Join(o.Dir, train.CheckpointsDir)
	hidden := folder + ".hidden"
	var warnings []string
	o.Observe = func(e train.Event) {
		switch {
		case e.Warning != nil:
			warnings = append(warnings, e.Warning.Error())
		case e.Logged == nil || e.Logged.Loss == nil:
		case e.Logged.Step == 13: // a file where the folder was
			if err := errors.Join(os.Rename(folder, hidden), os.WriteFile(folder, nil, 0o644)); err != nil {
				t.Error(err)
			}
		case e.Logged.Step == 22:
			if err := errors.Join(os.Remove(folder), os.Rename(hidden, folder)); err != nil {
				t.Error(err)
			}
		}
	}
	res := run(t, o)
	if res.Step != 30 || len(warnings) != 4 || !strings.Contains(warnings[0], "step-00000012") {
		t.Errorf("%+v, %q", res, warnings)
	}
	if got := saved(t, o.Dir); !slices.Contains(got, "step-00000030") {
		t.Errorf("%v", got)
	}

	o, _ = options(t)
	folder = filepath.Join(o.Dir, train.CheckpointsDir)
	if err := os.WriteFile(folder, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := train.Run(t.Context(), o); err == nil {
		t.Error("no checkpoint could be written, and it is no error")
	}
}
