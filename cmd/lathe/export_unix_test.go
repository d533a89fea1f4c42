//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lathe/graphgen/bundle"
)

// exporting begins an export that takes a while, and waits until it writes.
func exporting(t *testing.T, dir, out string) *process {
	t.Helper()
	p := start(t, dir, "export", "gpt2-l4-d512-f2048-h8", "--weights", "random", "--tokenizer", "none", "-o", out, "--for", "optimum", "--force")
	for !p.ended() {
		if left, _ := filepath.Glob(filepath.Join(dir, "."+out+".export-*", ".model.onnx_data.*")); len(left) > 0 {
			return p
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("it had ended before it wrote\n%s", p.stderr.String())
	return nil
}

func leftIn(t *testing.T, dir string) (visible, hidden []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			hidden = append(hidden, e.Name())
		} else {
			visible = append(visible, e.Name())
		}
	}
	return visible, hidden
}

// An export that is interrupted leaves nothing, one that is killed nothing that is seen,
// which the next one removes; and what it was to replace stays whole.
func TestInterruptedExport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := exporting(t, dir, "out")
	p.cmd.Process.Signal(os.Interrupt)
	if code := p.code(); code != exitFailure {
		t.Errorf("exit status %d\n%s", code, p.stderr.String())
	}
	if visible, hidden := leftIn(t, dir); len(visible)+len(hidden) > 0 {
		t.Errorf("an interrupted export left %v, %v", visible, hidden)
	}
	small := []string{"export", "gpt2-l1-d32-f64-h2-v100-p32", "--weights", "random", "--tokenizer", "none", "-o", "out", "--for", "optimum"}
	finish(t, dir, small...)
	p = exporting(t, dir, "out")
	p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
	if visible, hidden := leftIn(t, dir); len(visible) != 1 || len(hidden) != 1 {
		t.Errorf("a killed export left %v, %v", visible, hidden)
	}
	b, err := bundle.Open(filepath.Join(dir, "out"))
	if err == nil {
		err = b.Verify(t.Context(), nil)
	}
	if err != nil || b.Vocab != 100 {
		t.Errorf("what was there is %v, %v", b, err)
	}
	finish(t, dir, append(small, "--force")...)
	if visible, hidden := leftIn(t, dir); len(visible) != 1 || len(hidden) != 0 {
		t.Errorf("after the next there is %v, %v", visible, hidden)
	}
}
