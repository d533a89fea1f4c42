package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// countdown is a context that ends after its error was asked for so many times: an
// interrupt between two batches, whatever the machine's speed.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// An interrupted evaluation prints what was scored so far, says that it is not all, and
// fails.
func TestEvalInterrupted(t *testing.T) {
	skipSlowUnderRace(t)
	l, err := library()
	if err != nil {
		t.Fatal(err)
	}
	dir, cache := t.TempDir(), t.TempDir()
	t.Setenv("LATHE_CACHE_DIR", cache)
	t.Setenv("LATHE_RUNTIME_LIBRARY", l.path)
	file := filepath.Join(dir, "notes.txt")
	story := "Tom and Ann went to the sea. The sea was blue, and so was the sky.\n<|endoftext|>\n"
	if err := os.WriteFile(file, []byte(strings.Repeat(story, 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"tokenizer", file, "-o", dir, "--vocab", "280"}, &out, &out); code != exitOK {
		t.Fatal(out.String())
	}
	cfg, err := loadConfig("", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, jsonOut := range []bool{false, true} {
		var stdout, stderr bytes.Buffer
		a := &app{stdout: &stdout, stderr: &stderr, cfg: cfg, json: jsonOut}
		f := &evalFlags{weights: randomWeights, text: []string{file}, tokenizer: dir, bos: bosAuto, batch: 1}
		// Those before it are asked while the text is read and the model written.
		reached := false
		for left := 50; left < 5000 && !reached; left += 200 {
			stdout.Reset()
			err := a.evaluate(&countdown{t.Context(), left}, f, []string{"gpt2-l1-d32-f64-h2-v280-p64", "gpt2-l1-d32-f64-h2-v280-p64+portable"})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("after %d: %v\n%s", left, err, stdout.String())
			}
			reached = stdout.Len() > 0
		}
		want := "Interrupted: gpt2-l1-d32-f64-h2-v280-p64 was scored on "
		if jsonOut {
			want = `"complete": false`
		}
		if !reached || !strings.Contains(stdout.String(), want) || strings.Contains(stdout.String(), "+portable") {
			t.Errorf("want %q in\n%s", want, stdout.String())
		}
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(cache, "eval-*")); err != nil || len(left) > 0 {
		t.Errorf("left in the cache: %v, %v", left, err)
	}
}
