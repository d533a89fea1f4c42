package workload

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lathe/profiler/record"
)

func TestDefault(t *testing.T) {
	w := Default(1)
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, Default(1)); diff != "" {
		t.Fatal("one seed, two workloads", diff)
	}
	if w.Hash() == Default(2).Hash() {
		t.Error("two seeds, one workload")
	}
	// The requests of seed 1 are what records in stores were timed on: a change here
	// needs a new name.
	if got, want := w.Hash(), "7885ffdf32fbd443"; !strings.HasPrefix(got, want) {
		t.Errorf("%s has become %s", w.Name, got)
	}
	for _, want := range []string{"256 requests", "seed 1:", "median 64", "back to back, without think time"} {
		if !strings.Contains(w.Description, want) {
			t.Errorf("no %q in %q", want, w.Description)
		}
	}
	var prompts, chars, tokens, median int
	for seed := range uint64(20) {
		for _, r := range Default(seed).Requests {
			if r.PromptTokens < 16 || r.PromptTokens > 128 || r.GeneratedTokens < 1 || r.GeneratedTokens > 12 || r.Chars < r.GeneratedTokens || r.ThinkMS != 0 {
				t.Fatalf("request %+v is out of range", r)
			}
			if r.PromptTokens <= 64 {
				median++
			}
			prompts++
			tokens += r.GeneratedTokens
			chars += r.Chars
		}
	}
	if f := float64(median) / float64(prompts); f < 0.48 || f > 0.53 {
		t.Errorf("%.3f of the prompts have at most 64 tokens, want half", f)
	}
	if f := float64(chars) / float64(tokens); f < 4.1 || f > 4.3 {
		t.Errorf("%.2f characters a token, want 4.2", f)
	}
}

func TestNamed(t *testing.T) {
	long, err := Named("default", 1, 1000)
	if err != nil || len(long.Requests) != 1000 || long.First(DefaultRequests).Hash() != Default(1).Hash() {
		t.Error("a longer default workload begins as the default one", err)
	}
	if w, err := Named("typing", 3, DefaultRequests); err != nil || cmp.Diff(w, Typing(3)) != "" {
		t.Error("typing is Typing", err)
	}
	if _, err := Named("tiping", 3, 1); err == nil || !strings.Contains(err.Error(), `"tiping": known are default, typing`) {
		t.Error(err)
	}
	if _, err := Named("typing", 3, 0); err == nil || !strings.Contains(err.Error(), "0 requests: want 1 to") {
		t.Error(err)
	}
	for _, name := range Generators {
		if w, err := Named(name, 1, 5); err != nil || w.Name != name+"-1" || w.Validate() != nil {
			t.Errorf("%s: %+v", name, w)
		}
	}
}

// The pauses are as described, and the rest does not depend on whether there are
// any.
func TestTyping(t *testing.T) {
	w, _ := Named("typing", 1, 20000)
	var think []float64
	long := 0
	for _, r := range w.Requests {
		think = append(think, float64(r.ThinkMS))
		if r.ThinkMS > 5000 {
			long++
		}
	}
	d := describe(think)
	if d.P50 < 1200 || d.P50 > 1320 { // 1200 and what one pause in twenty adds
		t.Errorf("median think time %g ms", d.P50)
	}
	// P(pause) x P(pause > 3800, about) and a few slow words.
	if f := float64(long) / 20000; f < 0.03 || f > 0.05 {
		t.Errorf("%.3f of the requests come after 5 s or more", f)
	}
	if !strings.Contains(w.Description, "median 1200 ms") || !strings.Contains(w.Description, "probability 0.05") {
		t.Error(w.Description)
	}
}

func TestGenerateOptions(t *testing.T) {
	w, err := Generate(Options{Requests: 4000, PromptMin: 9, PromptMax: 9, Stop: 1, CharsPerToken: 1, Silent: 0.25,
		Think: Think{PauseShare: 1, PauseMS: 70}}, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	silent := 0
	for _, r := range w.Requests {
		if r.Chars == 0 {
			silent++
			r.Chars = 1
		}
		if r != (record.WorkloadRequest{PromptTokens: 9, GeneratedTokens: 1, Chars: 1, ThinkMS: 70}) {
			t.Fatalf("%+v", r)
		}
	}
	if f := float64(silent) / 4000; math.Abs(f-0.25) > 0.03 {
		t.Errorf("%.3f are silent, want a quarter", f)
	}
}

// Whatever options are valid give a valid workload, the same from the same seed.
func TestGenerateProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := func(name string, low, high float64) float64 { return rapid.Float64Range(low, high).Draw(t, name) }
		n := func(name string, low, high int) int { return rapid.IntRange(low, high).Draw(t, name) }
		o := Options{
			Requests: n("requests", -1, 40), PromptMedian: f("median", -1, 1e5), PromptSigma: f("sigma", -0.1, 11),
			PromptMin: n("min", -1, 300), PromptMax: n("max", -1, 300), Stop: f("stop", -0.1, 1.1), GeneratedMax: n("generated", -1, 40),
			CharsPerToken: f("chars", 0, 101), Silent: f("silent", -0.1, 1.1),
			Think: Think{f("typing", -1, 1e9), f("typing sigma", 0, 11), f("share", 0, 1.1), f("pause", 0, 1e9), f("pause sigma", 0, 11)},
		}
		seed := rapid.Uint64().Draw(t, "seed")
		w, err := Generate(o, rand.New(rand.NewPCG(seed, 0)))
		if (err == nil) != (o.Validate() == nil) {
			t.Fatalf("Validate %v, Generate %v", o.Validate(), err)
		}
		if err != nil {
			if !strings.HasPrefix(err.Error(), "workload: ") || !strings.Contains(err.Error(), "want ") {
				t.Fatal(err)
			}
			return
		}
		if err := w.Validate(); err != nil {
			t.Fatal(err)
		}
		again, _ := Generate(o, rand.New(rand.NewPCG(seed, 0)))
		if w.Hash() != again.Hash() {
			t.Fatal("one seed, two workloads")
		}
		o = o.withDefaults()
		for _, r := range w.Requests {
			if r.PromptTokens < o.PromptMin || r.PromptTokens > o.PromptMax || r.GeneratedTokens > o.GeneratedMax {
				t.Fatalf("%+v is out of range", r)
			}
		}
	})
}
