package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	gstat "gonum.org/v1/gonum/stat"
)

// Mean returns the arithmetic mean, NaN of no samples.
func Mean(x []float64) float64 { return gstat.Mean(x, nil) }

// StdDev returns the sample standard deviation (n-1 in the denominator), NaN
// under two samples.
func StdDev(x []float64) float64 {
	if len(x) < 2 {
		return math.NaN()
	}
	return gstat.StdDev(x, nil)
}

// CV returns the coefficient of variation, StdDev over Mean, a fraction.
func CV(x []float64) float64 { return StdDev(x) / Mean(x) }

// MAD returns the median absolute deviation from the median. It is not scaled;
// times 1.4826 it estimates the standard deviation of normal samples.
func MAD(x []float64) float64 {
	m := Median(x)
	dev := make([]float64, len(x))
	for i, v := range x {
		dev[i] = math.Abs(v - m)
	}
	return Median(dev)
}

// Autocorrelation returns the sample autocorrelation at the lag, in -1..1: the
// autocovariance over all n terms divided by the variance. It is 0 where it means
// nothing: a lag outside 1..n-1 or samples that are all equal. Of independent
// samples it lies within 1.96/sqrt(n) of zero about 95 times in 100.
func Autocorrelation(x []float64, lag int) float64 {
	if lag < 1 || lag >= len(x) {
		return 0
	}
	d := slices.Clone(x)
	floats.AddConst(-Mean(x), d)
	c0 := floats.Dot(d, d)
	if c0 == 0 {
		return 0
	}
	return floats.Dot(d[:len(d)-lag], d[lag:]) / c0
}
