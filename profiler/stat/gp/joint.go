package gp

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Joint is what a fitted process knows of several points together, and would know after
// observations that are yet to be made: those change its means by what they turn out to
// be, and its variances by their being made at all. It is not safe for concurrent use.
type Joint struct {
	f        *Fitted
	x, trend [][]float64
	// solved is, by point, the lower Cholesky factor's inverse times the covariances
	// with what was observed. Each further observation adds a row to the factor, and so
	// an element to each of these.
	solved   [][]float64
	variance []float64
}

// Joint takes points, and the trend's terms at each as in Predict. Both are kept. It
// panics where there is no process.
func (f *Fitted) Joint(x, trend [][]float64) *Joint {
	n := len(f.at.in)
	var lower mat.TriDense
	f.at.chol.LTo(&lower)
	l := lower.RawTriangular()
	j := &Joint{f: f, x: x, trend: trend, solved: make([][]float64, len(x)), variance: make([]float64, len(x))}
	slab := make([]float64, n*len(x))
	for i := range x {
		v := slab[i*n : (i+1)*n : (i+1)*n]
		for row, k := range f.at.in {
			c := f.covariance(x[i], f.at.s.points[k])
			if f.at.s.trend != nil {
				c += floats.Dot(trend[i], f.at.s.trend[k])
			}
			v[row] = (c - floats.Dot(l.Data[row*l.Stride:row*l.Stride+row], v[:row])) / l.Data[row*l.Stride+row]
		}
		j.solved[i], j.variance[i] = v, max(0, j.prior(i, i)-floats.Dot(v, v))
	}
	return j
}

// covariance is the process's own, without trend and noise.
func (f *Fitted) covariance(a, b []float64) float64 {
	d2 := 0.0
	for j, r := range f.Process.Rates {
		d := r * (a[j] - b[j])
		d2 += d * d
	}
	return f.Process.Amplitude * f.Process.Amplitude * math.Exp(-d2/2)
}

// prior is the covariance of points i and k before anything was observed.
func (j *Joint) prior(i, k int) float64 {
	c := j.f.covariance(j.x[i], j.x[k])
	if j.f.at.s.trend != nil {
		c += floats.Dot(j.trend[i], j.trend[k])
	}
	return c
}

// SD is the standard deviation of the function at point i, noise left out.
func (j *Joint) SD(i int) float64 { return math.Sqrt(j.variance[i]) }

// Covariance is that of the function at points i and k.
func (j *Joint) Covariance(i, k int) float64 {
	if i == k {
		return j.variance[i]
	}
	return j.prior(i, k) - floats.Dot(j.solved[i], j.solved[k])
}

// Observe conditions on an observation of point i whose noise has the given variance,
// the process's own included: variances fall. Where nothing is known of what will be
// seen, the mean is what it was (Ginsbourger, Le Riche and Carraro 2010: the kriging
// believer).
func (j *Joint) Observe(i int, noise float64) {
	total := j.variance[i] + noise
	if !(total > 0) {
		return // known already
	}
	at := j.solved[i]
	sd := math.Sqrt(total)
	more := make([]float64, len(j.x))
	for k := range j.x {
		more[k] = (j.prior(i, k) - floats.Dot(at, j.solved[k])) / sd
	}
	for k, c := range more {
		j.solved[k] = append(j.solved[k], c)
		j.variance[k] = max(0, j.variance[k]-c*c)
	}
}

// Spread is the standard deviation of a weighted sum of the function at the points.
func (j *Joint) Spread(weights []float64) float64 {
	sum := 0.0
	for i, w := range weights {
		if w == 0 {
			continue
		}
		sum += w * w * j.variance[i]
		for k := range i {
			if weights[k] != 0 {
				sum += 2 * w * weights[k] * j.Covariance(i, k)
			}
		}
	}
	return math.Sqrt(max(0, sum))
}
