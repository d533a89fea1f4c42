package stat

import (
	"fmt"
	"math"
	"sync"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat/distuv"
)

// Spending says how much of the two-sided error alpha may be spent by the time
// that a share of the budget, 0 to 1, is used: it grows with the share, and gives
// alpha at 1.
type Spending func(alpha, share float64) float64

// SpendPower is alpha share^rho (Kim and DeMets, 1987). rho 1 is near Pocock's
// constant bounds for looks at equal distances, rho 3 near O'Brien and Fleming's;
// under 1 early looks get the most, which suits looks at shares that double.
func SpendPower(rho float64) Spending {
	return func(alpha, share float64) float64 { return alpha * math.Pow(share, rho) }
}

// Sequential is a group-sequential bound: what an interval's level has to be at
// each of several looks at growing samples, so that with probability of at least
// its level none of the looks' intervals fails. Error is spent as Lan and DeMets
// have it ("Discrete sequential boundaries for clinical trials", 1983): neither
// the number of looks nor their times are fixed before, but they must not depend
// on what the samples say; a share of a budget does not.
//
// It is a value: Look returns the state after a look and leaves the one before as
// it was, so that a look can be tried first. The zero value is not usable; see
// NewSequential.
type Sequential struct {
	level float64
	spend Spending
	looks int
	spent float64
	// The standardised sum as a Brownian motion at time t, on the paths that have
	// not crossed: density times quadrature weight at each node.
	t      float64
	nodes  []float64
	masses []float64
}

// NewSequential returns the bound before its first look. level 0 stands for
// DefaultLevel.
func NewSequential(level float64, spend Spending) Sequential {
	return Sequential{level: checkLevel(level), spend: spend, nodes: []float64{0}, masses: []float64{1}}
}

// maxBound is where a normal tail is 1e-15: a look that may spend less than that
// decides nothing.
const maxBound = 8

// Look takes the next look. share is that of the budget, in (0, 1], by which error
// is spent; information is what the look rests on in any unit, as the number of
// samples. Neither may fall; information must grow. z is the bound of the
// standardised statistic: the interval at this look is the usual one at
// NominalLevel.
func (s Sequential) Look(share, information float64) (next Sequential, z float64) {
	if !(share > 0 && share <= 1) || !(information > s.t) || math.IsInf(information, 1) {
		panic(fmt.Sprintf("stat: look at share %v and information %v after %v: want a share in (0, 1] and more information", share, information, s.t))
	}
	alpha := 1 - s.level
	may := math.Max(0, s.spend(alpha, share)-s.spent)
	root, step := math.Sqrt(information), math.Sqrt(information-s.t)
	// cross is the probability to be outside z at this look, having been inside
	// at all before.
	cross := func(z float64) (p float64) {
		for i, x := range s.nodes {
			p += s.masses[i] * (normal.CDF((-z*root-x)/step) + normal.CDF((x-z*root)/step))
		}
		return p
	}
	z = maxBound
	if cross(maxBound) < may {
		low, high := 0.0, float64(maxBound)
		for high-low > 1e-10 {
			if mid := (low + high) / 2; cross(mid) > may {
				low = mid
			} else {
				high = mid
			}
		}
		z = high
	}
	next = Sequential{level: s.level, spend: s.spend, looks: s.looks + 1, spent: s.spent + may, t: information}
	unit := legendre()
	next.nodes, next.masses = make([]float64, quadNodes), make([]float64, quadNodes)
	for j := range next.nodes {
		y := z * root * unit.x[j]
		sum := 0.0
		for i, x := range s.nodes {
			d := (y - x) / step
			sum += s.masses[i] * math.Exp(-d*d/2)
		}
		next.nodes[j] = y
		next.masses[j] = sum * unit.w[j] * z * root / (step * math.Sqrt(2*math.Pi))
	}
	return next, z
}

// NominalLevel returns the two-sided level of an interval whose bound is z, never
// less than that of the sequence.
func (s Sequential) NominalLevel(z float64) float64 {
	return math.Max(s.level, math.Erf(z/math.Sqrt2))
}

// Level returns the level that holds over all looks.
func (s Sequential) Level() float64 { return s.level }

// Looks returns how many there were.
func (s Sequential) Looks() int { return s.looks }

// Information returns that of the last look, 0 before the first.
func (s Sequential) Information() float64 { return s.t }

// quadNodes of Gauss and Legendre's rule hold the density between the bounds. The
// next look's kernel is sqrt(1-t/t') wide in units of the look's spread, and the
// nodes are about 8/quadNodes apart: exact to 1e-8 where information grows by a
// twentieth or more.
const quadNodes = 96

type rule struct{ x, w []float64 }

var legendre = sync.OnceValue(func() rule {
	r := rule{make([]float64, quadNodes), make([]float64, quadNodes)}
	quad.Legendre{}.FixedLocations(r.x, r.w, -1, 1)
	return r
})

var normal = distuv.UnitNormal
