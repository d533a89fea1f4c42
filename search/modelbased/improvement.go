package modelbased

import (
	"math"

	"lathe/search/pareto"
)

// frame maps objectives that count to costs, the front's ideal point at 0 and its nadir
// at 1, as normalised hypervolumes do.
type frame struct {
	sign          []float64 // by kept
	kept          []int     // objectives that count
	ideal, extent []float64
}

// newFrame takes the front's values, at least one.
func newFrame(d pareto.Directions, front [][]float64) frame {
	var f frame
	for i, dir := range d {
		if dir == pareto.Ignore {
			continue
		}
		sign := 1.0
		if dir == pareto.Maximise {
			sign = -1
		}
		low, high := math.Inf(1), math.Inf(-1)
		for _, v := range front {
			low, high = min(low, sign*v[i]), max(high, sign*v[i])
		}
		w := high - low
		if w <= 0 {
			if w = math.Abs(low); w == 0 {
				w = 1
			}
		}
		f.kept, f.sign, f.ideal, f.extent = append(f.kept, i), append(f.sign, sign), append(f.ideal, low), append(f.extent, w)
	}
	return f
}

// costs appends a point's.
func (f *frame) costs(dst, values []float64) []float64 {
	for k, i := range f.kept {
		dst = append(dst, (f.sign[k]*values[i]-f.ideal[k])/f.extent[k])
	}
	return dst
}

// sds appends a point's standard deviations as costs have them.
func (f *frame) sds(dst, sd []float64) []float64 {
	for k, i := range f.kept {
		dst = append(dst, sd[i]/f.extent[k])
	}
	return dst
}

// far is beyond how many standard deviations a normal number's tail counts for nothing:
// 3e-7 of it lies there.
const far = 5

// over is E[(t - X)+] of a normal X: what it is expected to lie below t by.
func over(t, mean, sd float64) float64 {
	d := t - mean
	if sd <= 0 || math.Abs(d) > far*sd {
		return max(0, d)
	}
	z := d / sd
	return d*math.Erfc(-z/math.Sqrt2)/2 + sd*math.Exp(-z*z/2)/math.Sqrt(2*math.Pi)
}

// plane is a front of two costs, ascending in the first and descending in the second,
// bounded by the reference.
type plane struct{ a, b []float64 }

// expected is the expected hypervolume improvement of a point whose two costs are
// independent and normal: over the strips between the front's steps, the expected width
// that the point covers times the expected height by which it lies below the front there
// (the exact form, as Yang, Emmerich, Deutz and Back 2019 have it, with the sum arranged
// by strips). The step skip, if not negative, counts as not there.
func (f *plane) expected(mean, sd [2]float64, skip int) float64 {
	sum := 0.0
	reach := mean[0] - far*sd[0]
	below := 0.0 // the width covered up to the last strip's end
	// The first strip that the point can reach.
	i, j := 0, len(f.a)
	for i < j {
		if h := (i + j) / 2; f.a[h] <= reach {
			i = h + 1
		} else {
			j = h
		}
	}
	height := pareto.ReferenceMargin
	for k := i - 1; k >= 0; k-- {
		if k != skip {
			height = min(height, f.b[k])
			break
		}
	}
	for ; ; i++ {
		if i == skip {
			continue
		}
		if height < mean[1]-far*sd[1] {
			return sum
		}
		end := pareto.ReferenceMargin
		if i < len(f.a) {
			end = min(end, f.a[i])
		}
		width := over(end, mean[0], sd[0])
		sum += (width - below) * over(height, mean[1], sd[1])
		below = width
		if i >= len(f.a) {
			return sum
		}
		height = min(height, f.b[i])
	}
}
