package surrogate

import "math"

// adam is Adam (Kingma and Ba 2015, Algorithm 1) with its published constants.
type adam struct {
	t    int
	m, v []float64
}

func newAdam(n int) *adam { return &adam{m: make([]float64, n), v: make([]float64, n)} }

// step moves theta against a gradient.
func (a *adam) step(theta, gradient []float64, rate float64) {
	const beta1, beta2, epsilon = 0.9, 0.999, 1e-8
	a.t++
	c1 := 1 - math.Pow(beta1, float64(a.t))
	c2 := 1 - math.Pow(beta2, float64(a.t))
	for i, g := range gradient {
		a.m[i] = beta1*a.m[i] + (1-beta1)*g
		a.v[i] = beta2*a.v[i] + (1-beta2)*g*g
		theta[i] -= rate * (a.m[i] / c1) / (math.Sqrt(a.v[i]/c2) + epsilon)
	}
}
