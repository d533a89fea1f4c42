package finetune

import (
	"fmt"
	"slices"

	"lathe/graphgen"
	"lathe/graphgen/ir"
)

// Names of what a step's graphs take and return beside parameters and accumulators.
const (
	inLabels  = "labels"  // int64 [tokens, 1]; of tokens that do not count any valid id
	inWeights = "weights" // float [tokens, 1]: by what a token's loss is multiplied
	outLosses = "losses"  // float [tokens, 1]: every token's own loss, not weighted
	outRows   = "embedded.gradient"
	outLabels = "labels.gradient" // float [tokens, d_model]: of the head's rows that labels name
)

// headBlock is how many rows of the head's matrix are multiplied at once: with some
// hundred tokens, what a product reads and writes stays in a core's second cache. (Of
// matrices as tall as a vocabulary, the library goes through main memory for every 128
// columns and 128 terms; in blocks it is 1.1 times as fast forward, and 1.6 times for the
// gradient by the matrix.)
const headBlock = 1 << 10

func headMatrix(i int) string      { return fmt.Sprintf("head.%d", i) }
func headAccumulator(i int) string { return fmt.Sprintf("gradient.head.%d", i) }
func headAccumulated(i int) string { return fmt.Sprintf("gradient.new.head.%d", i) }

// headBlocks are the rows of each block of a vocabulary.
func headBlocks(vocab int64) (rows []int64) {
	for ; vocab > headBlock; vocab -= headBlock {
		rows = append(rows, headBlock)
	}
	return append(rows, vocab)
}

// leastProbability bounds what a logarithm is taken of, from below: a float's smallest
// normal value, a loss of 87.3. Gradients do not see the bound.
const leastProbability = 1.1754944e-38

// lossHead is the LM head, the tokens' losses and their gradients, which without
// gradients are nil.
type lossHead struct {
	losses      *ir.Value // float [tokens, 1]
	divergences *ir.Value // from the teacher, float [tokens, 1]; nil without one
	hidden      *ir.Value // gradient of the weighted sum by Hidden, [tokens, d_model]
	// labels is the gradient by the rows of the head's matrix that labels name, [tokens,
	// d_model], where it is not in matrix: without a teacher.
	labels *ir.Value
	matrix []*ir.Value // gradient by the matrix, by block, added to what there was
	blocks []int64     // their rows
}

// piece is some of the tokens, and what the head makes of them.
type piece struct {
	x, label, weight *ir.Value // of Hidden, [n, d_model], labels and weights, [n, 1]

	losses, divergences, hidden, labels *ir.Value
}

// emitHead writes the head and its loss, for pieces of the tokens one after the other.
// The matrix is an input for each of its blocks of rows, where there are several, and so
// are the accumulators of its gradient. Products are in the type compute; all else, what
// they are of and what is made of them, is Float.
func emitHead(b *ir.Builder, f *graphgen.Forward, compute ir.DType, chunks int, gradients bool, teacher *Distill) lossHead {
	p := products{b, compute}
	tokens, dModel := f.Hidden.Shape[0].N, f.Hidden.Shape[1].N
	head := lossHead{blocks: headBlocks(f.Head.Shape[0].N)}
	if teacher != nil {
		head.blocks = []int64{f.Head.Shape[0].N}
	}
	labels := b.Input(inLabels, ir.Int64, ir.D(tokens), ir.D(1))
	var weights *ir.Value
	if gradients {
		weights = b.Input(inWeights, ir.Float, ir.D(tokens), ir.D(1))
	}
	matrix := []*ir.Value{f.Head}
	if len(head.blocks) > 1 {
		matrix = make([]*ir.Value, len(head.blocks))
	}
	for i, rows := range head.blocks {
		if len(head.blocks) > 1 {
			matrix[i] = b.Input(headMatrix(i), ir.Float, ir.D(rows), ir.D(dModel))
		}
		if gradients {
			head.matrix = append(head.matrix, b.Input(headAccumulator(i), ir.Float, ir.D(rows), ir.D(dModel)))
		}
	}
	sizes := pieces(tokens, int64(chunks))
	cut := func(x *ir.Value) []*ir.Value {
		switch {
		case x == nil:
			return make([]*ir.Value, len(sizes))
		case len(sizes) == 1:
			return []*ir.Value{x}
		}
		return slices.Clone(b.SplitSizes(x, 0, sizes...)) // the node keeps its own
	}
	rows, label, weight := cut(f.Hidden), cut(labels), cut(weights)
	taught := newSoft(b, teacher, tokens, cut)
	all := make([]*piece, len(sizes))
	short := make([]*ir.Value, len(matrix)) // as products take it
	for i, m := range matrix {
		short[i] = p.short(m)
	}
	for i := range all {
		at := &piece{x: rows[i], label: label[i], weight: weight[i]}
		all[i] = at
		if i > 0 && gradients {
			at.x = after(b, at.x, append([]*ir.Value{all[i-1].hidden}, head.matrix...)...)
		}
		if taught != nil {
			head.matrix[0] = taught.emit(p, at, short[0], head.matrix[0], i)
		} else {
			at.emit(p, f.Head, short, head.matrix)
		}
	}
	gather := func(of func(*piece) *ir.Value) *ir.Value {
		if of(all[0]) == nil {
			return nil
		}
		var vs []*ir.Value
		for _, p := range all {
			vs = append(vs, of(p))
		}
		return join(b, vs)
	}
	head.losses = gather(func(p *piece) *ir.Value { return p.losses })
	head.divergences = gather(func(p *piece) *ir.Value { return p.divergences })
	head.hidden = gather(func(p *piece) *ir.Value { return p.hidden })
	head.labels = gather(func(p *piece) *ir.Value { return p.labels })
	return head
}

