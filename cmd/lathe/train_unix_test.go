//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"lathe/finetune/train"
)

// trainProject is a folder with text and a tokenizer, and how a model is trained on them.
func trainProject(t *testing.T, more ...string) (dir string, args func(out string) []string) {
	t.Helper()
	dir = t.TempDir()
	var text strings.Builder
	for i := range 400 {
		fmt.Fprintf(&text, "On day %d we meet at %d, and the report is for team %d.<|endoftext|>", i, i%12+1, i%7)
	}
	if err := os.WriteFile(filepath.Join(dir, "mail.txt"), []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	finish(t, dir, "tokenizer", "mail.txt", "-o", "bpe", "--vocab", "320")
	return dir, func(out string) []string {
		return append([]string{
			"train", "gpt2-l1-d32-f64-h2-v320-p64", "--text", "mail.txt", "--tokenizer", "bpe", "-o", out,
			"--batch", "8", "--micro", "4", "--sequence", "32", "--lr", "1e-2", "--dropout", "0.1", "--threads", "2", "--eval-every", "20", "--checkpoint-every", "7",
		}, more...)
	}
}

// losses are a log's entries without the clock's.
func losses(t *testing.T, dir string) []train.Entry {
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
	for i := range entries {
		entries[i].Seconds = 0
	}
	return entries
}

// untilLogged waits until a log has so many whole lines.
func untilLogged(p *process, dir string, lines int) {
	for !p.ended() {
		text, _ := os.ReadFile(filepath.Join(dir, train.LogFile))
		if strings.Count(string(text), "\n") >= lines {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// A training that is killed and resumed, again and again and wherever it happens to be,
// logs what an unbroken one does, number for number, and writes the same model.
func TestKilledTraining(t *testing.T) {
	skipSlowUnderRace(t)
	t.Parallel()
	dir, args := trainProject(t, "--steps", "300", "--seed", "7")
	finish(t, dir, args("unbroken")...)
	broken := filepath.Join(dir, "broken")
	p := start(t, dir, args("broken")...)
	kills := 0
	for _, lines := range []int{1, 40, 90, 91, 180, 260} {
		untilLogged(p, broken, lines)
		p.cmd.Process.Signal(syscall.SIGKILL)
		<-p.done
		if p.code() == -1 {
			kills++
		}
		p = start(t, dir, "train", "--resume", "-o", "broken")
	}
	if p.code() != exitOK {
		t.Fatalf("exit status %d\n%s", p.code(), p.stderr.String())
	}
	if kills < 3 {
		t.Errorf("%d kills hit", kills)
	}
	got, want := losses(t, broken), losses(t, filepath.Join(dir, "unbroken"))
	if len(want) != 300+16 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d entries, want %d of an unbroken training, and the same", len(got), len(want))
	}
	for _, file := range []string{"model.safetensors", "model.onnx", "model.onnx_data"} {
		got, err := os.ReadFile(filepath.Join(broken, file))
		if err != nil {
			t.Fatal(err)
		}
		if want, err := os.ReadFile(filepath.Join(dir, "unbroken", file)); err != nil || string(got) != string(want) {
			t.Errorf("%s is another: %v", file, err)
		}
	}
}

// The first Ctrl-C saves and ends, the second ends at once; neither loses more than the
// steps since the last checkpoint.
func TestInterruptedTraining(t *testing.T) {
	skipSlowUnderRace(t)
	t.Parallel()
	dir, args := trainProject(t, "--steps", "100000")
	out := filepath.Join(dir, "out")
	p := start(t, dir, args("out")...)
	untilLogged(p, out, 10)
	p.cmd.Process.Signal(os.Interrupt)
	if p.code() != exitFailure || !strings.Contains(p.stderr.String(), "lathe train --resume -o out goes on from there\nlathe: interrupted\n") {
		t.Fatalf("exit status %d\n%s", p.code(), p.stderr.String())
	}
	n := len(losses(t, out))
	var step int
	at := strings.Index(p.stderr.String(), "saved after step ")
	if _, err := fmt.Sscanf(p.stderr.String()[at:], "saved after step %d of 100000;", &step); err != nil || step < 5 {
		t.Fatalf("%q: %v", p.stderr.String(), err)
	}
	p = start(t, dir, "train", "--resume", "-o", "out")
	untilLogged(p, out, n+30)
	if told := fmt.Sprintf("going on after step %d\n", step); !strings.Contains(p.stderr.String(), told) {
		t.Errorf("%q does not say %q", p.stderr.String(), told)
	}
	second := start(t, dir, "train", "--resume", "-o", "out")
	if second.code() != exitFailure || !strings.Contains(second.stderr.String(), "another process trains there") {
		t.Errorf("a second process: exit status %d, %q", second.code(), second.stderr.String())
	}
	for range 2 {
		p.cmd.Process.Signal(os.Interrupt)
	}
	if p.code() != exitFailure {
		t.Errorf("exit status %d\n%s", p.code(), p.stderr.String())
	}
	finish(t, dir, "train", "--resume", "-o", "out", "--steps", fmt.Sprint(step+30))
}
