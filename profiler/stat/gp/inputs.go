package gp

import (
	"math"
)

// LogNormal is a prior of a positive number: normal in its logarithm.
type LogNormal struct{ Median, SD float64 }

// add adds the negative log density and its derivative at the logarithm of a value.
func (l LogNormal) add(log float64, value, grad *float64) {
	z := (log - math.Log(l.Median)) / l.SD
	*value += z * z / 2
	*grad += z / l.SD
}

// Prior is what is plausible of a process's parameters.
type Prior struct {
	Amplitude LogNormal // in the unit of the values
	Nugget    LogNormal // likewise
	Length    LogNormal // in standard deviations of the points, in each dimension alike
}

// Inputs are points at which values are known, and what fits of some of them share.
type Inputs struct {
	prior  Prior
	points [][]float64
	used   []int       // dimensions in which the points differ
	rates  []LogNormal // priors of inverse lengths, by used
	square [][]float64 // squared differences of points i and k at [i*n+k], by used
	trend  [][]float64 // by point; nil: none
}

// same is the standard deviation under which points do not differ in a dimension:
// rounding, for logarithms of sizes.
const same = 1e-9

// New takes at least one point; all have as many dimensions. The points are kept.
func New(points [][]float64, prior Prior) *Inputs {
	s := &Inputs{prior: prior, points: points}
	n := float64(len(points))
	for j := range points[0] {
		var mean, sd float64
		for _, p := range points {
			mean += p[j] / n
		}
		for _, p := range points {
			sd += (p[j] - mean) * (p[j] - mean) / n
		}
		if sd = math.Sqrt(sd); sd < same {
			continue
		}
		sq := make([]float64, 0, len(points)*len(points))
		for _, a := range points {
			for _, b := range points {
				sq = append(sq, (a[j]-b[j])*(a[j]-b[j]))
			}
		}
		s.used, s.square = append(s.used, j), append(s.square, sq)
		s.rates = append(s.rates, LogNormal{1 / (prior.Length.Median * sd), prior.Length.SD})
	}
	return s
}

// WithTrend adds a linear function to the process, with coefficients that are
// unknown: row i is the values of its terms at point i, each times the standard
// deviation of its coefficient a priori. Great ones leave the coefficients to the
// data (Rasmussen and Williams 2006, section 2.7).
func (s *Inputs) WithTrend(rows [][]float64) *Inputs {
	out := *s
	out.trend = rows
	return &out
}

// Dims is in how many dimensions the points differ.
func (s *Inputs) Dims() int { return len(s.used) }
