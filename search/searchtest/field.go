package searchtest

import (
	"math"
	"math/rand/v2"

	"lathe/graphgen/arch"
)

// field is a smooth random function over the logarithms of a space's sizes: random
// Fourier features of a squared exponential (Rahimi and Recht 2007), with a length of
// one standard deviation of the space's points in each.
type field struct {
	scale  float64
	waves  [waves][4]float64
	phases [waves]float64
}

const waves = 96

// newField draws one; with a standard deviation of 0 it is 1 everywhere.
func newField(c *arch.Compiled, sd float64, rng *rand.Rand) *field {
	const sample = 1000
	var sum, square [4]float64
	for range sample {
		pt, err := c.Sample(rng)
		if err != nil {
			panic(err)
		}
		for j, v := range sizes(pt) {
			sum[j], square[j] = sum[j]+v, square[j]+v*v
		}
	}
	f := &field{scale: sd * math.Sqrt(2.0/waves)}
	for i := range f.waves {
		for j := range sum {
			mean := sum[j] / sample
			if v := square[j]/sample - mean*mean; v > 1e-12 {
				f.waves[i][j] = rng.NormFloat64() / math.Sqrt(v)
			}
		}
		f.phases[i] = 2 * math.Pi * rng.Float64()
	}
	return f
}

func sizes(pt arch.Point) [4]float64 {
	return [4]float64{
		math.Log(float64(pt.NLayer)), math.Log(float64(pt.DModel)), math.Log(float64(pt.DInner)), math.Log(float64(pt.NHead)),
	}
}

func (f *field) factor(pt arch.Point) float64 {
	if f.scale == 0 {
		return 1
	}
	x := sizes(pt)
	sum := 0.0
	for i := range f.waves {
		w := &f.waves[i]
		sum += math.Cos(w[0]*x[0] + w[1]*x[1] + w[2]*x[2] + w[3]*x[3] + f.phases[i])
	}
	return math.Exp(f.scale * sum)
}
