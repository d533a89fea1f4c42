package stat

import (
	"fmt"
	"math"
	"sync"

	"gonum.org/v1/gonum/mathext"
)

// PairedQuantileRatio returns Q_p(candidate)/Q_p(baseline), where candidate[i] and
// baseline[i] are the same request on both sides, in the order measured, with its
// interval. All values must be positive.
//
// The quantiles are smooth ones: the weighted geometric mean of all order
// statistics, with weights that stand around p as widely as the p-quantile's own
// rank varies from sample to sample (Harrell and Davis, "A new distribution-free
// quantile estimator", 1982, of the logarithms). The logarithm of their ratio is
// then nearly linear in the samples: each request's influence on it is known, and
// the long-run variance of these influences, neighbours alike or not, gives the
// interval, with Student's t for what it is not known better.
//
// Note: a percentile interval from a block bootstrap of the plain quantiles covers
// 0.99 to 1.00 at a level of 0.95, since few order statistics near P95 are all that
// it can draw, and it is twice as wide: on simulated requests of a text predictor,
// 400 of them, 0.076 against 0.040 on a quiet machine. The smooth ratio's own spread
// is 0.6 of the plain one's. A test has both side by side.
//
// Under MinSamples(p, level) requests it gives the ratio but no interval, and
// warns: the largest sample is then less than a bound of the quantile.
func PairedQuantileRatio(candidate, baseline []float64, p, level float64) Estimate {
	checkP(p)
	checkPairs(len(candidate), len(baseline))
	level = checkLevel(level)
	n := len(candidate)
	est := Estimate{Value: math.NaN(), CI: Everything(), N: n}
	if n == 0 {
		est.Warnings = append(est.Warnings, fmt.Errorf("stat: no pairs: no ratio of quantiles"))
		return est
	}
	if i := firstNotPositive(candidate, baseline); i >= 0 {
		est.Warnings = append(est.Warnings, fmt.Errorf("stat: pair %d is %g / %g: a ratio needs positive, finite values", i, candidate[i], baseline[i]))
		return est
	}
	w := smoothWeights(n, p)
	influence := make([]float64, n)
	log := w.quantile(candidate, 1, influence) - w.quantile(baseline, -1, influence)
	est.Value = math.Exp(log)
	if n < MinSamples(p, level) {
		est.Warnings = append(est.Warnings, fewSamples(n, p, level))
		return est
	}
	variance, nu := longRun(influence)
	half := studentBound(nu, level) * math.Sqrt(variance/float64(n))
	est.CI = Interval{math.Exp(log - half), math.Exp(log + half)}
	return est
}

// weights of n order statistics: cdf[i] is that of the first i together, density
// its derivative by the share i/n.
type weights struct {
	n            int
	p            float64
	cdf, density []float64
}

// quantile returns the weighted mean of the logarithms of x, and adds to influence
// sign times what each sample's weight bears on it: with Delta_j the gap between
// the j-th and the next logarithm, and C_j = j/n the share of samples up to it, the
// mean is its largest term less the sum of Delta_j cdf(C_j), and a little weight
// more on sample i moves C_j by 1-C_j from its rank on, and by -C_j before.
func (w weights) quantile(x []float64, sign float64, influence []float64) (mean float64) {
	order := argsort(x)
	logs := make([]float64, w.n)
	for j, at := range order {
		logs[j] = math.Log(x[at])
		mean += logs[j] * (w.cdf[j+1] - w.cdf[j])
	}
	all := 0.0
	for j := 1; j < w.n; j++ {
		all += (logs[j] - logs[j-1]) * w.density[j] * float64(j) / float64(w.n)
	}
	after := 0.0 // of the gaps from this sample's rank on
	for j := w.n; j >= 1; j-- {
		if j < w.n {
			after += (logs[j] - logs[j-1]) * w.density[j]
		}
		influence[order[j-1]] += sign * (all - after)
	}
	return mean
}

// smoothWeights are those of Harrell and Davis: the Beta distribution with
// parameters p(n+1) and (1-p)(n+1), which is that of the p-quantile's rank. The last
// ones are kept: both sides have them in common, and so have several candidates.
func smoothWeights(n int, p float64) weights {
	lastWeights.Lock()
	defer lastWeights.Unlock()
	if lastWeights.n == n && lastWeights.p == p {
		return lastWeights.weights
	}
	a, b := p*float64(n+1), (1-p)*float64(n+1)
	w := weights{n, p, make([]float64, n+1), make([]float64, n+1)}
	lbeta := mathext.Lbeta(a, b)
	for i := range w.cdf {
		share := float64(i) / float64(n)
		w.cdf[i] = mathext.RegIncBeta(a, b, share)
		if i > 0 && i < n {
			w.density[i] = math.Exp((a-1)*math.Log(share) + (b-1)*math.Log1p(-share) - lbeta)
		}
	}
	lastWeights.weights = w
	return w
}

var lastWeights struct {
	sync.Mutex
	weights
}
