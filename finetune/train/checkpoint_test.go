package train_test

import (
	"errors"
	"math"
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

// A checkpoint that the next step finds to be of no use is put aside, and there is one
// before it even where only one is kept: from there, it goes on.
func TestDivergedFromCheckpoint(t *testing.T) {
	o, m := options(t)
	o.Keep = 1
	m.loss = func(step int, was float64) float64 {
		if step == 9 {
			return math.Inf(1)
		}
		return was
	}
	_, err := train.Run(t.Context(), o)
	aside := checkpoint(o.Dir, "not-finite-step-00000008")
	want := "the loss is +Inf: not finite; the checkpoint after step 8, from which it came, is now " + aside + "; the last good checkpoint is " + checkpoint(o.Dir, "step-00000005")
	if !errors.Is(err, train.ErrDiverged) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if got := saved(t, o.Dir); !slices.Equal(got, []string{filepath.Base(aside), "step-00000005"}) {
		t.Errorf("%v", got)
	}
	o.Model, o.Resume = newBigram(vocab), true
	if res := run(t, o); res.Ending != train.Finished {
		t.Errorf("%+v", res)
	}
	if any, err := train.Saved(o.Dir); !any || err != nil {
		t.Errorf("%v, %v", any, err)
	}
	if any, err := train.Saved(t.TempDir()); any || err != nil {
		t.Errorf("%v, %v", any, err)
	}
}

// A log that has lost lines is told of, and what is logged after that can be read.
func TestShortLog(t *testing.T) {
	o, _ := options(t)
	stopAfter(t, o, 24)
	path := filepath.Join(o.Dir, train.LogFile)
	if err := os.Truncate(path, 300); err != nil {
		t.Fatal(err)
	}
	var warnings []string
	o.Model, o.Resume, o.Observe = newBigram(vocab), true, func(e train.Event) {
		if e.Warning != nil {
			warnings = append(warnings, e.Warning.Error())
		}
	}
	run(t, o)
	if len(warnings) != 1 || !strings.Contains(warnings[0], path+" has 300 bytes, and had ") {
		t.Errorf("%q", warnings)
	}
	steps := map[int]bool{}
	for _, e := range readLog(t, o.Dir) {
		steps[e.Step] = true
	}
	if !steps[1] || steps[20] || !steps[25] || !steps[30] {
		t.Errorf("steps %v", steps)
	}
}
