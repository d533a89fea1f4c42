package finetune

import (
	"fmt"
	"slices"

	"lathe/graphgen/ir"
	"lathe/runtime/ort"
)

// slab is how many values the optimizer updates at once, so that all it reads and writes
// meanwhile stays in a core's second cache: 128 KB each of parameters, gradients and both
// moments, and about as much again of intermediate results.
const slab = 32 << 10

// lane is what every tensor's place is rounded up to: 64 bytes, a cache line and an
// AVX-512 vector.
const lane = 16

// layout is where parameters lie in a buffer of all of them. Their gradients and moments
// lie in the same places of buffers of their own. Those that are decayed come first, and
// both kinds end at a multiple of slab, so that the optimizer sees rows of slab values;
// what lies between tensors is zero and stays so.
type layout struct {
	places  []place // in the graph's order
	decayed int     // values, with what lies between
	size    int     // of the buffer
}

type place struct {
	param *ir.Param
	first int // in the buffer
	n     int
}

func newLayout(params []*ir.Param) layout {
	l := layout{places: make([]place, len(params))}
	order := make([]int, len(params))
	for i, p := range params {
		n, _ := p.Shape.Elements()
		l.places[i] = place{param: p, n: int(n)}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch da, db := decays(params[a]), decays(params[b]); {
		case da == db:
			return 0
		case da:
			return -1
		}
		return 1
	})
	roundUp := func(n, to int) int { return (n + to - 1) / to * to }
	for k, i := range order {
		if k > 0 && decays(params[order[k-1]]) && !decays(params[i]) {
			l.size = roundUp(l.size, slab)
			l.decayed = l.size
		}
		l.places[i].first = l.size
		l.size = roundUp(l.size+l.places[i].n, lane)
	}
	l.size = roundUp(l.size, slab)
	if l.decayed == 0 && len(params) > 0 && decays(params[order[0]]) {
		l.decayed = l.size
	}
	return l
}

// decays reports whether a parameter is a matrix. A recurrent layer's biases, [1, n], are
// none.
func decays(p *ir.Param) bool {
	dims := 0
	for _, d := range p.Shape {
		if d.N > 1 {
			dims++
		}
	}
	return dims > 1
}

// tensors are views of buf, one for each parameter.
func (l layout) tensors(buf *ort.Buffer) ([]*ort.Tensor, error) {
	var out []*ort.Tensor
	for _, p := range l.places {
		t, err := buf.ViewAt(p.first, dims(p.param.Shape)...)
		if err != nil {
			closeAll(out)
			return nil, fmt.Errorf("finetune: parameter %s: %w", p.param.Name, err)
		}
		out = append(out, t)
	}
	return out, nil
}

func dims(s ir.Shape) []int64 {
	out := make([]int64, len(s))
	for i, d := range s {
		out[i] = d.N
	}
	return out
}

func closeAll(ts []*ort.Tensor) {
	for _, t := range ts {
		t.Close()
	}
}
