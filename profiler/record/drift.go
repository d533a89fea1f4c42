package record

import (
	"math"

	"lathe/profiler/stat"
)

// DriftThreshold is how much the baseline's own time may change over a session, a
// fraction, before the record is marked: the paired ratios withstand the drift
// itself, but one beyond a tenth comes with neighbours and clocks that change
// within a pair too.
const DriftThreshold = 0.10

// driftSamples is the fewest samples that are cut into thirds: three each.
const driftSamples = 9

// Drift returns by how much the sentinel, the baseline beside which the candidate
// was timed, changed over the session: the median of its last third of samples
// over that of its first third, less 1. It looks at prefill steps, at decode steps
// and at the requests' time a later token, each of which is one amount of work
// throughout (a request's PL is not: prompts differ), and returns the change that
// is furthest from 0; 0 where no series has nine samples.
func Drift(r Record) float64 {
	var later []float64
	for _, q := range r.Requests {
		if tl, ok := q.Partner.MeanTL(); ok {
			later = append(later, tl)
		}
	}
	worst := 0.0
	for _, series := range [][]float64{partnerNS(r.PL), partnerNS(r.TL), later} {
		if n := len(series); n >= driftSamples {
			change := stat.Median(series[n-n/3:])/stat.Median(series[:n/3]) - 1
			if math.Abs(change) > math.Abs(worst) {
				worst = change
			}
		}
	}
	return worst
}

// Drifted reports whether the sentinel moved further than DriftThreshold, up or
// down.
func Drifted(r Record) bool { return math.Abs(Drift(r)) > DriftThreshold }

func ownNS(pairs []StepPair) []float64 {
	out := make([]float64, len(pairs))
	for i, p := range pairs {
		out[i] = float64(p.NS)
	}
	return out
}

func partnerNS(pairs []StepPair) []float64 {
	out := make([]float64, len(pairs))
	for i, p := range pairs {
		out[i] = float64(p.PartnerNS)
	}
	return out
}
