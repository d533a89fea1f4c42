package search_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"

	"pgregory.net/rapid"
)

func seedProblem(t testing.TB) *search.Problem {
	space, err := arch.PaperSpace().Compile()
	if err != nil {
		t.Fatal(err)
	}
	p := problem(space, arch.Build{})
	p.Baseline = arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 12, 1024, 4096, 16)}
	return p
}

func evaluation(t testing.TB, p *search.Problem, ratio float64, l, d, f, h int) search.Evaluation {
	g := point(t, p, l, d, f, h)
	return search.Evaluation{Genome: g, Values: []float64{p.Quality(g), ratio}, Kind: search.Noisy}
}

// The paper's own models, with the ratios of its token latencies: C3 has the
// fewest parameters of those above the baseline, but C2 is faster and wins.
func TestPickFromTheSeed(t *testing.T) {
	p := seedProblem(t)
	baseline := evaluation(t, p, 1, 12, 1024, 4096, 16)
	c2, c3 := evaluation(t, p, 6.58/11.78, 6, 1856, 3712, 4), evaluation(t, p, 7.28/11.78, 7, 1280, 6016, 4)
	less := evaluation(t, p, 0.4, 6, 1280, 6016, 4)
	c, err := search.Pick([]search.Evaluation{c2, c3, baseline, less}, p)
	if err != nil || c.Genome != c2.Genome || len(c.Warnings) != 0 {
		t.Fatalf("picked %+v, %v", c, err)
	}
	if want := "lowest latency, 0.559 of the baseline's, among 2 of 3 candidates with at least its decoder_params"; c.Reason != want {
		t.Errorf("reason %q, want %q", c.Reason, want)
	}
	for _, b := range []struct {
		name, want string
		front      []search.Evaluation
	}{
		{"empty", "the front is empty", nil},
		{"baseline alone", "no candidate with a latency", []search.Evaluation{baseline}},
		{"all smaller", "none of 1 candidate has at least the baseline's decoder_params, 1.51155e+08; the nearest, gpt2-l6-d1280-f6016-h4", []search.Evaluation{baseline, less}},
		{"all slower", "takes 1.1 of its latency", []search.Evaluation{evaluation(t, p, 1.1, 7, 1280, 6016, 4), less}},
	} {
		if c, err := search.Pick(b.front, p); !errors.Is(err, search.ErrNoPick) || c != nil || !strings.Contains(err.Error(), b.want) {
			t.Errorf("%s: %v, want %q", b.name, err, b.want)
		}
	}
	c3.Intervals, c3.Kind = []search.Interval{{}, {Low: 0.5, High: 1.02}}, search.Predicted
	c, err = search.Pick([]search.Evaluation{c3}, p)
	if err != nil || len(c.Warnings) != 2 {
		t.Fatalf("a doubtful prediction is picked with %v, %v", c, err)
	}
	c.Genome = "" // what is stored has the point instead
	var back search.Choice
	if b, err := json.Marshal(c); err != nil || json.Unmarshal(b, &back) != nil || !reflect.DeepEqual(&back, c) {
		t.Errorf("stored as %s, it comes back as %+v", b, back)
	}
}

// The pick of a front is the pick of everything that it is the front of.
func TestPickOfFrontIsPickOfAll(t *testing.T) {
	p := small(t)
	points := slices.Collect(spaceOf(p).All())
	rapid.Check(t, func(t *rapid.T) {
		var all []search.Evaluation
		for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(points)-1), 0, 40, rapid.ID).Draw(t, "points") {
			e := search.Evaluation{Genome: points[i], Values: []float64{p.Quality(points[i]), rapid.Float64Range(0.5, 1.5).Draw(t, "latency")}}
			if rapid.IntRange(0, 9).Draw(t, "drop") == 0 {
				e.Dropped = "dropped"
			}
			if !p.IsBaseline(e.Genome) {
				all = append(all, e)
			}
		}
		front := search.Front(p, all)
		if !slices.IsSortedFunc(front, func(a, b search.Evaluation) int {
			if a.Values[quality] > b.Values[quality] && a.Values[latency] > b.Values[latency] {
				return -1
			}
			return 1
		}) {
			t.Fatalf("front is not a staircase: %+v", front)
		}
		a, errA := search.Pick(all, p)
		b, errB := search.Pick(front, p)
		if (errA == nil) != (errB == nil) || errA == nil && (!slices.Equal(a.Values, b.Values)) {
			t.Fatalf("picked %+v (%v) of all, %+v (%v) of the front", a, errA, b, errB)
		}
	})
}