// emit writes cross entropy. With logits z, their greatest m and s = sum(exp(z-m)), the
// loss is log(s) + m - z at the label, and its gradient by z is exp(z-m)/s, less one at
// the label. Divisors and weights multiply rows of Hidden and of its gradient, and never
// anything as wide as the vocabulary.
//
// whole is the matrix that is given in blocks; the gradient is added to sums.
func (p *piece) emit(b products, whole *ir.Value, matrix, sums []*ir.Value) {
	own := b.Reshape(b.Gather(whole, p.label), 0, p.x.Shape[0].N, p.x.Shape[1].N)
	e := exponentials(b, p.x, matrix)
	p.losses = b.Sub(b.Add(b.Log(e.sum), e.greatest), b.SumOver(b.Mul(b.as(p.x), b.as(own)), true, 1))
	if sums == nil {
		return
	}
	share := b.Div(p.weight, e.sum)
	var sum *ir.Value
	for i, v := range e.blocks {
		sum = b.product(v, matrix[i], sum, false, false)
	}
	p.hidden = b.Sub(b.Mul(sum, share), b.Mul(own, p.weight))
	shared := b.Mul(p.x, share)
	for i, v := range e.blocks {
		sums[i] = b.product(v, shared, sums[i], true, false)
	}
	p.labels = b.Mul(p.x, b.Neg(p.weight))
}

// exps are exp(z-m) of logits z, by block of the vocabulary, with m their greatest and
// the sum of all, by row.
type exps struct {
	blocks        []*ir.Value // float [n, rows of the block]
	greatest, sum *ir.Value   // float [n, 1]
}

func exponentials(b products, x *ir.Value, matrix []*ir.Value) (e exps) {
	var greatest, sums []*ir.Value
	for _, m := range matrix {
		z := b.product(x, m, nil, false, true)
		e.blocks = append(e.blocks, z)
		greatest = append(greatest, b.MaxOver(z, true, 1))
	}
	e.greatest = b.Max(greatest...)
	for i, z := range e.blocks {
		e.blocks[i] = b.Exp(b.Sub(z, e.greatest))
		sums = append(sums, b.SumOver(e.blocks[i], true, 1))
	}
	e.sum = b.Sum(sums...)
	return e
}

// products are a builder's in one type of floats.
type products struct {
	*ir.Builder
	compute ir.DType
}

// product is that of two matrices, transposed first where transX and transY say so, plus
// sum unless it is nil. The sum is one of floats, whatever the product's type is: it is of
// many products.
func (b products) product(x, y, sum *ir.Value, transX, transY bool) *ir.Value {
	if b.compute == ir.Float {
		return b.Gemm(x, y, sum, 1, 1, transX, transY)
	}
	z := b.Cast(b.Gemm(b.short(x), b.short(y), nil, 1, 1, transX, transY), ir.Float)
	if sum != nil {
		z = b.Add(sum, z)
	}
	return z
}

// short is x as products take it.
func (b products) short(x *ir.Value) *ir.Value {
	if x.Type == b.compute {
		return x
	}
	return b.Cast(x, b.compute)
}

// as is x, a Float, rounded as products take it.
func (b products) as(x *ir.Value) *ir.Value {
	if x.Type == b.compute {
		return x
	}
	return b.Cast(b.short(x), x.Type)
}

// pieces cuts n into parts of nearly the same size.
func pieces(n, parts int64) []int64 {
	out := make([]int64, 0, parts)
	for i := range parts {
		out = append(out, n*(i+1)/parts-n*i/parts)
	}
	return out
}

func join(b *ir.Builder, vs []*ir.Value) *ir.Value {
	if len(vs) == 1 {
		return vs[0]
	}
	return b.Join(0, vs...)
}
