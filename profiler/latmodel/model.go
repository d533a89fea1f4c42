package latmodel

import (
	"fmt"
	"slices"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel/regress"
	"lathe/profiler/record"
	"lathe/profiler/stat"
	"lathe/profiler/stat/gp"
)

// Model predicts relative PL and TL. It is made by [Fit] or read from JSON, does
// not change afterwards, and is safe for concurrent use.
type Model struct {
	Baseline record.Subject // what ratios are to
	Build    arch.Build     // of the candidates that it is for
	Host     record.Host    // with the library's version
	Binding  string
	Point    Point

	Records    int       // that were fitted
	Candidates int       // that they are of
	LeftOut    []LeftOut // records that were not
	Level      float64   // of prediction intervals, as asked for
	Ranges     []Range   // of sizes that were measured
	Warnings   []string

	pl, tl target
}

func (m *Model) target(t Target) *target {
	if t == PL {
		return &m.pl
	}
	return &m.tl
}

// steps are the two runs of the graph that a model is about.
func (p Point) steps() (pl, tl step) {
	return step{rows: float64(p.Prompt)}, step{rows: 1, past: float64(p.Cache)}
}

// CV returns a target's cross-validation.
func (m *Model) CV(t Target) CV { return m.target(t).cv }

// BaselineMS returns the baseline's median time beside the fitted records, in
// milliseconds: the scale that turns ratios into times. It holds for the hours
// they were measured in, as the ratios do for longer.
func (m *Model) BaselineMS(t Target) float64 { return m.target(t).baselineMS }

// Noise returns the error of a target's measurement itself, nil where no candidate
// was measured in two sessions.
func (m *Model) Noise(t Target) *Noise { return m.target(t).noise }

// HeldOut returns the cross-validation's predictions, in the order of the
// candidates' first records.
func (m *Model) HeldOut(t Target) []HeldOut { return slices.Clone(m.target(t).held) }

// Process returns a target's Gaussian process, nil where the evidence was for noise
// alone.
func (m *Model) Process(t Target) *gp.Process { return m.target(t).full.model.Process }

// IntervalLevel returns the nominal level that prediction intervals attain: Level
// where there are candidates enough for it (9 for 90 %, 19 for 95 %), and n/(n+1)
// otherwise.
func (m *Model) IntervalLevel() float64 {
	_, _, attained := regress.Ranks(m.Candidates, m.Level)
	return attained
}

// Estimate is one predicted figure. JSON names carry the unit.
type Estimate struct {
	Ratio      float64       `json:"ratio"` // to the baseline
	Interval   stat.Interval `json:"ratio_interval"`
	MS         float64       `json:"ms"` // Ratio times BaselineMS
	IntervalMS stat.Interval `json:"ms_interval"`
}

// Prediction is what a model says of one candidate. The intervals are of the
// median ratio that a measurement would show.
type Prediction struct {
	Candidate string   `json:"candidate"`
	PL        Estimate `json:"pl"`
	TL        Estimate `json:"tl"`
	Level     float64  `json:"level"` // nominal, of both intervals
	Warnings  []string `json:"warnings"`
}

// Predict says how fast c would be. It refuses candidates of another build;
// sizes outside those measured come with a warning.
func (m *Model) Predict(c arch.Candidate) (Prediction, error) {
	if err := c.Validate(); err != nil {
		return Prediction{}, fmt.Errorf("latmodel: %w", err)
	}
	if !c.Build.Equal(m.Build) {
		return Prediction{}, fmt.Errorf("latmodel: the model is of build %s, and %s is of %s: fit a model to records of that build",
			buildName(m.Build), c.Name(), buildName(c.Build))
	}
	return Prediction{
		Candidate: c.Name(),
		PL:        m.pl.estimate(m.Build, c.Spec, m.Level),
		TL:        m.tl.estimate(m.Build, c.Spec, m.Level),
		Level:     m.IntervalLevel(),
		Warnings:  append([]string{}, m.outside(c)...),
	}, nil
}

