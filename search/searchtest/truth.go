// Package searchtest has truths to compare search methods by: a machine whose every
// latency is known, so that the exact front is, and what a method reports can be judged
// by what is true of it and not by what was measured.
//
// A truth is a latency model that was fitted to measurements (testdata), times a smooth
// random field over sizes that no model of ours has terms for, as large as what real
// models leave, times, if asked for, a factor of each architecture's own. Measuring it
// adds noise. It is for tests and benchmarks alone.
package searchtest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/search"
)

// The recorded models are what `lathe fit` makes of 96 random candidates of the paper's
// space, each timed in two sessions of 6 PL and 48 TL pairs on two cores of an AMD EPYC
// (AVX-512, VNNI), ONNX Runtime 1.32.0, one thread, beside the paper's baseline; with 5
// folds of cross-validation, which nothing here asks for, to keep the files small.
var (
	//go:embed testdata/fp32.json
	fp32 []byte
	//go:embed testdata/int4.json
	int4 []byte
)

var recorded = sync.OnceValue(func() []*latmodel.Model {
	var out []*latmodel.Model
	for _, raw := range [][]byte{fp32, int4} {
		m := new(latmodel.Model)
		if err := json.Unmarshal(raw, m); err != nil {
			panic(fmt.Sprintf("searchtest: a recorded model: %v", err))
		}
		out = append(out, m)
	}
	return out
})

// Recorded is the model of fp32, or of int4 in blocks of 32.
func Recorded(p string) *latmodel.Model {
	for _, m := range recorded() {
		if m.Build.Precision.Type == p {
			return m
		}
	}
	panic(fmt.Sprintf("searchtest: no model was recorded of %s", p))
}

// Options of a truth. The zero value is a smooth truth without a field.
type Options struct {
	Seed  uint64
	Field float64 // standard deviation of the field, relative; Residual is what real models leave
	Rough float64 // that of each architecture's own factor
}

// Residual is about what the recorded models miss held-out candidates by, as a standard
// deviation: their mean absolute error is 0.9 to 1.3 %.
const Residual = 0.015

// RequestTokens is how many tokens a request of these truths generates, after a prompt
// of 64: the default of a search.
const RequestTokens = 4

// Truth is a machine.
type Truth struct {
	Problem *search.Problem
	space   *search.Homogeneous
	model   *latmodel.Model
	predict *latmodel.Predictor
	pl, tl  *field
	rough   float64
	own     uint64 // seed of the architectures' own factors

	exact func() *exact
}

// Paper is a truth over all sizes of the paper's space that run in the fused dialect
// (102,830 of 146,900), for quality by decoder parameters and latency, beside the paper's
// baseline, in fp32.
func Paper(o Options) *Truth {
	s := arch.PaperSpace()
	s.Constraints = nil
	return New(s, Recorded(arch.Unquantized), o)
}

// Constrained is Paper with the paper's constraints: 20,760 points of 120 to 180 million
// decoder parameters, whose front is as much shorter as the same errors are then greater.
func Constrained(o Options) *Truth {
	return New(arch.PaperSpace(), Recorded(arch.Unquantized), o)
}

// New is a truth over a homogeneous space of the recorded models' family, for what the
// model's build is.
func New(s arch.Space, m *latmodel.Model, o Options) *Truth {
	needs, err := m.Build.SpaceConstraints()
	if err != nil {
		panic(err)
	}
	c, err := s.With(needs...).Compile()
	if err != nil {
		panic(err)
	}
	baseline, _ := m.Baseline.Own()
	space := search.NewHomogeneous(c, m.Build)
	t := &Truth{
		Problem: &search.Problem{Space: space, Objectives: search.TwoObjectives(search.DecoderParams{}), Baseline: baseline},
		space:   space, model: m, predict: m.Predictor(c.Space()), rough: o.Rough, own: o.Seed ^ 0x0a3c,
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0xf1e1d))
	t.pl, t.tl = newField(c, o.Field, rng), newField(c, o.Field, rng)
	t.exact = sync.OnceValue(t.enumerate)
	return t
}

// Model is the recorded one.
func (t *Truth) Model() *latmodel.Model { return t.model }

// Ratios are the true PL and TL of a point.
func (t *Truth) Ratios(g search.Genome) (pl, tl float64) {
	pt := t.space.Point(g)
	pl, tl = t.predict.At(pt)
	own := math.Exp(t.rough * normal(t.own, g))
	return pl * own * t.pl.factor(pt), tl * own * t.tl.factor(pt)
}

// Latency is the objective that follows from the ratios.
func (t *Truth) Latency(pl, tl float64) float64 {
	basePL, rest := t.model.BaselineMS(latmodel.PL), (RequestTokens-1)*t.model.BaselineMS(latmodel.TL)
	return (pl*basePL + tl*rest) / (basePL + rest)
}

// normal is a standard normal number that depends on the seed and the point alone.
func normal(seed uint64, g search.Genome) float64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(g) {
		h = (h ^ uint64(g[i])) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, h)).NormFloat64()
}
