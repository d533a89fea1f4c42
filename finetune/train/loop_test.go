package train_test

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"lathe/finetune/train"
)

const vocab = 8

// options are a training of 30 steps in a folder of its own.
func options(t *testing.T) (train.Options, *bigram) {
	m := newBigram(vocab)
	return train.Options{
		Model: m, Train: cycle{vocab, 1}, Dev: cycle{vocab, 2}, DevBatches: 3,
		Sequence: 16, Rows: 2, Passes: 3,
		Schedule:  train.Schedule{Shape: train.Cosine, Peak: 0.3, Floor: 0.03, Warmup: 4, Steps: 30},
		EvalEvery: 5, CheckpointEvery: 4, Dir: t.TempDir(), Of: map[string]string{"model": "bigram", "text": "cycle"},
	}, m
}

func run(t *testing.T, o train.Options) *train.Result {
	t.Helper()
	res, err := train.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func readLog(t *testing.T, dir string) []train.Entry {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, train.LogFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	entries, err := train.ReadLog(f, f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func saved(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, train.CheckpointsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func checkpoint(dir, name string, file ...string) string {
	return filepath.Join(append([]string{dir, train.CheckpointsDir, name}, file...)...)
}

// The log has every step and every look, and what it says is so.
func TestLog(t *testing.T) {
	o, m := options(t)
	now := time.Unix(0, 0)
	o.Now = func() time.Time { now = now.Add(time.Second); return now }
	res := run(t, o)
	if res.Ending != train.Finished || res.Step != 30 || m.applys != 30 || m.passes != 90 {
		t.Fatalf("%+v after %d passes and %d steps", res, m.passes, m.applys)
	}
	var steps, looks []int
	var losses []float64
	for _, e := range readLog(t, o.Dir) {
		switch {
		case e.Loss != nil && e.DevLoss == nil:
			steps = append(steps, e.Step)
			losses = append(losses, *e.Loss)
			if e.LR != o.Schedule.At(e.Step) || e.GradNorm <= 0 || e.Seconds <= 0 {
				t.Errorf("%+v", e)
			}
		case e.DevLoss != nil && e.Loss == nil:
			looks = append(looks, e.Step)
			if e.DevTokens != 3*(32-4) {
				t.Errorf("%+v", e)
			}
		default:
			t.Errorf("%+v", e)
		}
		if e.Tokens != int64(e.Step*3*(32-4)) {
			t.Errorf("%d tokens after step %d", e.Tokens, e.Step)
		}
	}
	if !slices.Equal(looks, []int{0, 5, 10, 15, 20, 25, 30}) || len(steps) != 30 || !slices.IsSorted(steps) {
		t.Errorf("looks after %v, steps %v", looks, steps)
	}
	if first, last := losses[0], losses[29]; last > first-1 {
		t.Errorf("the loss went from %.3f to %.3f", first, last)
	}
}

// A batch is the same gradient in however many passes it comes.
func TestPasses(t *testing.T) {
	whole, m1 := options(t)
	whole.Rows, whole.Passes = 6, 1
	parts, m2 := options(t)
	whole.Train = joined{cycle{vocab, 1}, 3}
	// The development set's batches follow the passes; the steps do not.
	whole.Dev, parts.Dev = nil, nil
	run(t, whole)
	run(t, parts)
	for i := range m1.w {
		if math.Abs(float64(m1.w[i]-m2.w[i])) > 1e-4 {
			t.Fatalf("parameter %d: %g and %g", i, m1.w[i], m2.w[i])
		}
	}
}

// joined has n batches of another in each of its own.
type joined struct {
	of train.Rows
	n  int
}

func (j joined) Fill(k int, ids, labels []int64) error {
	size := len(ids) / j.n
	for i := range j.n {
		if err := j.of.Fill(k*j.n+i, ids[i*size:(i+1)*size], labels[i*size:(i+1)*size]); err != nil {
			return err
		}
	}
	return nil
}

// A training that is stopped anywhere and resumed, by a model that knows nothing, logs
// and ends as one that was not.
func TestResumeIsTheSame(t *testing.T) {
	unbroken, m := options(t)
	want := run(t, unbroken)
	for _, stopAt := range []int{1, 4, 7, 12, 25, 29} {
		o, _ := options(t)
		ctx, cancel := contextUntil(t, &o, stopAt)
		res, err := train.Run(ctx, o)
		cancel()
		if err != nil || res.Ending != train.Interrupted || res.Step != stopAt {
			t.Fatalf("stop at %d: %+v, %v", stopAt, res, err)
		}
		// What a kill may leave behind its last checkpoint.
		f, err := os.OpenFile(filepath.Join(o.Dir, train.LogFile), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(`{"step":99,"loss":1}` + "\n" + `{"step":1`)
		f.Close()
		os.MkdirAll(checkpoint(o.Dir, ".writing-1"), 0o755)

		again := newBigram(vocab)
		clear(again.w)
		o.Model, o.Resume, o.Observe = again, true, nil
		got := run(t, o)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("stop at %d: %+v, want %+v", stopAt, got, want)
		}
		if !slices.Equal(again.w, m.w) {
			t.Errorf("stop at %d: other parameters", stopAt)
		}
		if got, want := readLog(t, o.Dir), readLog(t, unbroken.Dir); !reflect.DeepEqual(got, want) {
			t.Errorf("stop at %d: log of %d entries, want %d\n%+v\n%+v", stopAt, len(got), len(want), got, want)
		}
		// The one that was written at the stop may be among the newest.
		if got := saved(t, o.Dir); len(got) != 3 || got[0] != "step-00000015" || got[2] != "step-00000030" {
			t.Errorf("stop at %d: checkpoints %v", stopAt, got)
		}
	}
}

// contextUntil is cancelled after a step.
func contextUntil(t *testing.T, o *train.Options, step int) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	was := o.Observe
	o.Observe = func(e train.Event) {
		if was != nil {
			was(e)
		}
		if e.Logged != nil && e.Logged.Step == step {
			cancel()
		}
	}
	return ctx, cancel
}

// The newest stay, and the best; the best is what comes out.
func TestKeepsTheBest(t *testing.T) {
	o, m := options(t)
	o.Dev = worse{cycle{vocab, 2}, m, 10}
	o.Keep = 3
	res := run(t, o)
	if got, want := saved(t, o.Dir), []string{"step-00000010", "step-00000024", "step-00000028", "step-00000030"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if res.BestStep != 10 || res.Of != 10 {
		t.Errorf("%+v", res)
	}
	to10, at10 := options(t)
	ctx, cancel := contextUntil(t, &to10, 10)
	defer cancel()
	if _, err := train.Run(ctx, to10); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.w, at10.w) {
		t.Error("the parameters are not those of step 10")
	}
}

// worse is a development set on which a model loses from a step on: its labels are
// then no longer what the rows teach.
type worse struct {
	train.Rows
	m     *bigram
	after int
}

func (w worse) Fill(k int, ids, labels []int64) error {
	err := w.Rows.Fill(k, ids, labels)
	for i := range labels {
		if w.m.steps > w.after && labels[i] != train.NoLabel {
			labels[i] = (labels[i] + 3) % vocab
		}
	}
	return err
}

func TestPatience(t *testing.T) {
	o, m := options(t)
	o.Dev, o.Patience = worse{cycle{vocab, 2}, m, 10}, 2
	res := run(t, o)
	if res.Ending != train.StoppedEarly || res.Step != 20 || res.Of != 10 {
		t.Errorf("%+v", res)
	}
	o.Resume = true
	if again := run(t, o); again.Ending != train.StoppedEarly || again.Step != 20 || again.Of != 10 {
		t.Errorf("resumed: %+v", again)
	}
}

// A loss or gradient that is no number ends it, named, before it is saved.
func TestDiverged(t *testing.T) {
	at := func(step int, v float64) func(int, float64) float64 {
		return func(s int, was float64) float64 {
			if s == step {
				return v
			}
			return was
		}
	}
	for name, c := range map[string]struct {
		loss, norm func(int, float64) float64
		says       string
	}{
		"loss":     {at(7, math.NaN()), nil, "step 7: the loss is NaN"},
		"gradient": {nil, at(7, math.Inf(1)), "step 7: the norm of the gradient is +Inf"},
	} {
		o, m := options(t)
		m.loss, m.norm = c.loss, c.norm
		_, err := train.Run(t.Context(), o)
		if !errors.Is(err, train.ErrDiverged) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), checkpoint(o.Dir, "step-00000005")) {
			t.Errorf("%s: %v", name, err)
		}
		again := newBigram(vocab)
		o.Model, o.Resume = again, true
		var from int
		o.Observe = func(e train.Event) {
			if e.Resumed != nil {
				from = e.Resumed.Step
			}
		}
		if res := run(t, o); res.Ending != train.Finished || from != 5 {
			t.Errorf("%s: resumed from %d: %+v", name, from, res)
		}
	}
}

func TestRefused(t *testing.T) {
	o, _ := options(t)
	run(t, o)
	if _, err := train.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "has a training, 30 steps of it") {
		t.Errorf("a second training in the folder: %v", err)
	}
	o.Resume, o.Of = true, map[string]string{"model": "trigram", "text": "cycle"}
	if _, err := train.Run(t.Context(), o); !errors.Is(err, train.ErrOther) || !strings.Contains(err.Error(), "its model is bigram, and not trigram") {
		t.Errorf("a checkpoint of another model: %v", err)
	}
	o.Of, o.Model = map[string]string{"model": "bigram"}, newBigram(vocab+2)
	if _, err := train.Run(t.Context(), o); !errors.Is(err, train.ErrOther) {
		t.Errorf("a checkpoint of other shapes: %v", err)
	}
	o, _ = options(t)
	o.Train = nothing{}
	if _, err := train.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no token of its 6 rows counts") {
		t.Errorf("rows without labels: %v", err)
	}
	for name, change := range map[string]func(*train.Options){
		"no model":   func(o *train.Options) { o.Model = nil },
		"no folder":  func(o *train.Options) { o.Dir = "" },
		"no rows":    func(o *train.Options) { o.Rows = 0 },
		"no batches": func(o *train.Options) { o.DevBatches = 0 },
		"patience":   func(o *train.Options) { o.Dev, o.Patience = nil, 1 },
		"negative":   func(o *train.Options) { o.Keep = -1 },
		"schedule":   func(o *train.Options) { o.Schedule.Peak = 0 },
	} {
		o, _ := options(t)
		change(&o)
		if _, err := train.Run(t.Context(), o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// nothing is rows of which no token counts.
type nothing struct{}

func (nothing) Fill(_ int, _, labels []int64) error {
	for i := range labels {
		labels[i] = train.NoLabel
	}
	return nil
}

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "run")
	unlock, err := train.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Lock(dir); !errors.Is(err, train.ErrBusy) {
		t.Errorf("locked twice: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := train.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	again()
}
