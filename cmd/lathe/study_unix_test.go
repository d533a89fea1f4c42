//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"lathe/finetune/text/sample"
)

// tinyStudy is a study of some seconds. One architecture of its space alone has as many
// decoder parameters as the baseline, in a third of the layers: what is picked depends on
// no clock.
const tinyStudy = `baseline: gpt2-l6-d64-f192-h4-v512-p64
space:
  n_layer: {min: 1, max: 2}
  d_model: {choices: [64, 128]}
  d_inner: {choices: [64, 96, 128, 256]}
  n_head: {choices: [4]}
  constraints: []
search: {method: evolve, samples: 12, visits: 1, iterations: 3}
timing: {prompt_tokens: 16, generated_tokens: 4, pl_pairs: 10, tl_pairs: 24}
train: {steps: 40, batch: 8, sequence: 48, lr: 3e-3, test: 0.05, eval_tokens: 2048, checkpoint_every: 5}
study:
  text: [mail.txt]
  task: [task.txt]
  lambada: words.jsonl
  constraints: [d_inner <= 256, n_layer == 2]
  tolerance: 1e9
  heads: [4, 8]
  finetune_epochs: 1
  finetune_lr: 3e-3
  cases: 60
  context_chars: 80
  max_tokens: 6
  max_aec: 8
`

// studyProject is a folder with a tiny study and its text.
func studyProject(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for seed, file := range map[uint64]string{1: "mail.txt", 2: "task.txt"} {
		var b bytes.Buffer
		if err := sample.Write(&b, rand.New(rand.NewPCG(seed, 0)), int64(150000/seed/seed)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var passages bytes.Buffer
	rng := rand.New(rand.NewPCG(3, 0))
	for range 40 {
		if err := json.NewEncoder(&passages).Encode(map[string]string{"text": strings.TrimRight(sample.Mail(rng), ".!?\n ")}); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string][]byte{"words.jsonl": passages.Bytes(), "study.yaml": []byte(tinyStudy)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// studySteps are the results of a study's steps by name, without those that depend on the
// clock, and without times and paths in the others.
func studySteps(t *testing.T, dir string) map[string]any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "steps", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		if name == stepLatency || name == stepRequests || strings.HasPrefix(name, "search-") {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var f struct {
			Result any `json:"result"`
		}
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatal(err)
		}
		if m, ok := f.Result.(map[string]any); ok {
			for _, key := range []string{"seconds", "folder", "model", "config", "safetensors", "file"} {
				delete(m, key)
			}
		}
		out[name] = f.Result
	}
	return out
}

// A study that is killed in the middle, twice, and goes on, comes to the numbers of one
// that is not, and does no step twice.
func TestKilledStudy(t *testing.T) {
	skipSlowUnderRace(t)
	t.Parallel()
	dir := studyProject(t)
	finish(t, dir, "study", "study.yaml", "-o", "unbroken")
	broken := filepath.Join(dir, "broken")
	kept := map[string]time.Time{}
	for _, after := range []string{"train-baseline", "finetune-baseline"} {
		p := start(t, dir, "study", "study.yaml", "-o", "broken")
		for !exists(filepath.Join(broken, "steps", after+".json")) && !p.ended() {
			time.Sleep(time.Millisecond)
		}
		p.cmd.Process.Signal(syscall.SIGKILL)
		if p.code() != -1 {
			t.Fatalf("it ended before it could be killed after %s: exit status %d\n%s", after, p.code(), p.stderr.String())
		}
		for path, at := range modified(t, broken) {
			if was, ok := kept[path]; ok && was != at {
				t.Errorf("%s was written again", path)
			}
			kept[path] = at
		}
	}
	p := start(t, dir, "study", "study.yaml", "-o", "broken")
	if p.code() != exitOK {
		t.Fatalf("exit status %d\n%s", p.code(), p.stderr.String())
	}
	now := modified(t, broken)
	for path, at := range kept {
		if now[path] != at {
			t.Errorf("%s was written again", path)
		}
	}
	got, want := studySteps(t, broken), studySteps(t, filepath.Join(dir, "unbroken"))
	if len(want) < 13 {
		t.Errorf("%d steps", len(want))
	}
	for name := range want {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s came to %v, unbroken to %v", name, got[name], want[name])
		}
	}
	checkStudy(t, broken)

	// Timing alone once more; and no other settings in the same folder.
	finish(t, dir, "study", "study.yaml", "-o", "broken", "--again", "timing")
	again := modified(t, broken)
	for path, at := range now {
		timing := strings.Contains(path, stepLatency) || strings.Contains(path, stepRequests)
		if (again[path] != at) != timing {
			t.Errorf("after --again timing: %s was written again: %v", path, again[path] != at)
		}
	}
	other := strings.Replace(tinyStudy, "cases: 60", "cases: 61", 1)
	if err := os.WriteFile(filepath.Join(dir, "other.yaml"), []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	p = start(t, dir, "study", "other.yaml", "-o", "broken")
	if p.code() != exitInput || !strings.Contains(p.stderr.String(), "study.cases was 60 and is 61") {
		t.Errorf("other settings: exit status %d, %q", p.code(), p.stderr.String())
	}
}

// modified are the times at which steps were written.
func modified(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "steps", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]time.Time{}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = info.ModTime()
	}
	return out
}

// checkStudy holds a report against the steps that it is of.
func checkStudy(t *testing.T, dir string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "study.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r studyReport
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Models) != 3 || r.Models[1].Label != "C1-h4" || r.Models[1].Candidate.Name() != "gpt2-l2-d128-f256-h4-v512-p64" || !r.Passed {
		t.Fatalf("models %+v, pick %v", r.Models, r.Pick)
	}
	// All are trained alike, and the pick is the one of the lowest perplexity.
	for _, m := range r.Models {
		if m.Training.Tokens != r.Models[0].Training.Tokens || m.Training.Steps != 40 {
			t.Errorf("%s had %d steps, %d tokens", m.Label, m.Training.Steps, m.Training.Tokens)
		}
		if m.Label != baselineLabel && m.Eval.Lambada.Perplexity < r.model(r.Pick.Label).Eval.Lambada.Perplexity {
			t.Errorf("%s is better than the pick %s", m.Label, r.Pick.Label)
		}
	}
	base, pick := r.Rules[baselineLabel].Measures, r.Rules[r.Pick.Label].Measures
	if *base.AEC.Value > 8 || *base.TriggerRate.Value <= 0 || pick.Suggestions == 0 {
		t.Errorf("calibrated to %+v and %+v", base, pick)
	}
	if m := r.Measures[r.Pick.Label]; m.Cases != r.Measures[baselineLabel].Cases || r.Tail == nil || r.Tail.Ratio <= 0 || len(r.Claims) < 8 {
		t.Errorf("held out: %+v, tail %+v, %d claims", m, r.Tail, len(r.Claims))
	}
	md, err := os.ReadFile(filepath.Join(dir, "study.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## Table 1", "## Table 2", "## Table 3", "figure1.svg", "C3-h16", "Round 1, by evolve with d_inner <= 256"} {
		if !strings.Contains(string(md), want) {
			t.Errorf("study.md has no %q", want)
		}
	}
	for _, name := range []string{"figure1.svg", "figure1.png", "figure3.svg", "figure3.png"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
