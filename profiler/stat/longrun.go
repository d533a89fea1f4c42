package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// longRun returns the long-run variance of x, two samples or more in the order
// measured: n times the variance of the mean, where neighbours may be alike. It
// comes with the degrees of freedom that it is known with: the mean divided by its
// standard error follows Student's t of so many.
//
// It is the mean of the squares of the first nu cosine transforms of x. Each is
// about normal with the spectrum near frequency 0 as its variance, and they are
// about independent, whatever the dependence in x, as long as it is short beside
// n/nu samples (Mueller, "HAC corrections for strongly autocorrelated time
// series", 2014; Lazarus, Lewis, Stock and Watson, "HAR inference:
// recommendations for practice", 2018).
//
// Note: variances of block means and block bootstraps take the variance that they
// estimate for known. With few blocks it is not, which is where they cover too
// little; nu says how well it is known.
func longRun(x []float64) (variance float64, nu int) {
	n := len(x)
	nu = transforms(x)
	power := make([]float64, nu)
	mean := Mean(x)
	for i, v := range x {
		// cos(j a) for j = 1, 2, ... by Chebyshev's recurrence.
		c1 := math.Cos(math.Pi * (float64(i) + 0.5) / float64(n))
		before, c := 1.0, c1
		for j := range power {
			power[j] += (v - mean) * c
			before, c = c, 2*c1*c-before
		}
	}
	for _, p := range power {
		variance += p * p
	}
	return variance * 2 / float64(n) / float64(nu), nu
}

const (
	// longRunBias is by how much the long-run variance may be too small, a
	// fraction, for taking frequencies beside 0.
	longRunBias = 0.1
	// minTransforms are the fewest: Student's t of three degrees has tails that no
	// early look can use.
	minTransforms = 4
	// minBatches is the fewest batches whose autocorrelation says anything.
	minBatches = 16
)

// transforms is how many cosine transforms of x are used: at most n^(2/3), and
// fewer the more alike neighbours are. It asks the samples themselves and the sums
// of neighbouring 2, 4, 8, ...: what lasts for long is little to be seen between
// two samples where each has much noise of its own.
func transforms(x []float64) int {
	nu := min(int(math.Pow(float64(len(x)), 2.0/3)+1e-9), len(x)-1)
	least := min(minTransforms, nu)
	for {
		nu = min(nu, lowFrequencies(len(x), nu, Autocorrelation(x, 1)))
		if len(x) < 2*minBatches {
			return max(nu, least)
		}
		sums := make([]float64, len(x)/2)
		for i := range sums {
			sums[i] = x[2*i] + x[2*i+1]
		}
		x = sums
	}
}

// lowFrequencies is how many of the frequencies pi j/n, j = 1, 2, ..., up to most,
// are as good as 0 for n samples with the lag-1 autocorrelation rho: the spectrum of
// an AR(1) process, f(w)/f(0) = (1-rho)^2/(1-2 rho cos w+rho^2), is over them on
// average at least 1-longRunBias. Half the standard error of rho is added to it,
// since much is lost where it is too low.
func lowFrequencies(n, most int, rho float64) int {
	rho = math.Min(rho+0.5/math.Sqrt(float64(n)), 0.99)
	if rho <= 0 {
		return most
	}
	sum := 0.0
	for j := 1; j <= most; j++ {
		w := math.Pi * float64(j) / float64(n)
		sum += (1 - rho) * (1 - rho) / (1 - 2*rho*math.Cos(w) + rho*rho)
		if sum < (1-longRunBias)*float64(j) {
			return j - 1
		}
	}
	return most
}

// studentBound returns the two-sided bound of Student's t of nu degrees.
func studentBound(nu int, level float64) float64 {
	return distuv.StudentsT{Sigma: 1, Nu: float64(nu)}.Quantile(1 - (1-level)/2)
}
