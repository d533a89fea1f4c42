package search

import (
	"errors"
	"fmt"

	"lathe/graphgen/arch"
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
// the earlier.
//
// The baseline itself is never the pick, and neither is anything slower than it:
// the error then wraps ErrNoPick and says how far off the front is.
func Pick(front []Evaluation, p *Problem) (*Choice, error) {
	floor, name := p.BaselineQuality(), p.proxy().Name()
	var best, top *Evaluation
	usable, enough := 0, 0
	for i := range front {
		e := &front[i]
		if e.Dropped != "" || p.IsBaseline(e.Point) {
			continue
		}
		usable++
		if top == nil || e.Quality > top.Quality {
			top = e
		}
		if e.Quality < floor {
			continue
		}
		enough++
		if best == nil || e.Latency < best.Latency || e.Latency == best.Latency && e.Quality > best.Quality {
			best = e
		}
	}
	switch {
	case usable == 0:
		return nil, fmt.Errorf("search: %w: the front has no candidate with a latency", ErrNoPick)
	case best == nil:
		return nil, fmt.Errorf("search: %w: none of %s has at least the baseline's %s, %.6g; the nearest, %s, has %.6g: "+
			"let the space have larger models", ErrNoPick, count(usable, "candidate"), name, floor, p.Candidate(top.Point).Name(), top.Quality)
	case best.Latency >= 1:
		return nil, fmt.Errorf("search: %w: the fastest of %s with at least the baseline's %s, %s, takes %.3g of its latency: "+
			"search longer, or let the space have other shapes", ErrNoPick, count(enough, "candidate"), name, p.Candidate(best.Point).Name(), best.Latency)
	}
	c := &Choice{Evaluation: *best}
	c.Reason = fmt.Sprintf("lowest latency, %.3g of the baseline's, among %d of %s with at least its %s",
		best.Latency, enough, count(usable, "candidate"), name)
	if best.LatencyCI.Known() && best.LatencyCI.High >= 1 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("search: the interval of the pick's latency, %.3g to %.3g of the baseline's, does not exclude that it is no faster",
			best.LatencyCI.Low, best.LatencyCI.High))
	}
	if best.Source == Predicted {
		c.Warnings = append(c.Warnings, "search: the pick's latency is a prediction; measure it")
	}
	return c, nil
}

// variantHeads are the head counts that the paper compares each pick at (section
// 5): quality rose with them at very little latency, and decoder_params is blind
// to them.
var variantHeads = []int{4, 8, 16}

// HeadVariants returns the point with 4, 8 and 16 heads (the -h4, -h8, -h16 of
// the paper's Table 2), whether the space's axis has them or not: those that
// divide d_model and that the build can run. Skipped says, for each of the
// others, why not.
func HeadVariants(p *Problem, pt arch.Point) (variants []arch.Point, skipped []error) {
	for _, h := range variantHeads {
		v := pt
		v.NHead = h
		if pt.DModel%h != 0 {
			skipped = append(skipped, fmt.Errorf("search: h%d: n_head %d does not divide d_model %d", h, h, pt.DModel))
			continue
		}
		if err := p.Candidate(v).Validate(); err != nil {
			skipped = append(skipped, fmt.Errorf("search: h%d: %w", h, err))
			continue
		}
		variants = append(variants, v)
	}
	return variants, skipped
}