// Term is one feature's part in a model.
type Term struct {
	Target          Target  `json:"target"`
	Feature         string  `json:"feature"`
	Unit            string  `json:"unit"`
	Doc             string  `json:"doc"`
	Weight          float64 `json:"weight"`            // relative latency a unit
	ShareOfBaseline float64 `json:"share_of_baseline"` // of the latency predicted for the baseline's Spec in this build; 0 where that is not known
	MS              float64 `json:"ms"`                // that share in milliseconds
	Excluded        string  `json:"excluded,omitempty"`
}

// ProcessTerm is the name of the term that is no feature: what the Gaussian process
// adds to the sum of the others, or takes from it.
const ProcessTerm = "shape"

// Terms lists the terms of PL, then those of TL. The shares of each add to 1, where
// the baseline's Spec is known.
func (m *Model) Terms() []Term {
	spec, known := m.Baseline.Spec()
	var out []Term
	for _, name := range []Target{PL, TL} {
		t := m.target(name)
		model := t.full.model
		if !known {
			for j, f := range t.features {
				out = append(out, Term{Target: name, Feature: f.Name, Unit: f.Unit, Doc: f.Doc, Weight: model.Weights[j], Excluded: model.Excluded[j]})
			}
			continue
		}
		x, shape := t.row(m.Build, spec)
		sum, factor := model.Sum(x), model.Factor(shape)
		total := sum * factor
		for j, f := range t.features {
			part := model.Weights[j] * x[j]
			out = append(out, Term{name, f.Name, f.Unit, f.Doc, model.Weights[j], part / total, part * t.baselineMS, model.Excluded[j]})
		}
		if model.Process != nil {
			out = append(out, Term{
				Target: name, Feature: ProcessTerm, Unit: "factor", Doc: "what the sizes tell beyond the terms, by a Gaussian process",
				Weight: factor, ShareOfBaseline: (total - sum) / total, MS: (total - sum) * t.baselineMS,
			})
		}
	}
	return out
}

// Range is the least and the greatest value of one size among the candidates
// that were measured and the baseline, if that is one too.
type Range struct {
	Name string  `json:"name"`
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
}

// sizes are what ranges are kept of, in this order.
var sizes = []string{"n_layer", "d_model", "d_inner", "n_head", "head_dim", "vocab", "bytes_per_token", "hidden"}

// eachSize calls f with every value of every size: a Spec has a d_inner for each
// transformer layer, and a hidden size for each recurrent one.
func eachSize(s arch.Spec, b arch.Build, f func(size int, v float64)) {
	f(0, float64(len(s.Layers)))
	f(1, float64(s.DModel))
	for i, l := range s.Layers {
		if hidden := s.HiddenOf(i); hidden > 0 {
			f(7, float64(hidden))
			continue
		}
		f(2, float64(l.DInner))
		f(3, float64(l.NHead))
		f(4, float64(s.HeadDimOf(i)))
	}
	f(5, float64(s.Vocab))
	f(6, float64(s.BytesPerToken(b)))
}

func ranges(specs []arch.Spec, b arch.Build) []Range {
	out := make([]Range, len(sizes)) // 0 to 0 where no layer has the size
	seen := make([]bool, len(sizes))
	for i, name := range sizes {
		out[i].Name = name
	}
	for _, s := range specs {
		eachSize(s, b, func(i int, v float64) {
			if !seen[i] {
				out[i].Min, out[i].Max, seen[i] = v, v, true
			}
			out[i].Min, out[i].Max = min(out[i].Min, v), max(out[i].Max, v)
		})
	}
	return out
}

// outside names every size of c that lies outside the ranges.
func (m *Model) outside(c arch.Candidate) (warnings []string) {
	eachSize(c.Spec, m.Build, func(i int, v float64) {
		if r := m.Ranges[i]; v < r.Min || v > r.Max {
			w := fmt.Sprintf("extrapolates: %s %.0f is outside the measured %.0f to %.0f", r.Name, v, r.Min, r.Max)
			if !slices.Contains(warnings, w) {
				warnings = append(warnings, w)
			}
		}
	})
	return warnings
}
