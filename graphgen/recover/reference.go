package recover

import (
	"math"
)

// attended is what attention should give: y [batch, rows, heads * head_dim], and the
// caches of keys and values with the new tokens behind.
type attended struct {
	y      []float64
	caches [2][]float64
}

// reference is causal attention with rotary positions, if there are any, as graphgen
// lowers it, for the queries, keys and values that a run's products stand for.
func (w *walker) reference(a *attention, r *run, p parts) (out attended, err error) {
	s := r.scene
	past, err := w.pasts(a, r)
	if err != nil {
		return out, err
	}
	length := past.length
	total := length + s.rows
	headDim := a.headDim
	each := s.batch * headDim // values for each head and position
	if len(p.q.Data) != each*a.heads*s.rows || len(p.k.Data) != each*a.kvHeads*s.rows || len(p.v.Data) != len(p.k.Data) || len(past.key) != each*a.kvHeads*length {
		return out, notDecoder("products give %v queries, %v keys and %v values for %d sequences of %d, behind %d values in a cache",
			p.q.Shape, p.k.Shape, p.v.Shape, s.batch, s.rows, len(past.key))
	}
	cache := func(old []float64, x []float64, turn bool) []float64 {
		out := make([]float64, 0, s.batch*a.kvHeads*total*headDim)
		for b := range s.batch {
			for h := range a.kvHeads {
				at := (b*a.kvHeads + h) * length * headDim
				out = append(out, old[at:at+length*headDim]...)
				for i := range s.rows {
					at := ((b*s.rows+i)*a.kvHeads + h) * headDim
					row := x[at : at+headDim]
					if turn {
						row = turned(row, a.freqs, s.position(b, i))
					}
					out = append(out, row...)
				}
			}
		}
		return out
	}
	out.caches = [2][]float64{cache(past.key, p.k.Data, true), cache(past.value, p.v.Data, false)}
	scale := 1 / math.Sqrt(float64(headDim))
	for b := range s.batch {
		for i := range s.rows {
			for h := range a.heads {
				at := ((b*s.rows+i)*a.heads + h) * headDim
				query := turned(p.q.Data[at:at+headDim], a.freqs, s.position(b, i))
				row := func(of, j int) []float64 {
					at := ((b*a.kvHeads+h*a.kvHeads/a.heads)*total + j) * headDim
					return out.caches[of][at : at+headDim]
				}
				y, sum := make([]float64, headDim), 0.0
				for j := range length + i + 1 {
					if s.mask(b, j) == 0 {
						continue
					}
					dot := 0.0
					for d, k := range row(0, j) {
						dot += query[d] * k
					}
					p := math.Exp(dot * scale)
					sum += p
					for d, v := range row(1, j) {
						y[d] += p * v
					}
				}
				for _, v := range y {
					out.y = append(out.y, v/sum)
				}
			}
		}
	}
	return out, nil
}

// past is what a run's caches hold.
type past struct {
	key, value []float64
	length     int
}

func (w *walker) pasts(a *attention, r *run) (past, error) {
	if a.key == "" {
		return past{}, nil
	}
	key, err := r.value(a.key)
	if err != nil {
		return past{}, err
	}
	if a.value == "" {
		half := len(key.Data) / 2
		return past{key.Data[:half], key.Data[half:], r.scene.past}, nil
	}
	value, err := r.value(a.value)
	if err != nil {
		return past{}, err
	}
	if len(value.Data) != len(key.Data) {
		return past{}, notDecoder("the caches %q and %q are %v and %v", a.key, a.value, key.Shape, value.Shape)
	}
	return past{key.Data, value.Data, r.scene.past}, nil
}

// turned is a head with its pairs (j, j + head_dim/2) turned by a position's angles.
func turned(x, freqs []float64, position int) []float64 {
	if freqs == nil {
		return x
	}
	out := make([]float64, len(x))
	half := len(freqs)
	for j, f := range freqs {
		sin, cos := math.Sincos(float64(position) * f)
		out[j], out[j+half] = x[j]*cos-x[j+half]*sin, x[j+half]*cos+x[j]*sin
	}
	return out
}
