package graphgen

import (
	"fmt"
	"math"

	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// rope is the rotary embedding (Su et al. 2021) of heads of one size. Hugging Face's
// order of dimensions is used: j and j + head_dim/2 are a pair.
type rope struct {
	// fused: [positions, head_dim/2], the tables of all positions.
	// portable: [batch, sequence, 1, head_dim], of the tokens at hand; the first
	// half of sin has the other sign, so that rotate adds in both halves.
	cos, sin *ir.Value
}

// maxTable bounds a table's bytes: a model file, which holds them, ends at 2 GB.
const maxTable = 256 << 20

// checkTables refuses more positions than tables can be made for.
func checkTables(s arch.Spec) error {
	for i := range s.Layers {
		if n := int64(s.Positions) * int64(s.HeadDimOf(i)) * 4; n > maxTable {
			return fmt.Errorf("graphgen: %s: layer %d: positions %d of head_dim %d make a table of %d MB for the rotary embedding: at most %d MB are taken, use fewer positions",
				s.Name(), i, s.Positions, s.HeadDimOf(i), n>>20, maxTable>>20)
		}
	}
	return nil
}

// rotaryInputs makes the tables of every head size.
func (l *lowering) rotaryInputs() {
	l.ropes = map[int64]rope{}
	for i := range l.spec.Layers {
		headDim := int64(l.spec.HeadDimOf(i))
		if _, ok := l.ropes[headDim]; ok {
			continue
		}
		cos, sin := rotaryTables(l.spec, int(headDim), !l.fused)
		n := int64(l.spec.Positions)
		cosName, sinName := fmt.Sprintf("rotary_%d_cos", headDim), fmt.Sprintf("rotary_%d_sin", headDim)
		if l.fused {
			l.ropes[headDim] = rope{l.Floats(l.float, cosName, cos, n, headDim/2), l.Floats(l.float, sinName, sin, n, headDim/2)}
			continue
		}
		l.ropes[headDim] = rope{
			l.Gather(l.Floats(l.float, cosName, cos, n, 1, headDim), l.positions),
			l.Gather(l.Floats(l.float, sinName, sin, n, 1, headDim), l.positions),
		}
	}
}

// rotaryTables are the cosines and sines of every position's angles, a row each;
// whole gives both halves of a row, the first with negative sines.
//
// The angle is rounded to float32 before its cosine is taken, as the published
// models' code does: at thousands of positions that is a difference of 1e-4. (To
// float16 it would be one of whole turns: only cosines and sines are.)
func rotaryTables(s arch.Spec, headDim int, whole bool) (cos, sin []float32) {
	freqs := s.RopeFrequencies(headDim)
	half := len(freqs)
	width := half
	if whole {
		width = headDim
	}
	cos, sin = make([]float32, s.Positions*width), make([]float32, s.Positions*width)
	for p := range s.Positions {
		for j, f := range freqs {
			sn, cs := math.Sincos(float64(float32(p) * f))
			at := p*width + j
			cos[at], sin[at] = float32(cs), float32(sn)
			if whole {
				cos[at+half], sin[at+half] = float32(cs), float32(sn)
				sin[at] = float32(-sn)
			}
		}
	}
	return cos, sin
}

// rotate turns every head of x [batch, sequence, heads, head_dim].
func (l *lowering) rotate(x *ir.Value, r rope) *ir.Value {
	halves := l.Split(x, 2)
	swapped := l.Concat(3, x.Shape[3], halves[1], halves[0])
	return l.Add(l.Mul(x, r.cos), l.Mul(swapped, r.sin))
}
