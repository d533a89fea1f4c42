package finetune

import (
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
)

// leastProbability bounds what a loss is the logarithm of, from below: a float's smallest
// normal value, a loss of 87.3. Gradients do not see the bound.
const leastProbability = 1.1754944e-38

// lossHead is the LM head, the tokens' losses and their gradients.
type lossHead struct {
	losses *ir.Value // float [tokens, 1]
	// divergences from the teacher, float [tokens, 1]; nil without one
	divergences *ir.Value
	hidden      *ir.Value // gradient of the weighted sum by Hidden, [tokens, d_model]; nil without gradients
	matrix      *ir.Value // gradient by the head's matrix, added to what there was
}

// emitHead writes the head in pieces of rows, one after the other. Cross entropy's
// gradient by the logits is the probabilities less one at the label. Weights multiply
// the rows of Hidden and of its gradient and never anything as wide as the vocabulary.
//
// into is what the gradient by the head's matrix is added to; nil leaves out gradients,
// and with them the teacher.
func emitHead(b *ir.Builder, f *graphgen.Forward, chunks int, into *ir.Value, teacher *Distill) lossHead {
	tokens := f.Hidden.Shape[0].N
	labels := b.Input(inLabels, ir.Int64, ir.D(tokens), ir.D(1))
	var weights *ir.Value
	if into != nil {
		weights = b.Input(inWeights, ir.Float, ir.D(tokens), ir.D(1))
	}
	head := lossHead{matrix: into}
	sizes := pieces(tokens, int64(chunks))
	cut := func(x *ir.Value) []*ir.Value {
		if len(sizes) == 1 || x == nil {
			return []*ir.Value{x}
		}
		return slices.Clone(b.SplitSizes(x, 0, sizes...)) // the node keeps its own
	}
	rows, label, weight := cut(f.Hidden), cut(labels), cut(weights)
	var losses, hidden []*ir.Value
	var taught *soft
	if into != nil {
		taught = newSoft(b, teacher, tokens, cut)
	}
	for i := range sizes {
		if i > 0 && into != nil {
			rows[i] = after(b, rows[i], hidden[i-1], head.matrix)
		}
		raw := f.Logits(rows[i])
		probabilities := b.Softmax(raw)
		own := b.GatherElements(probabilities, label[i], 1)
		losses = append(losses, b.Neg(b.Log(b.Max(own, b.Scalar(ir.Float, leastProbability)))))
		if into == nil {
			continue
		}
		var logits *ir.Value // their gradient
		if taught != nil {
			logits = taught.gradient(b, raw, probabilities, label[i], i)
		} else {
			// The label's own probability is read before it is changed in place.
			minusOne := b.Sub(b.Mul(own, b.Scalar(ir.Float, 0)), b.Scalar(ir.Float, 1))
			logits = b.ScatterElements(probabilities, label[i], minusOne, 1)
		}
		hidden = append(hidden, b.Mul(b.Gemm(logits, f.Head, nil, 1, 0, false, false), weight[i]))
		head.matrix = b.Gemm(logits, b.Mul(rows[i], weight[i]), head.matrix, 1, 1, true, false)
	}
	head.losses = join(b, losses)
	if into != nil {
		head.hidden = join(b, hidden)
	}
	if taught != nil {
		head.divergences = join(b, taught.divergences)
	}
	return head
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
