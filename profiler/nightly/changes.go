package nightly

import (
	"math"

	"lathe/profiler/stat"
)

// Level shifts in a history.

// Point is a night's mean of a series.
type Point struct {
	Log float64 // of the ratio to the baseline
	Var float64 // of Log, from night to night too
}

// Change is a place where a series changed its level.
type Change struct {
	At     int     // index of the first point of the new level
	Before float64 // mean ratio of the level before
	After  float64
}

// minSegment is the fewest nights of a level: one night that is off is none.
const minSegment = 3

// penalty is what a change must explain, as a weighted sum of squares, in a series of n
// nights. It is 2 log n, as two parameters have it in Schwarz's criterion, and a constant that
// was chosen by simulation: of series of 30 to 1,000 nights without a change, at most 1 in 100
// shows one (TestChangesAreRareWithoutOne).
func penalty(n int) float64 { return 2*math.Log(float64(max(n, 2))) + changePrice }

const changePrice = 4

// Changes are the levels' borders of the series whose weighted sum of squares about its
// levels, with a penalty for each, is the least (Jackson et al., "An algorithm for optimal
// partitioning of data on an interval", 2005). The points' variances are taken as they are
// where neighbours differ by no more than they say, and else scaled.
//
// Note: PELT's pruning was left out: it is for series of many thousands, and with levels of
// a least length it is no longer exact. 3,000 nights take some tens of milliseconds.
func Changes(points []Point) []Change {
	n := len(points)
	if n < 2*minSegment {
		return nil
	}
	sums := sumsOf(points)
	price := penalty(n)
	best, last := make([]float64, n+1), make([]int, n+1)
	for i := range best {
		best[i] = math.Inf(1)
	}
	best[0] = -price
	for to := minSegment; to <= n; to++ {
		for from := 0; from <= to-minSegment; from++ {
			if c := best[from] + sums.cost(from, to) + price; c < best[to] {
				best[to], last[to] = c, from
			}
		}
	}
	var borders []int
	for to := n; to > 0; to = last[to] {
		borders = append(borders, to)
	}
	borders = append(borders, 0)
	var out []Change
	for i := len(borders) - 2; i > 0; i-- {
		from, at, to := borders[i+1], borders[i], borders[i-1]
		out = append(out, Change{at, sums.level(from, at), sums.level(at, to)})
	}
	return out
}

// MeanLevel is the mean ratio of a series whose level does not change, as that of Change is.
func MeanLevel(points []Point) float64 {
	if len(points) == 0 {
		return math.NaN()
	}
	return sumsOf(points).level(0, len(points))
}

// sums are those up to each point of weights, of weighted values and squares.
type sums struct {
	w, wx, wxx []float64
	zero       float64 // what values are less by: else the squares' sums lose digits
}

func sumsOf(points []Point) sums {
	n := len(points)
	s := sums{make([]float64, n+1), make([]float64, n+1), make([]float64, n+1), points[0].Log}
	scale := noise(points)
	for i, p := range points {
		k := 1 / (p.Var * scale)
		x := tame(points, i, scale) - s.zero
		s.w[i+1], s.wx[i+1], s.wxx[i+1] = s.w[i]+k, s.wx[i]+k*x, s.wxx[i]+k*x*x
	}
	return s
}

func (s sums) cost(from, to int) float64 {
	d := s.wx[to] - s.wx[from]
	return s.wxx[to] - s.wxx[from] - d*d/(s.w[to]-s.w[from])
}

func (s sums) level(from, to int) float64 {
	return math.Exp(s.zero + (s.wx[to]-s.wx[from])/(s.w[to]-s.w[from]))
}

// noise is by how much the points' variances must be multiplied for the middle one of the
// differences between neighbours to be what it is of normal ones; 1 at least.
func noise(points []Point) float64 {
	if len(points) < 2 {
		return 1
	}
	diffs := make([]float64, len(points)-1)
	for i := range diffs {
		a, b := points[i], points[i+1]
		diffs[i] = math.Abs(b.Log-a.Log) / math.Sqrt(a.Var+b.Var)
	}
	const normal = 0.6745 // the median of the absolute value of a standard normal number
	m := stat.Median(diffs) / normal
	return max(1, m*m)
}

// tame is a point's value, held to within three deviations of the median of it and its two
// neighbours on either side: a night that is off by ten deviations would else make a level
// of itself and its neighbours. Where the level changes, most of the five are on the
// point's own side, so that it stays.
func tame(points []Point, i int, scale float64) float64 {
	var near []float64
	for k := max(0, i-2); k < min(len(points), i+3); k++ {
		near = append(near, points[k].Log)
	}
	m, far := stat.Median(near), 3*math.Sqrt(points[i].Var*scale)
	return min(max(points[i].Log, m-far), m+far)
}
