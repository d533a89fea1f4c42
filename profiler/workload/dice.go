package workload

import (
	"math"
	"math/rand/v2"
)

// dice draws from distributions, by inversion or counting, of nothing but Uint64.
type dice struct{ rng *rand.Rand }

// uniform is in (0, 1), both ends left out.
func (d dice) uniform() float64 { return (float64(d.rng.Uint64()>>11) + 0.5) / (1 << 53) }

// normal is of mean 0 and variance 1.
func (d dice) normal() float64 { return math.Sqrt2 * math.Erfinv(2*d.uniform()-1) }

// happens is true with probability p. Where p is 0 it draws nothing, so that an
// option that is not used changes no other.
func (d dice) happens(p float64) bool { return p > 0 && d.uniform() < p }

// suggestion is a geometric number of tokens, held within most.
func (d dice) suggestion(stop float64, most int) int {
	n := 1
	for n < most && d.uniform() >= stop {
		n++
	}
	return n
}

// poisson counts uniform draws until their product falls below exp(-mean) (Knuth,
// "Seminumerical Algorithms", 3.4.1): fine for the small means used here.
func (d dice) poisson(mean float64) int {
	n, product, limit := 0, d.uniform(), math.Exp(-mean)
	for product > limit {
		n++
		product *= d.uniform()
	}
	return n
}

// below is 0 to n-1, each alike but for n in 2^53.
func (d dice) below(n int) int { return int(d.uniform() * float64(n)) }
