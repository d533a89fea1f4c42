// Package weights provides the bytes of a graph's parameters: from the shared
// pool that every timed candidate maps (see [Pool]), or drawn at random as the
// model's family initialises them (see [Random]); and it writes a graph with its
// weights as an ONNX file with external data (see [Write]).
//
// Matrices are external data, 4096-byte aligned so that they can be mapped;
// vectors (biases and norms) are stored in the model file. The rule is the same
// for what is timed and for what is written.
package weights

import (
	"context"
	"fmt"
	"io"

	"lathe/graphgen/ir"
)

// Align is the alignment of external tensors: a memory page, so that each can be
// mapped on its own.
const Align = 4096

func alignUp(n int64) int64 { return (n + Align - 1) / Align * Align }

// Source writes the bytes of parameters.
type Source interface {
	// WriteParam writes exactly p.Bytes() bytes, little-endian.
	WriteParam(ctx context.Context, w io.Writer, p *ir.Param) error
	// Hash identifies the values of all parameters: equal hashes and equal
	// graphs mean equal weights.
	Hash() string
}

// external says whether a parameter's bytes are kept outside the model file. The scales
// of columns are vectors too, and are.
func external(p *ir.Param) bool { return len(p.Shape) > 1 || p.Quant != nil }

// vector is the bytes of a parameter of constant value.
func vector(p *ir.Param) ([]byte, error) {
	t, ok := floatTypeOf(p.Type)
	n, _ := p.Shape.Elements()
	vals := make([]float32, n)
	switch {
	case !ok:
		return nil, fmt.Errorf("weights: parameter %s is a vector of %v, not of floats", p.Name, p.Type)
	case p.Init.Kind == ir.Ones:
		for i := range vals {
			vals[i] = 1
		}
	case p.Init.Kind == ir.Normal:
		return nil, fmt.Errorf("weights: parameter %s is a vector that starts at random; only matrices do", p.Name)
	}
	b, _ := t.append(nil, vals)
	return b, nil
}
