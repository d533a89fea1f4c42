package latmodel

import "lathe/graphgen/arch"

// cell is what a recurrent layer has in place of attention and MLP.
type cell struct {
	gates, states float64 // 4 and 2 of an LSTM, 3 and 1 of a GRU; 0: the layer is none
	in, hidden    float64
	projects      bool // a linear layer to d_model follows
	branch        bool // of the residual stream, in a mixed model: a norm before it, and transposed around
}

func (c cell) rows() float64 { return c.gates * c.hidden }

// Numbers of operators, as graphgen emits them.
const (
	// The operator, and its output with a dimension less. Each state gets a dimension
	// more before it, and one less after.
	cellOps  = 1 + 1
	stateOps = 2
	// With quantized weights: both biases, apart (3), the product with the input, and
	// the Scan, with 14 in its body for each token: of an LSTM the product, the sum, two
	// splits, sigmoid, two tanh, three products and a sum, two choices, a copy; of a GRU
	// the product, three splits, sigmoid, tanh, two products, three sums, a difference, a
	// choice, a copy.
	scanOps, bodyOps = 3 + 1 + 1, 14
	// Once: which tokens are real.
	realOps = 8
	// Of a branch: a norm (three with standard operators), transposed before and after,
	// and the projection.
	fusedBranchOps, portableBranchOps = 1 + 2 + 1, 3 + 2 + 1
	// New tokens of a row, from the positions.
	newTokensOps = 5
	// A stack: token ids transposed, the embedding, 7 for new tokens from the mask; after
	// the last layer 3 for the wanted row, which is transposed back; the head.
	stackOutsideOps = 2 + 7 + 3 + 1 + 1
)

// cellOps is a recurrent layer's number of operators.
func (g *geometry) cellOps(l layer) (n float64) {
	if g.linear.bits == 0 {
		n = cellOps + stateOps*l.cell.states
	} else {
		n = scanOps + bodyOps*g.rows
	}
	switch {
	case l.cell.branch && g.fused:
		n += fusedBranchOps
	case l.cell.branch:
		n += portableBranchOps
	case l.cell.projects:
		n++
		if g.linear.bits == 0 {
			n++ // its bias
		}
	}
	return n
}

// recurrentOutsideOps is what surrounds the layers of a stack, and what a mixed model
// has there beside GPT-2's.
func (g *geometry) recurrentOutsideOps(o outside) (n float64) {
	if o.stack {
		n = stackOutsideOps
		if g.head.bits == 0 && !g.fused {
			n++ // the head's matrix, transposed
		}
	} else {
		n = newTokensOps
	}
	if g.linear.bits != 0 {
		n += realOps
	}
	return n
}

// sequentialBytes is a recurrent layer's matrix for the state: each token needs the one
// before, so every token reads it anew.
func (g *geometry) sequentialBytes(l layer) float64 {
	return g.linear.bytes(l.cell.hidden, l.cell.rows())
}

// sequential is that for all tokens.
func (g *geometry) sequential(l layer) float64 { return g.rows * g.sequentialBytes(l) }

// stateCache is how many bytes of a state's matrix stay in the cache from one token to the
// next, and are read from memory if there are more.
//
// Measured with two layers of LSTM or GRU in fp32, prompts of 64 tokens, one thread of a
// processor with 32 MiB of shared last-level cache: matrices of 2 to 13 MB are read at 57
// to 68 GB/s, of 17 MB at 45, of 20 MB at 37, of 26 MB at 32, which is what memory gives
// one thread there. Read in a circle, a cache loses what it is about to need, so that what
// is missed grows twice as fast as what does not fit.
const stateCache = 13e6

// uncached is what of sequential comes from memory.
func (g *geometry) uncached(l layer) float64 {
	size := g.sequentialBytes(l)
	return g.rows * max(0, min(size, 2*(size-stateCache)))
}

// gateElements is the elements that pass through a cell's sigmoid and tanh: its gates,
// and the tanh of an LSTM's c.
func (g *geometry) gateElements(l layer) float64 {
	return g.rows * l.cell.hidden * (l.cell.gates + l.cell.states - 1)
}

// cellBytes is a recurrent layer's parameters: matrices as they are stored, two biases a
// gate, and of a branch the norm.
func (g *geometry) cellBytes(l layer) float64 {
	n := g.linear.bytes(l.cell.in, l.cell.rows()) + g.sequentialBytes(l) + g.float*2*l.cell.rows()
	if l.cell.projects {
		n += g.projectionBytes(l) + g.float*l.dModel
	}
	if l.cell.branch {
		n += g.float * 2 * l.dModel
	}
	return n
}

// projectionBytes is the matrix back to d_model, 0 where there is none.
func (g *geometry) projectionBytes(l layer) float64 {
	if !l.cell.projects {
		return 0
	}
	return g.linear.bytes(l.cell.hidden, l.dModel)
}

// cellFlops is 2 for each multiply-add of the products with many rows: that with the
// state is none of them.
func (g *geometry) cellFlops(l layer) float64 {
	flops := g.rows * l.cell.in * l.cell.rows()
	if l.cell.projects {
		flops += g.tailRows(l) * l.cell.hidden * l.dModel
	}
	return 2 * flops
}

// cellSplitFlops is the part of cellFlops that is with weights in split rows.
func (g *geometry) cellSplitFlops(l layer) (flops float64) {
	if g.linear.split(l.cell.in) {
		flops += g.rows * l.cell.in * l.cell.rows()
	}
	if l.cell.projects && g.linear.split(l.cell.hidden) {
		flops += g.tailRows(l) * l.cell.hidden * l.dModel
	}
	return 2 * flops
}

func (g *geometry) cellSplitOutputs(l layer) float64 {
	n := g.linear.splitOutputs(l.cell.in, l.cell.rows()) + g.linear.splitOutputs(l.cell.hidden, l.cell.rows())
	if l.cell.projects {
		n += g.linear.splitOutputs(l.cell.hidden, l.dModel)
	}
	return n
}

// cellOf is layer i's cell, zero where it is a transformer layer.
func cellOf(s arch.Spec, i int) cell {
	t := s.TypeOf(i)
	if !t.Recurrent() {
		return cell{}
	}
	return cell{
		gates: float64(t.Gates()), states: float64(t.States()), in: float64(s.InputOf(i)), hidden: float64(s.HiddenOf(i)),
		projects: s.ProjectionOf(i), branch: !s.Stack(),
	}
}
