package weights

import "math"

// QuantError is how far a quantized weight is from what it was.
type QuantError struct {
	Weight string `json:"weight"`
	// Relative is the norm of the difference over the norm of the weight.
	Relative float64 `json:"relative"`
	// Cosine is that of the angle between the two.
	Cosine float64 `json:"cosine"`
	// MaxAbs is the largest difference of a value.
	MaxAbs float64 `json:"max_abs"`

	sums errorSums
}

// errorSums are sums over the values w of a weight and what they became, v.
type errorSums struct {
	ww, vv, wv, dd float64 // squares of both, products, squares of the differences
	worst          float64
}

// add counts one row that was quantized with these scales.
func (s *errorSums) add(row []float32, scales []float32, block int) {
	for b, scale := range scales {
		if scale == 0 {
			continue // of zeros, or of what is nothing beside float32's range
		}
		// In steps of the scale, values are at most 7, and sums over a block short
		// enough for float32.
		inverse := 1 / scale
		var xx, qq, xq, dd float32
		var worst uint32 // magnitudes compare as their bits do
		for _, w := range row[b*block : min((b+1)*block, len(row))] {
			x := w * inverse
			q := float32(float32(x)+magic) - magic // as quantizeBlock rounds
			d := x - q
			xx, qq, xq, dd = xx+x*x, qq+q*q, xq+x*q, dd+d*d
			worst = max(worst, math.Float32bits(d)&^(1<<31))
		}
		step := float64(scale)
		square := step * step
		s.ww, s.vv, s.wv, s.dd = s.ww+square*float64(xx), s.vv+square*float64(qq), s.wv+square*float64(xq), s.dd+square*float64(dd)
		s.worst = max(s.worst, step*float64(math.Float32frombits(worst)))
	}
}

// compare counts one row and what became of it.
func (s *errorSums) compare(row, back []float32) {
	for i, w := range row {
		x, v := float64(w), float64(back[i])
		d := v - x
		s.ww, s.vv, s.wv, s.dd = s.ww+x*x, s.vv+v*v, s.wv+x*v, s.dd+d*d
		s.worst = max(s.worst, math.Abs(d))
	}
}

func (s *errorSums) merge(o errorSums) {
	s.ww, s.vv, s.wv, s.dd = s.ww+o.ww, s.vv+o.vv, s.wv+o.wv, s.dd+o.dd
	s.worst = max(s.worst, o.worst)
}

func sumErrors(weight string, parts []errorSums) QuantError {
	var s errorSums
	for _, p := range parts {
		s.merge(p)
	}
	return s.quality(weight)
}

// quality of a weight of zeros is that of one without error.
func (s errorSums) quality(weight string) QuantError {
	e := QuantError{Weight: weight, Cosine: 1, MaxAbs: s.worst, sums: s}
	if s.ww > 0 {
		e.Relative = math.Sqrt(s.dd / s.ww)
	}
	if s.ww > 0 && s.vv > 0 {
		e.Cosine = s.wv / math.Sqrt(s.ww*s.vv)
	}
	return e
}

// Joined is the error of several weights taken as one, such as those of a layer.
func Joined(name string, errs ...QuantError) QuantError {
	parts := make([]errorSums, len(errs))
	for i, e := range errs {
		parts[i] = e.sums
	}
	return sumErrors(name, parts)
}
