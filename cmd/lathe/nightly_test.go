package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lathe/profiler/nightly"
	"lathe/profiler/store"
)

func TestRetain(t *testing.T) {
	var nights []nightly.Night
	for i := range int64(30) {
		n := nightly.Night{Seq: i + 1, Things: []nightly.Thing{{Name: "a", Verdict: nightly.Slower, IsReference: i == 2 || i == 4, Sessions: []nightly.Session{{Records: []string{fmt.Sprint("r", i+1)}}}}}}
		nights = append(nights, n)
	}
	for _, c := range []struct {
		keep, samples int
		left          []int64
		raw           []string
	}{
		{0, 0, nil, []string{"r1", "r30"}},
		{2, 0, []int64{5, 29, 30}, []string{"r5", "r29", "r30"}}, // the reference stays, not the one before it
		{0, 1, nil, []string{"r30"}},
		{28, 3, nil, []string{"r28", "r29", "r30"}},
	} {
		old, samples := retain(nights, c.keep, c.samples)
		var left []int64
		var raw []string
		for _, n := range nights {
			if !slices.Contains(old, n.Seq) {
				left = append(left, n.Seq)
			}
			if id := n.Things[0].Sessions[0].Records[0]; !slices.Contains(samples, id) {
				raw = append(raw, id)
			}
		}
		if c.left != nil && !slices.Equal(left, c.left) {
			t.Errorf("keep %d: %v are left, want %v", c.keep, left, c.left)
		}
		if c.keep == 28 && (len(old) != 2 || old[1] != 2) {
			t.Errorf("keep 28: %v go", old)
		}
		for _, id := range c.raw {
			if !slices.Contains(raw, id) {
				t.Errorf("keep %d and %d: the samples of %s go", c.keep, c.samples, id)
			}
		}
		if c.samples > 0 && len(raw) != c.samples {
			t.Errorf("samples of %d nights are left, want %d", len(raw), c.samples)
		}
	}
}

// held has a store's lock, as a search does, until the test ends.
func held(t *testing.T, path string) {
	t.Helper()
	st, err := store.Open(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	unlock, err := st.LockSearch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unlock() })
}

// TestNightlyAlone: not while something else measures on the store.
func TestNightlyAlone(t *testing.T) {
	skipSlowUnderRace(t)
	t.Parallel()
	dir := t.TempDir()
	held(t, filepath.Join(dir, "lathe.db"))
	cmd := exec.Command("lathe", "nightly", "--track", "gpt2-l1-d32-f64-h2-v300-p256", "--baseline", "gpt2-l1-d32-f64-h2-v300-p256", "--pl-pairs", "8", "--tl-pairs", "8", "--prompt", "4", "--generated", "4")
	cmd.Dir, cmd.Env = dir, environment(t)
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitInput || !strings.Contains(string(out), "lathe: store: lathe.db: in use: process ") {
		t.Errorf("exit status %d\n%s", code, out)
	}
}

// What somebody calls a file steers nobody's terminal.
func TestErrorsSteerNoTerminal(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"nightly", "--track", "gone\x1b[31m\u202e/x.onnx", "--baseline", "gpt2-l1-d32-f64-h2-v300-p256"}, &stdout, &stderr)
	if said := stderr.String(); code != exitInput || strings.ContainsAny(said, "\x1b\u202e") || !strings.Contains(said, "gone [31m/x.onnx, which is tracked, is gone") {
		t.Errorf("exit status %d, %q", code, said)
	}
}
