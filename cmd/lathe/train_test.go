package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lathe/finetune/train"
	"lathe/runtime/provision/provisiontest"
)

// A model of llama2.c gets better at the stories that it was made for, and continues
// them.
func TestFinetuneStories(t *testing.T) {
	skipSlowUnderRace(t)
	t.Parallel()
	models, texts := provisiontest.Shared(t, "llama2c"), provisiontest.Shared(t, "small-lm")
	l, err := library()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{
		"finetune", filepath.Join(models, "stories260K.bin"), "--tokenizer", filepath.Join(models, "tok512.bin"),
		"--text", filepath.Join(texts, "tinystories_sample.txt"), "-o", filepath.Join(t.TempDir(), "tuned"), "--json",
		"--steps", "60", "--batch", "8", "--micro", "4", "--sequence", "128", "--lr", "5e-4", "--eval-tokens", "4096", "--sample", "Once upon a time",
		"--cache-dir", t.TempDir(), "--library", l.path,
	}, &out, &errs)
	if code != exitOK {
		t.Fatalf("exit status %d\n%s", code, errs.String())
	}
	var r trainResult
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	// 1.726 before, on text without the token that its training began stories with.
	if before, after := *r.DevLossBefore, *r.DevLoss; before > 1.9 || after > before-0.04 {
		t.Errorf("the loss went from %.3f to %.3f", before, after)
	}
	if !strings.HasPrefix(r.Sample, "Once upon a time, there was a ") {
		t.Errorf("it goes on: %q", r.Sample)
	}
}

func TestTrainMeter(t *testing.T) {
	m := &trainMeter{steps: 100}
	loss, dev := 2.5, 2.0
	m.first = &train.Entry{Step: 10, Seconds: 5, Tokens: 1000}
	m.loss, m.dev = loss, dev
	e := train.Entry{Step: 20, Loss: &loss, Seconds: 10, Tokens: 2000}
	if got, want := m.text(e), "loss 2.500, dev perplexity 7.39, 200 tokens/s, 40s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := (&trainMeter{first: &train.Entry{}}).text(train.Entry{}), "training"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPerplexityText(t *testing.T) {
	for loss, want := range map[float64]string{0: "1.00", 3: "20.09", 6: "403", 20: "4.9e+08"} {
		if got := perplexityText(loss); got != want {
			t.Errorf("%v: %q, want %q", loss, got, want)
		}
	}
}

func TestTook(t *testing.T) {
	if got, want := took((90*time.Minute).Seconds()+0.4), "1h30m0s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A pass is as many rows as divide the batch, 8 at most.
func TestRowsOfPass(t *testing.T) {
	for _, c := range []struct{ batch, micro, rows, passes int }{{32, 0, 8, 4}, {12, 0, 6, 2}, {7, 0, 7, 1}, {11, 0, 1, 11}, {12, 4, 4, 3}, {1, 0, 1, 1}} {
		if rows, passes := (trainConfig{Batch: c.batch, Micro: c.micro}).rows(); rows != c.rows || passes != c.passes {
			t.Errorf("%+v: %d rows, %d passes", c, rows, passes)
		}
	}
}
