package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
	"lathe/profiler/record"
)

// Every pick of the demo's space can be made small, trained, and opened by the programs
// that it is exported for.
func TestDemoSpec(t *testing.T) {
	base, err := arch.ParseCandidate(baselineName)
	if err != nil {
		t.Fatal(err)
	}
	if got := demoSpec(base.Spec).Name(); got != "gpt2-l4-d128-f512-h8-v1024-p128" {
		t.Errorf("the baseline made small is %s", got)
	}
	for _, layers := range []int{6, 7, 18} {
		for d := 512; d <= 2048; d += 128 {
			for _, f := range []int{1024, 6016, 8192} {
				c := arch.Candidate{Spec: demoSpec(arch.NewSpec(arch.GPT2, layers, d, f, 16))}
				if err := c.Validate(); err != nil {
					t.Error(err)
				}
				c.Build.Dialect = arch.Portable
				if _, err := bundle.CheckFor(c, []bundle.Loader{bundle.Optimum, bundle.TransformersJS}); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// The demo's small models: trained briefly, exported, verified, and asked.
func TestDemoTrains(t *testing.T) {
	skipSlowUnderRace(t)
	l, err := library()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("LATHE_CACHE_DIR", t.TempDir())
	t.Setenv("LATHE_RUNTIME_LIBRARY", l.path)
	t.Setenv("LATHE_STORE", filepath.Join(dir, "lathe.db"))
	cfg, err := loadConfig("", nil)
	if err != nil {
		t.Fatal(err)
	}
	var out, notes bytes.Buffer
	a := &app{stdout: &out, stderr: &notes, cfg: cfg}
	defer a.close()
	base, err := arch.ParseCandidate(baselineName)
	if err != nil {
		t.Fatal(err)
	}
	pick, err := arch.ParseCandidate("gpt2-l7-d1280-f6016-h16")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{demoMark, "small-pick/run.json"} { // of a demo before
		if err := create(filepath.Join(dir, demoTrained, filepath.FromSlash(name)), func(io.Writer) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	d := &demo{a: a, ctx: t.Context(), dir: dir, size: demoSize{mail: 60_000, steps: 16}, began: time.Now(), setup: &setup{Baseline: record.Of(base), Seed: 1}}
	if err := d.trainSmall(pick); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), notes.String())
	}
	r := d.result.Small
	for name, m := range map[string]*trainResult{"baseline": r.Baseline, "pick": r.Pick} {
		if m.Steps != 16 || !(*m.DevLoss < *m.DevLossBefore) {
			t.Errorf("%s: %d steps, loss %v, now %v", name, m.Steps, *m.DevLossBefore, *m.DevLoss)
		}
	}
	if !strings.HasPrefix(r.Pick.Candidate, "gpt2-l2-d160-f752-h10-") || len(r.Exported.Checks) < 5 {
		t.Errorf("the small pick is %s, checked %d times", r.Pick.Candidate, len(r.Exported.Checks))
	}
	for _, c := range r.Complete {
		if c.Suggestion == "" || c.Context == "" {
			t.Errorf("a completion of nothing: %+v", c)
		}
	}
	for _, name := range []string{"mail.txt", "tokenizer/tokenizer.json", "small-baseline/model.onnx", "deploy/onnx/model.onnx", "deploy/lathe.json"} {
		if _, err := os.Stat(filepath.Join(dir, demoTrained, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
	mine := filepath.Join(dir, demoTrained, demoMark)
	if err := os.Remove(mine); err != nil {
		t.Fatal(err)
	}
	if err := d.trainSmall(pick); !isInputError(err) || !exists(filepath.Join(dir, demoTrained, "mail.txt")) {
		t.Errorf("a folder that no demo wrote: %v", err)
	}
	for _, want := range []string{"Made-up mail, and its vocabulary", "what the small baseline expects", "checks passed", "Completing sentences"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story lacks %q:\n%s", want, out.String())
		}
	}
}
