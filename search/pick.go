package search

import (
	"errors"
	"fmt"
	"slices"

	"lathe/graphgen/arch"
	"lathe/search/pareto"
)

// ErrNoPick is wrapped by the errors that say why a front has nothing to offer.
var ErrNoPick = errors.New("no pick")

// Choice is what Pick chose from a front, and why.
type Choice struct {
	Evaluation
	Reason   string   `json:"reason"`
	Warnings []string `json:"warnings,omitempty"` // doubts that a report prints; text, since a stored front is read back
}

// Pick chooses from evaluations, usually a front, as the paper does (section
// 4.1): of those with at least the baseline's quality, the one with the lowest
// latency, which is then the one with slightly more decoder parameters than the
// baseline rather than many more. That d_inner/d_model is at least 2 is the
// space's constraint. Between equal latencies the better quality is chosen, then
// the earlier. Where latency is no objective, the first ratio that is to be minimised
// stands for it.
//
// The baseline itself is never the pick, and neither is anything slower than it:
// the error then wraps ErrNoPick and says how far off the front is. So it does where
// the baseline's quality is not known.
func Pick(front []Evaluation, p *Problem) (*Choice, error) {
	cost := p.cost()
	if cost < 0 {
		return nil, fmt.Errorf("search: %w: no objective is a ratio to the baseline that is to be minimised", ErrNoPick)
	}
	name, what := p.QualityName(), p.Objectives[cost].Name
	floor, known := p.BaselineQuality()
	if !known {
		return nil, fmt.Errorf("search: %w: the %s of %s is not known, and a pick has at least the baseline's: choose from the front", ErrNoPick, name, p.BaselineName())
	}
	type option struct {
		*Evaluation
		quality, cost float64
	}
	var best, top option
	usable, enough := 0, 0
	for i := range front {
		e := &front[i]
		if e.Dropped != "" || p.IsBaseline(e.Genome) || p.Violation(e.Values) > 0 {
			continue
		}
		usable++
		o := option{e, p.qualityOf(e), e.Values[cost]}
		if top.Evaluation == nil || o.quality > top.quality {
			top = o
		}
		if o.quality < floor {
			continue
		}
		enough++
		if best.Evaluation == nil || o.cost < best.cost || o.cost == best.cost && o.quality > best.quality {
			best = o
		}
	}
	switch {
	case len(front) == 0:
		return nil, fmt.Errorf("search: %w: the front is empty", ErrNoPick)
	case usable == 0:
		return nil, fmt.Errorf("search: %w: the front has no candidate with a %s", ErrNoPick, what)
	case best.Evaluation == nil:
		return nil, fmt.Errorf("search: %w: none of %s has at least the baseline's %s, %.6g; the nearest, %s, has %.6g: "+
			"let the space have larger models", ErrNoPick, count(usable, "candidate"), name, floor, p.Candidate(top.Genome).Name(), top.quality)
	case best.cost >= 1:
		return nil, fmt.Errorf("search: %w: the fastest of %s with at least the baseline's %s, %s, takes %.3g of its %s: "+
			"search longer, or let the space have other shapes", ErrNoPick, count(enough, "candidate"), name, p.Candidate(best.Genome).Name(), best.cost, what)
	}
	c := &Choice{Evaluation: *best.Evaluation}
	c.Reason = fmt.Sprintf("lowest %s, %.3g of the baseline's, among %d of %s with at least its %s",
		what, best.cost, enough, count(usable, "candidate"), name)
	c.Warnings = p.pickWarnings(best.Evaluation)
	return c, nil
}

// cost is the objective that a pick minimises, or -1.
func (p *Problem) cost() int {
	latency := p.Index(Latency.Name)
	if latency >= 0 && p.Objectives[latency].Direction == pareto.Minimise {
		return latency
	}
	i := slices.IndexFunc(p.Objectives, func(o Objective) bool { return o.Ratio && o.Direction == pareto.Minimise })
	if i < 0 { // it may be recorded all the same
		return latency
	}
	return i
}

// pickWarnings are the doubts about a pick's latency.
func (p *Problem) pickWarnings(e *Evaluation) (warnings []string) {
	cost := p.cost()
	what := p.Objectives[cost].Name
	if iv := e.Interval(cost); iv.Known() && iv.High >= 1 {
		warnings = append(warnings, fmt.Sprintf("search: the interval of the pick's %s, %.3g to %.3g of the baseline's, does not exclude that it is no faster",
			what, iv.Low, iv.High))
	}
	if e.Kind == Predicted {
		warnings = append(warnings, fmt.Sprintf("search: the pick's %s is a prediction; measure it", what))
	}
	return warnings
}

// variantHeads are the head counts that the paper compares each pick at (section
// 5): quality rose with them at very little latency, and decoder_params is blind
// to them.
var variantHeads = []int{4, 8, 16}

// HeadVariants returns a candidate with so many heads in every layer that has any, or,
// where no numbers are given, with 4, 8 and 16 (the -h4, -h8, -h16 of the paper's Table
// 2), whether a space has them or not: those that divide d_model and that the build can
// run. Skipped says, for each of the others, why not.
func HeadVariants(c arch.Candidate, heads ...int) (variants []arch.Candidate, skipped []error) {
	if len(heads) == 0 {
		heads = variantHeads
	}
	for _, h := range heads {
		v := c
		v.Spec.Layers = slices.Clone(c.Spec.Layers)
		for i := range v.Spec.Layers {
			if l := &v.Spec.Layers[i]; l.NHead > 0 {
				l.NKVHead = max(1, h*l.KVHeads()/l.NHead) // keys and values are shared as before
				l.NHead = h
			}
		}
		if c.Spec.HeadDim == 0 && c.Spec.DModel%h != 0 {
			skipped = append(skipped, fmt.Errorf("search: h%d: n_head %d does not divide d_model %d", h, h, c.Spec.DModel))
			continue
		}
		v.Spec = v.Spec.Normalized()
		if err := v.Validate(); err != nil {
			skipped = append(skipped, fmt.Errorf("search: h%d: %w", h, err))
			continue
		}
		variants = append(variants, v)
	}
	return variants, skipped
}
