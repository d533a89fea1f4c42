package nightly

import (
	"math"
	"slices"

	"lathe/profiler/stat"
)

// Spread is by how much figures of an unchanged thing differ, as standard deviations
// of logarithms, each with the degrees of freedom that it is known with.
type Spread struct {
	Process   float64 `json:"process_log_sd"` // from process to process
	ProcessDF float64 `json:"process_df"`
	Night     float64 `json:"night_log_sd"` // from night to night, besides
	NightDF   float64 `json:"night_df"`
}

// What is taken for granted before there is a history, with the weight of so few
// degrees of freedom that a history soon outweighs it: from process to process the
// upper half of what docs/BENCHMARKS.md has (0.36 to 0.89 % of TL, 0.50 to 0.93 % of
// PL), and from night to night a third of that, since nothing was measured of it.
const (
	priorProcess = 0.008
	priorNight   = 0.003
	priorDF      = 8
	// maxDF: nights differ in their weather, so that tonight's own sessions keep some say
	// however long the history is.
	maxDF = 24
	// spreadNights is how many nights back are looked at.
	spreadNights = 60
)

// Past is the sessions of one metric of a thing in one night, and Same whether nothing
// that is recorded changed since the night before.
type Past struct {
	Figures []Figure
	Same    bool
}

// Learn is the spread that a history shows, in the order of the nights. A nil history
// gives what is taken for granted.
func Learn(history []Past) Spread {
	if n := len(history); n > spreadNights {
		history = history[n-spreadNights:]
	}
	s := Spread{Process: priorProcess, ProcessDF: priorDF, Night: priorNight, NightDF: priorDF}
	df := 0.0
	for _, p := range history {
		df += max(0, float64(len(p.Figures)-1))
	}
	if df > 0 {
		s.Process = pooled(s.Process, processes(history, df), df)
		s.ProcessDF = min(priorDF+df, maxDF)
	}
	if night, df := nights(history, s); df > 0 {
		s.Night = pooled(s.Night, night, df)
		s.NightDF = min(priorDF+df, maxDF)
	}
	return s
}

// pooled is a standard deviation of the prior and another's of so many degrees.
func pooled(prior, sd, df float64) float64 {
	return math.Sqrt((priorDF*prior*prior + df*sd*sd) / (priorDF + df))
}

// processes is the standard deviation between processes at which the scatter within all
// nights is what it should be on average (Paule and Mandel, "Consensus values and weighting
// factors", 1982); 0 where the samples' own errors explain it.
func processes(history []Past, df float64) float64 {
	excess := func(sd float64) (q float64) {
		s := Spread{Process: sd}
		for _, p := range history {
			if len(p.Figures) < 2 {
				continue
			}
			var logs []float64
			for _, f := range p.Figures {
				logs = append(logs, math.Log(f.Ratio))
			}
			q += s.scatter(p.Figures, stat.Median(logs))
		}
		return q - df
	}
	low, high := 1e-6, 1.0
	if excess(low) <= 0 {
		return 0
	}
	for high-low > 1e-7 {
		if mid := (low + high) / 2; excess(mid) > 0 {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// minDiffs: a night that was off is in two differences, and must not be the middle one.
const minDiffs = 5

// nights is the standard deviation from night to night by the differences of nights that
// follow each other, with its degrees of freedom. A level that shifts is one large
// difference, and is cut to three times the usual one; where something is known to have
// changed there is no difference.
func nights(history []Past, s Spread) (sd, df float64) {
	var diffs, expected []float64
	for i := 1; i < len(history); i++ {
		a, b := history[i-1], history[i]
		if !b.Same || len(a.Figures) == 0 || len(b.Figures) == 0 {
			continue
		}
		x, y := MeanOf(a.Figures, s), MeanOf(b.Figures, s)
		diffs = append(diffs, math.Abs(y.Log-x.Log))
		expected = append(expected, x.Var+y.Var)
	}
	if len(diffs) < minDiffs {
		return 0, 0
	}
	sorted := slices.Clone(diffs)
	slices.Sort(sorted)
	cut := 3 * 1.4826 * stat.Median(sorted) // of normal ones, the median is 0.6745 deviations
	sum := 0.0
	for i, d := range diffs {
		d = min(d, cut)
		sum += (d*d - expected[i]) / 2
	}
	// Two differences share a night: they say as much as two thirds of as many.
	return math.Sqrt(max(0, sum/float64(len(diffs)))), float64(len(diffs)) * 2 / 3
}
