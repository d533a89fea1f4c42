//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lathe/finetune/predictor/page"
	"lathe/runtime/provision/provisiontest"
)

// The page of a real model: two windows that type in turn each keep their text, the
// baseline says the same, a second server finds the address taken, and an interrupt ends
// it in peace.
func TestCompletePage(t *testing.T) {
	skipSlowUnderRace(t)
	t.Parallel()
	models := provisiontest.Shared(t, "llama2c")
	args := []string{"complete", "--weights", filepath.Join(models, "stories260K.bin"), "--tokenizer", filepath.Join(models, "tok512.bin"), "--baseline", "+portable"}
	cmd := exec.Command("lathe", append(args, "--serve", ":0")...)
	cmd.Env = environment(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	url := strings.TrimSpace(line)
	complete := func(session string, model int, text string) (c page.Completion) {
		t.Helper()
		body, err := json.Marshal(map[string]any{"session": session, "model": model, "text": text})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.Post(url+"/complete", "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%d: %v", r.StatusCode, err)
		}
		return c
	}
	for i, text := range []string{"Once upon a time, there was a l", "Once upon a time, there was a li"} {
		for model := range 2 {
			c := complete("a", model, text)
			if text+c.Suggestion != "Once upon a time, there was a little girl named Lily." {
				t.Errorf("model %d on %q: %+v", model, text, c)
			}
			if c.Latency <= 0 || c.Read+c.Kept != 9 || i == 1 && c.Kept < 5 {
				t.Errorf("model %d on %q: %+v", model, text, c)
			}
		}
		if c := complete("b", 0, "Tom had a red ball. He liked to pl"); i == 1 && c.Read != 1 {
			t.Errorf("another window: %+v", c)
		}
	}
	second := exec.Command("lathe", append(args, "--serve="+strings.TrimPrefix(url, "http://"))...)
	second.Env = environment(t)
	if said, err := second.CombinedOutput(); err == nil || second.ProcessState.ExitCode() != exitInput || !strings.Contains(string(said), "another program listens there") {
		t.Errorf("a second one: %v %s", err, said)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted, it ended with %v\n%s", err, stderr.String())
	}
}
