package latmodel

import (
	"fmt"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
)

// Check is how a model does on candidates that it was not fitted to.
type Check struct {
	Records    int         `json:"records"`
	Candidates int         `json:"candidates"`
	LeftOut    []LeftOut   `json:"left_out"`
	PL         TargetCheck `json:"pl"`
	TL         TargetCheck `json:"tl"`
}

// TargetCheck is one target's part: the three models of [CV] on the same
// candidates.
type TargetCheck struct {
	Model        Accuracy  `json:"model"`
	LeastSquares Accuracy  `json:"least_squares"`
	Naive        Accuracy  `json:"naive_decoder_params"`
	Noise        *Noise    `json:"noise"`
	HeldOut      []HeldOut `json:"held_out"`
}

// Of returns a target's part.
func (c *Check) Of(t Target) *TargetCheck {
	if t == PL {
		return &c.PL
	}
	return &c.TL
}

// Check predicts the candidates of records, which the model must not have been
// fitted to, and compares with what was measured. Records that do not belong to the
// model are left out and counted.
func (m *Model) Check(records []record.Record) (*Check, error) {
	seen, err := observe(records, Options{
		Baseline: &m.Baseline, Build: &m.Build, Host: m.Host.Hash(), Binding: m.Binding, Prompt: m.Point.Prompt, Cache: m.Point.Cache,
	})
	if err != nil {
		return nil, err
	}
	c := &Check{Records: seen.records, Candidates: len(seen.all), LeftOut: seen.leftOut}
	fitted := map[string]bool{}
	for _, h := range m.pl.held {
		fitted[h.Candidate] = true
	}
	for _, o := range seen.all {
		if name := (arch.Candidate{Spec: o.spec, Build: m.Build}).Name(); fitted[name] {
			return nil, fmt.Errorf("latmodel: check: the model was fitted to %s: its error on that says nothing", name)
		}
	}
	for _, name := range []Target{PL, TL} {
		*c.Of(name) = m.target(name).check(seen, m.Level)
	}
	return c, nil
}

func (t *target) check(seen *observed, level float64) TargetCheck {
	out := TargetCheck{Noise: seen.noise.of(t.name)}
	sum := t.leastSquares()
	rows, _ := seen.rows(t, Options{})
	models := []*learned{&t.full, &sum, &t.naive}
	predicted := make([][]float64, len(models))
	covered := make([]int, len(models))
	var y []float64
	for i, r := range rows {
		y = append(y, r.Y)
		for k, l := range models {
			x := r.Features
			if l == &t.naive {
				x = naiveRow(seen.all[i].spec)
			}
			ratio, iv := l.estimate(x, r.Shape, level)
			predicted[k] = append(predicted[k], ratio)
			if iv.Contains(r.Y) {
				covered[k]++
			}
		}
		out.HeldOut = append(out.HeldOut, HeldOut{
			Candidate: arch.Candidate{Spec: seen.all[i].spec, Build: seen.build}.Name(), Measured: r.Y, SD: r.SD,
			Predicted: predicted[0][i], LeastSquares: predicted[1][i], Naive: predicted[2][i],
		})
	}
	for k, acc := range []*Accuracy{&out.Model, &out.LeastSquares, &out.Naive} {
		*acc = accuracy(predicted[k], y)
		acc.Coverage = float64(covered[k]) / float64(len(y))
	}
	return out
}
