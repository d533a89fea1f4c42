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

// add counts one quantized row.
func (s *errorSums) add(row []float32, data []byte, scales []float32, block int) {
	for b, scale := range scales {
		part := row[b*block : min((b+1)*block, len(row))]
		codes := data[b*block/2:]
		step := float64(scale)
		for i, x := range part {
			w := float64(x)
			v := float64(int(codes[i>>1]>>(4*(i&1))&15)-8) * step
			d := w - v
			s.ww, s.vv, s.wv, s.dd = s.ww+w*w, s.vv+v*v, s.wv+w*v, s.dd+d*d
			s.worst = max(s.worst, d, -d)
		}
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