func TestHeadVariants(t *testing.T) {
	p := seedProblem(t)
	candidate := func(l, d, f, h int) arch.Candidate {
		return arch.Candidate{Spec: p.Space.(*search.Homogeneous).Compiled().Spec(arch.Point{NLayer: l, DModel: d, DInner: f, NHead: h})}
	}
	v, skipped := search.HeadVariants(candidate(7, 1280, 6016, 4))
	if len(v) != 3 || len(skipped) != 0 {
		t.Fatalf("C3 has %+v, skipped %v", v, skipped)
	}
	for i, h := range []int{4, 8, 16} {
		if !v[i].Equal(candidate(7, 1280, 6016, h)) {
			t.Errorf("C3 with %d heads is %s", h, v[i].Name())
		}
	}
	// 16 heads of 84: not what the fused build's attention runs.
	v, skipped = search.HeadVariants(candidate(7, 1344, 6016, 4))
	if len(v) != 2 || len(skipped) != 1 || !strings.HasPrefix(skipped[0].Error(), "search: h16: arch: ") {
		t.Errorf("d_model 1344 has %+v, skipped %v", v, skipped)
	}
	_, skipped = search.HeadVariants(candidate(7, 1288, 6016, 4))
	if n := len(skipped); n == 0 || skipped[n-1].Error() != "search: h16: n_head 16 does not divide d_model 1288" {
		t.Errorf("d_model 1288 skipped %v", skipped)
	}
	// Keys and values stay shared by as many heads.
	shared := arch.Candidate{Spec: arch.NewSpec(arch.LLaMA, 4, 1024, 2816, 16).WithKVHeads(4)}
	v, _ = search.HeadVariants(shared)
	if len(v) != 3 || v[0].Spec.Layers[0].KVHeads() != 1 || v[1].Spec.Layers[0].KVHeads() != 2 || v[2].Spec.Layers[3].KVHeads() != 4 {
		t.Errorf("16 heads with 4 of keys and values have %+v", v)
	}
	if shared.Spec.Layers[0].NHead != 16 {
		t.Error("the candidate itself was changed")
	}
}

func TestProblem(t *testing.T) {
	p := seedProblem(t)
	if got, known := p.BaselineQuality(); got != 151154688 || !known {
		t.Errorf("baseline's quality is %v", got)
	}
	if !p.IsBaseline(point(t, p, 12, 1024, 4096, 16)) || p.IsBaseline(point(t, p, 12, 1024, 4096, 8)) {
		t.Error("the baseline is not told apart")
	}
	if err := (&search.Problem{}).Validate(); err == nil {
		t.Error("a problem without a space should be an error")
	}
	p.Baseline = arch.Candidate{}
	if err := p.Validate(); err == nil {
		t.Error("a problem without a baseline should be an error")
	}
}

// A baseline that is a file is no point of the space. Its quality is that of the Spec it
// was recognised as; where it was not, nothing is picked.
func TestBaselineFile(t *testing.T) {
	p := seedProblem(t)
	front := []search.Evaluation{evaluation(t, p, 0.9, 12, 1024, 4096, 16), evaluation(t, p, 0.95, 7, 1280, 6016, 4)}
	p.File = "theirs.onnx@01234567"
	if p.IsBaseline(point(t, p, 12, 1024, 4096, 16)) || p.BaselineName() != p.File {
		t.Error("our graph of the same architecture is taken for the file")
	}
	pick, err := search.Pick(front, p)
	if err != nil || pick.Genome != front[0].Genome {
		t.Errorf("the file's own architecture, lowered by us and faster, is not picked: %+v, %v", pick, err)
	}
	p.Baseline = arch.Candidate{}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	if _, known := p.BaselineQuality(); known {
		t.Error("the quality of a file that nobody recognised")
	}
	if _, err := search.Pick(front, p); !errors.Is(err, search.ErrNoPick) || !strings.Contains(err.Error(), "the decoder_params of theirs.onnx@01234567 is not known, and a pick has at least the baseline's: choose from the front") {
		t.Error(err)
	}
}

// By trained quality a pick is what became at least as good as the baseline, whatever its
// parameters are.
func TestPickByTraining(t *testing.T) {
	p := seedProblem(t)
	p.Objectives = []search.Objective{search.LogLikelihood, search.Latency}
	p.Trained = &search.Trained{Baseline: -3.5}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	large := search.Evaluation{Genome: point(t, p, 18, 2048, 8192, 16), Values: []float64{-3.6, 0.5}}
	small := search.Evaluation{Genome: point(t, p, 6, 1024, 4096, 8), Values: []float64{-3.4, 0.9}}
	pick, err := search.Pick([]search.Evaluation{large, small}, p)
	if err != nil || pick.Genome != small.Genome || !strings.Contains(pick.Reason, "among 1 of 2 candidates with at least its log_likelihood") {
		t.Errorf("%+v, %v", pick, err)
	}
	if q, known := p.BaselineQuality(); q != -3.5 || !known || p.QualityName() != "log_likelihood" {
		t.Error(q, known, p.QualityName())
	}
	p.Trained = &search.Trained{Baseline: math.NaN()}
	if _, err := search.Pick([]search.Evaluation{large, small}, p); !errors.Is(err, search.ErrNoPick) || !strings.Contains(err.Error(), "the log_likelihood of gpt2-l12-d1024-f4096-h16 is not known") {
		t.Error(err)
	}
	p.Objectives = search.TwoObjectives(search.DecoderParams{})
	if err := p.Validate(); err == nil || !strings.Contains(err.Error(), "log_likelihood is no objective") {
		t.Error(err)
	}
}
