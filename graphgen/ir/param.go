package ir

import "fmt"

// InitKind says how a parameter is initialised where training starts from
// nothing, and what values stand in for it where only its cost matters.
type InitKind uint8

// The kinds of initialisation.
const (
	Zeros   InitKind = iota
	Ones             // gains of normalisations
	Normal           // mean 0, standard deviation Init.Std
	Uniform          // between -Init.Bound and Init.Bound
)

// Init is a parameter's initial distribution.
type Init struct {
	Kind  InitKind
	Std   float32 // of Normal
	Bound float32 // of Uniform
}

func (i Init) String() string {
	switch i.Kind {
	case Ones:
		return "ones"
	case Normal:
		return fmt.Sprintf("normal(%.4g)", i.Std)
	case Uniform:
		return fmt.Sprintf("uniform(%.4g)", i.Bound)
	}
	return "zeros"
}

// Part is one of the published tensors that a parameter is stacked from, under the
// name that Hugging Face gives it.
type Part struct {
	Name string
	Rows int64 // of its first dimension; the others are the parameter's
}

// Param is a trained tensor. Its shape is fixed; where its bytes are is decided
// by the [Placer] when the graph is encoded.
//
// A matrix of a linear layer that is published as [N, K] (one row for each output, as
// PyTorch has them) is kept so where the operator takes it so: its bytes are then
// those of its parts, one after the other.
type Param struct {
	*Value
	Init  Init
	Quant *Quant // nil for a tensor stored as it is
	// Parts are the published tensors that are stacked to this one, or to the weight
	// that Quant is of: queries, keys and values are one product. None: it is published
	// under its own name (Quant.Weight for a quantized one).
	Parts []Part
	// Turned: this matrix is [K, N], what is published is [N, K]. A quantized one has
	// Quant.Transposed instead, which says how the weight is published.
	Turned bool
}

// Published are the tensors that the parameter's values come from, in order, each
// with its number of rows.
func (p *Param) Published() []Part {
	switch {
	case len(p.Parts) > 0:
		return p.Parts
	case p.Quant != nil && p.Quant.Transposed:
		return []Part{{p.Quant.Weight, p.Quant.N}}
	case p.Quant != nil:
		return []Part{{p.Quant.Weight, p.Quant.K}}
	case len(p.Shape) == 0:
		return []Part{{p.Name, 1}}
	case p.Turned:
		return []Part{{p.Name, p.Shape[1].N}}
	case len(p.Shape) > 2:
		return []Part{{p.Name, p.Rows()}}
	}
	return []Part{{p.Name, p.Shape[0].N}}
}

// Rows is how many rows the parameter has that is seen as a matrix whose columns are
// the last dimension.
func (p *Param) Rows() int64 {
	n, _ := p.Shape[:max(0, len(p.Shape)-1)].Elements()
	return n
}

// Bytes is the parameter's size.
func (p *Param) Bytes() int64 {
	n, _ := p.Shape.Elements()
	return n * p.Type.Size()
}
