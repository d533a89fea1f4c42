//go:build unix

package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// trainedSearch is a folder with text, a tokenizer and a space, and how it is searched by
// training. What random proposes depends on no measurement.
func trainedSearch(t *testing.T) (dir string, args func(store, tokens string) []string) {
	t.Helper()
	dir, _ = trainProject(t)
	for name, text := range map[string]string{
		"space.yaml": "vocab: 320\npositions: 64\nn_layer: {min: 1, max: 2}\nd_model: {choices: [32]}\nd_inner: {choices: [64, 96]}\nn_head: {choices: [1, 2]}\nconstraints: []\n",
		configFile:   "timing: {prompt_tokens: 4, generated_tokens: 4, pl_pairs: 6, tl_pairs: 12}\ntrain: {checkpoint_every: 5, dropout: 0.1}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, func(store, tokens string) []string {
		return []string{
			"search", "--store", store, "--quality", "trained", "--text", "mail.txt", "--tokenizer", "bpe", "--train-tokens", tokens,
			"--train-sequence", "32", "--train-batch", "4", "--train-lr", "1e-2", "--method", "random", "--by", "measure", "--evaluations", "4", "--population", "2",
			"--space", "space.yaml", "--baseline", "gpt2-l1-d32-f128-h2-v320-p64",
		}
	}
}

// trainedStore is what a store has of trainings: losses by architecture, those of
// unfinished ones left out.
func trainedStore(t *testing.T, path string) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	if _, err := os.Stat(path); err != nil {
		return out
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT spec, body FROM trainings`)
	if err != nil {
		return out // the store is being made
	}
	defer rows.Close()
	for rows.Next() {
		var spec string
		var body []byte
		var m trainedModel
		if err := rows.Scan(&spec, &body); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		out[spec] = m.Loss
	}
	return out
}

// A search by trained quality that is killed again and again, in trainings and between
// them, trains nothing twice, goes on with each training from its checkpoint, and finds
// the losses that an unbroken one does, number for number.
func TestKilledSearchByTraining(t *testing.T) {
	skipSlowUnderRace(t)
	t.Parallel()
	dir, args := trainedSearch(t)
	finish(t, dir, args("unbroken.db", "20000")...)
	want := trainedStore(t, filepath.Join(dir, "unbroken.db"))
	if len(want) != 5 {
		t.Fatalf("%d trainings, want the baseline's and 4", len(want))
	}

	path := filepath.Join(dir, "broken.db")
	p := start(t, dir, args("broken.db", "20000")...)
	kills, resumed, known := 0, 0, 0
	for _, lines := range []int{30, 80, 40, 90, 10, 120} {
		log := func() int { // lines of the training that is under way
			names, _ := filepath.Glob(filepath.Join(path+".trainings", "*", "log.jsonl"))
			for _, name := range names {
				text, _ := os.ReadFile(name)
				return strings.Count(string(text), "\n")
			}
			return 0
		}
		for !p.ended() && log() < lines {
			time.Sleep(time.Millisecond)
		}
		p.cmd.Process.Signal(syscall.SIGKILL)
		<-p.done
		if p.code() == -1 {
			kills++
		}
		if strings.Contains(p.stderr.String(), " goes on after step ") {
			resumed++
		}
		now := trainedStore(t, path)
		if len(now) < known {
			t.Fatalf("%d trainings, and there were %d", len(now), known)
		}
		known = len(now)
		p = start(t, dir, "search", "--resume", "--store", "broken.db")
	}
	if p.code() != exitOK {
		t.Fatalf("exit status %d\n%s", p.code(), p.stderr.String())
	}
	if kills < 3 || resumed < 2 {
		t.Errorf("%d kills hit, and %d trainings went on", kills, resumed)
	}
	got := trainedStore(t, path)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("losses %v, want those of an unbroken search, %v", got, want)
	}
	if exists(path + ".trainings") {
		t.Error("checkpoints of finished trainings are still there")
	}
}

// An interrupted training is saved, and the search says how to go on.
func TestInterruptedSearchByTraining(t *testing.T) {
	skipSlowUnderRace(t)
	t.Parallel()
	dir, args := trainedSearch(t)
	p := start(t, dir, args("s.db", "1e7")...)
	logs := filepath.Join(dir, "s.db.trainings", "*", "log.jsonl")
	for !p.ended() {
		if names, _ := filepath.Glob(logs); len(names) == 1 {
			if text, _ := os.ReadFile(names[0]); strings.Count(string(text), "\n") > 20 {
				break
			}
		}
		time.Sleep(time.Millisecond)
	}
	p.cmd.Process.Signal(os.Interrupt)
	if p.code() != exitFailure || !strings.Contains(p.stderr.String(), "interrupted") {
		t.Fatalf("exit status %d\n%s", p.code(), p.stderr.String())
	}
	p = start(t, dir, "search", "--resume", "--store", "s.db")
	for !p.ended() && !strings.Contains(p.stderr.String(), "training gpt2-l1-d32-f128-h2-v320-p64 goes on after step ") {
		time.Sleep(time.Millisecond)
	}
	if p.ended() {
		t.Fatalf("exit status %d\n%s", p.code(), p.stderr.String())
	}
}
