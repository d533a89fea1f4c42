package main

import (
	"fmt"
	"slices"
	"strings"

	"lathe/search"
	"lathe/search/searchtest"
)

// score is how one method did on one truth: by count, over the seeds.
type score struct {
	name  string
	share [][]float64 // of the exact hypervolume, by allCounts as far as the method comes
	// At the last of counts: what its best 20 points have of what the exact front's own best
	// 20 have, and what it claims over what is true.
	best, belief []float64
}

// add judges one seed's fronts.
func (s *score) add(t *searchtest.Truth, fronts []found) {
	for i := range fronts {
		if len(s.share) == i {
			s.share = append(s.share, nil)
		}
		s.share[i] = append(s.share[i], t.Share(fronts[i].points))
	}
	last := fronts[len(counts)-1]
	var best []search.Genome
	for _, i := range t.Best(last.values, 20) {
		best = append(best, last.points[i])
	}
	var exact [][]float64
	for _, i := range t.Best(t.Front(), 20) {
		exact = append(exact, t.Front()[i])
	}
	s.best = append(s.best, t.Share(best)/t.Believed(exact))
	s.belief = append(s.belief, t.Believed(last.values)/t.Share(last.points))
}

// scoreTable is in Markdown: medians in per cent and the worst seed in brackets.
func scoreTable(scores []score) string {
	var out strings.Builder
	fmt.Fprint(&out, "| method |")
	for _, n := range allCounts {
		fmt.Fprintf(&out, " %d |", n)
	}
	fmt.Fprintf(&out, " best 20 | claims |\n|%s\n", strings.Repeat("---|", len(allCounts)+3))
	for _, s := range scores {
		fmt.Fprintf(&out, "| %s |", s.name)
		for i := range allCounts {
			if i < len(s.share) {
				fmt.Fprintf(&out, " %s |", percents(s.share[i]))
			} else {
				fmt.Fprint(&out, " - |")
			}
		}
		fmt.Fprintf(&out, " %s | %.3f to %.3f |\n", percents(s.best), slices.Min(s.belief), slices.Max(s.belief))
	}
	return out.String()
}

func percents(v []float64) string {
	return fmt.Sprintf("%.2f (%.2f)", 100*median(v), 100*slices.Min(v))
}

func last[E any](s []E) E { return s[len(s)-1] }

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile interpolates between the two nearest.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i == len(sorted)-1 {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
