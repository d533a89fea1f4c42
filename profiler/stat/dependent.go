package stat

import (
	"fmt"
	"math"
)

// MinDependent is the fewest pairs of which anything can be said about how alike
// neighbours are.
const MinDependent = 20

// minSignVariance is the least long-run variance of signs that is believed, where
// independent ones have 1: ratios that alternate are rather luck than a reason for
// a narrow interval.
const minSignVariance = 0.2

// PairedRatioDependent is PairedRatio for pairs that may be alike if they are near
// each other, in the order in which they were measured. The interval's ends lie on
// order statistics too, or between two of them; how far from the middle comes from
// the long-run variance of the ratios' signs about the median. A sign is bounded,
// so that this variance exists and is estimable whatever the tails of the ratios;
// that it is an estimate is allowed for (Student's t).
//
// At a level of 0.95 it covers, of normal ratios that follow an AR(1) with
// coefficients of 0, 0.6 and 0.8, 0.96, 0.94 and 0.94 with 40 pairs, and 0.96,
// 0.96 and 0.95 with 320. Its price is an interval for independent pairs that is
// wider than the exact one, by a fifth with 40 pairs. What lasts for more than a
// fiftieth of the series is not well seen in it: of ratios with a standard
// deviation of 1.5 by themselves and 1 of an AR(1) with coefficient 0.95, it
// covers 0.83 with 80 pairs, 0.93 with 320.
//
// Under 20 pairs, of which nothing can be learned about dependence, it is
// PairedRatio, with a warning where neighbours look alike all the same. Where the
// pairs are so alike that no order statistic is far enough out, there is no
// interval.
func PairedRatioDependent(a, b []float64, level float64) Estimate {
	level = checkLevel(level)
	if len(a) < MinDependent {
		est := PairedRatio(a, b, level)
		if est.CI.Finite() {
			if rho := Autocorrelation(LogRatios(a, b), 1); rho > 1.96/math.Sqrt(float64(est.N)) {
				est.Warnings = append(est.Warnings, fmt.Errorf("stat: neighbouring ratios are alike (autocorrelation %.2f), and %d pairs are too few to allow for it: the interval is too narrow", rho, est.N))
			}
		}
		return est
	}
	ratios, est := pairedRatios(a, b)
	if ratios == nil {
		return est
	}
	n := len(ratios)
	order := sorted(ratios)
	est.Value = middle(order[(n+1)/2-1], order[n/2])
	signs := make([]float64, n)
	for i, r := range ratios {
		switch {
		case r > est.Value:
			signs[i] = 1
		case r < est.Value:
			signs[i] = -1
		}
	}
	variance, nu := longRun(signs)
	// A sign less is half a rank less; the half that is added is the binomial's
	// correction for continuity, as the exact ranks have it.
	away := studentBound(nu, level) * math.Sqrt(max(variance, minSignVariance)*float64(n)) / 2
	rank := float64(n)/2 - away + 0.5
	if rank < 1 {
		est.Warnings = append(est.Warnings, fmt.Errorf("stat: neighbouring ratios are so alike that %d pairs give no %g %% interval", n, 100*level))
		return est
	}
	low := int(rank)
	est.CI = Interval{between(order[low-1], order[low], rank-float64(low)), between(order[n-low], order[n-low-1], rank-float64(low))}
	return est
}

// between returns the ratio that lies a share of the way from a to b, on the scale
// of logarithms: ranks that are no whole numbers would else have to be rounded
// outwards, by up to a tenth of the interval's width with 40 pairs.
func between(a, b, share float64) float64 {
	v := math.Pow(a, 1-share) * math.Pow(b, share)
	return math.Min(math.Max(v, math.Min(a, b)), math.Max(a, b)) // Pow rounds
}
