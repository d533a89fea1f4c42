package nsga2

import "math"

// The paper's operators for real variables (Deb et al. 2002, section V): simulated
// binary crossover (Deb and Agrawal 1995) and polynomial mutation, in the bounded forms
// of the authors' program, whose children never leave the bounds. u is uniform in [0, 1).

// blend is simulated binary crossover of a < b within low and high: two children,
// symmetric about the parents' mean but for the bounds. The larger eta, the nearer each
// is to its parent: with 20 nine in ten lie within a tenth of the parents' distance.
func blend(a, b, low, high, eta, u float64) (float64, float64) {
	mean, half := (a+b)/2, (b-a)/2
	spread := func(room float64) float64 { // room: from the outer parent to its bound
		alpha := 2 - math.Pow(1+room/half, -(eta+1))
		if u <= 1/alpha {
			return math.Pow(u*alpha, 1/(eta+1))
		}
		return math.Pow(1/(2-u*alpha), 1/(eta+1))
	}
	return max(low, mean-half*spread(a-low)), min(high, mean+half*spread(high-b))
}

// jolt is polynomial mutation of x within low and high: by about 1/(eta+2) of the
// extent in the mean, either way.
func jolt(x, low, high, eta, u float64) float64 {
	extent := high - low
	if u < 0.5 {
		beyond := math.Pow(1-(x-low)/extent, eta+1)
		return max(low, x-extent*(1-math.Pow(2*u+(1-2*u)*beyond, 1/(eta+1))))
	}
	beyond := math.Pow(1-(high-x)/extent, eta+1)
	return min(high, x+extent*(1-math.Pow(2*(1-u)+(2*u-1)*beyond, 1/(eta+1))))
}
