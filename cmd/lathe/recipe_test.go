package main

import (
	"context"
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lathe/finetune/train"
	"lathe/graphgen/arch"
	"lathe/profiler/machine"
	"lathe/profiler/store"
	"lathe/search"
)

func testRecipe() *recipe {
	return &recipe{
		trainPlan: trainPlan{
			Command: "search", Seed: 3, Text: []string{"/a/mail.txt"}, End: 0, Dev: 0.02, TextKey: "key",
			Sequence: 32, Rows: 4, Passes: 2, Threads: 2, WeightDecay: 0.1, Clip: 1,
			Schedule: train.Schedule{Shape: train.Cosine, Peak: 1e-3, Warmup: 5, Steps: 100}, EvalTokens: 4096, CheckpointEvery: 20, Keep: 1,
		},
		Tokenizer: "/a/bpe",
	}
}

// What decides a training's numbers is in its hash, what does not is not, and a stored
// recipe has the hash that it had.
func TestRecipeHash(t *testing.T) {
	hash := testRecipe().hash()
	for name, change := range map[string]func(*recipe){
		"seed": func(r *recipe) { r.Seed++ }, "text": func(r *recipe) { r.TextKey = "other" }, "steps": func(r *recipe) { r.Schedule.Steps++ },
		"rows": func(r *recipe) { r.Rows++ }, "sequence": func(r *recipe) { r.Sequence++ }, "rate": func(r *recipe) { r.Schedule.Peak *= 2 },
		"dropout": func(r *recipe) { r.Dropout = 0.1 }, "tokens looked at": func(r *recipe) { r.EvalTokens++ }, "clip": func(r *recipe) { r.Clip = 0 },
	} {
		r := testRecipe()
		if change(r); r.hash() == hash {
			t.Errorf("%s: the hash is the same", name)
		}
	}
	for name, change := range map[string]func(*recipe){
		"threads": func(r *recipe) { r.Threads++ }, "where the text is": func(r *recipe) { r.Text, r.Tokenizer = []string{"/b"}, "/c" },
		"checkpoints": func(r *recipe) { r.CheckpointEvery, r.Keep = 1, 7 }, "recomputing": func(r *recipe) { r.Recompute = true },
		"storing": func(r *recipe) {
			body, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if *r = (recipe{}); json.Unmarshal(body, r) != nil || r.Tokenizer != "/a/bpe" {
				t.Errorf("stored as %s, it is %+v", body, r)
			}
		},
	} {
		r := testRecipe()
		if change(r); r.hash() != hash {
			t.Errorf("%s: the hash is another", name)
		}
	}
}

// What training takes is of all rows, and in memory of a pass.
func TestRecipeCosts(t *testing.T) {
	r, s := testRecipe(), arch.NewSpec(arch.GPT2, 2, 32, 64, 2)
	if got, want := r.trainFlops(s), 100*8*s.TrainFlops(32); got != want {
		t.Errorf("%v FLOPs, want %v", got, want)
	}
	if got, want := r.trainBytes(s), s.TrainBytes(4, 32, 4); got != want {
		t.Errorf("%v bytes, want %v", got, want)
	}
	trains := &setup{Training: r}
	for _, name := range []string{"quality", "log_likelihood"} {
		if o, err := trains.objective(name, search.DecoderParams{}); err != nil || o.Name != search.LogLikelihood.Name || o.Count != nil {
			t.Errorf("%s is %+v, %v", name, o, err)
		}
	}
	o, err := trains.objective(trainFlops, search.DecoderParams{})
	if err != nil || o.Count(arch.Candidate{Spec: s}) != r.trainFlops(s) {
		t.Error(o, err)
	}
	if _, err := new(setup).objective(trainFlops, search.DecoderParams{}); err == nil || !strings.Contains(err.Error(), "no objective \"train_flops\"") {
		t.Errorf("without training: %v", err)
	}
}

// quick is an evaluator of latencies that are all 1.
type quick struct{}

func (quick) Name() string { return "quick" }

func (quick) Evaluate(_ context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	for _, g := range points {
		if err := emit(search.Evaluation{Genome: g, Values: []float64{0, 1}, Kind: search.Exact}); err != nil {
			return err
		}
	}
	return nil
}

// What is stored is taken, and nothing is opened for it; what there is no memory for is
// dropped, so that the system does not end the search as often as it is resumed.
func TestTrainedEvaluator(t *testing.T) {
	a := &app{cfg: newLoaded()}
	a.cfg.Store = filepath.Join(t.TempDir(), "s.db")
	defer a.close()
	s := &setup{Training: testRecipe(), Objectives: []string{"quality", "latency"}, RequestTokens: 4}
	s.Training.Rows = 1 << 40
	s.Space.Space = arch.Space{Vocab: 320, Positions: 64, NLayer: arch.Axis{Min: 1, Max: 2}, DModel: arch.Axis{Choices: []int{32}}, DInner: arch.Axis{Choices: []int{64}}, NHead: arch.Axis{Choices: []int{2}}}
	space, err := s.Space.compile(arch.Build{})
	if err != nil {
		t.Fatal(err)
	}
	p := &search.Problem{Space: space, Objectives: []search.Objective{search.LogLikelihood, search.Latency}, Trained: &search.Trained{Baseline: math.NaN()}}
	p.Baseline.Spec = arch.NewSpec(arch.GPT2, 12, 1024, 4096, 16) // of another vocabulary
	points := slices.Collect(space.All())
	st, err := a.project(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known := p.Candidate(points[0]).Spec
	body, err := json.Marshal(&trainedModel{Spec: known, Loss: 2.5})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.SaveTraining(t.Context(), store.Training{Spec: known.Hash(), Recipe: s.Training.hash(), Created: time.Unix(1, 0), Body: body}); err != nil {
		t.Fatal(err)
	}
	e := a.trainedEvaluator(s.Training, nil, p, quick{})
	defer e.close()
	var got []search.Evaluation
	if err := e.Evaluate(t.Context(), points, func(ev search.Evaluation) error { got = append(got, ev); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Dropped != "" || !slices.Equal(got[0].Values, []float64{-2.5, 1}) {
		t.Errorf("%+v", got)
	}
	if _, measured := machine.AvailableMemory(); measured && !strings.Contains(got[1].Dropped, "training "+p.Candidate(points[1]).Spec.Name()+" takes ") {
		t.Errorf("%+v", got[1])
	}
	table, err := e.table(t.Context(), got)
	if err != nil || len(table) != 1 || table[0].Loss != 2.5 || e.fresh != 0 {
		t.Errorf("%+v, %v", table, err)
	}
}
