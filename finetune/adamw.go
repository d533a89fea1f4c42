package finetune

import (
	"math"

	"lathe/graphgen/ir"
)

// Names of the optimizer's inputs; an output is "new." and its input's.
const (
	inParameters = "parameters" // float [rows, slab], as are the next three
	inGradients  = "gradients"
	inMean       = "mean"
	inSquare     = "square"
	inGain1      = "gain1" // the rest are [1]: see hyper
	inGain2      = "gain2"
	inRate       = "rate"
	inEpsilon    = "epsilon"
	inKeep       = "keep"
	outNorm      = "sum_of_squares"
)

// normRow is how many squares are added up in float32: few enough that rounding takes
// nothing that can be seen.
const normRow = 1 << 10

// normGraph is the sum of squares of [rows, normRow], by row: [rows].
func normGraph() (*ir.Graph, error) {
	b := ir.NewBuilder("gradient norm")
	g := b.Input(inGradients, ir.Float, ir.S("rows"), ir.D(normRow))
	b.Output(outNorm, b.SumSquares(g, false, 1))
	return b.Build()
}

// adamwGraph updates parameters and moments, slab by slab: a Scan's body reads and writes
// what stays in a cache, where a dozen operators over whole matrices would go through
// main memory a dozen times. Every output may be bound to its input's buffer.
//
//	mean'       = beta1 mean + gain1 g
//	square'     = beta2 square + gain2 g g
//	parameters' = keep parameters - rate mean' / (root(square') + epsilon)
func adamwGraph(o Optimizer) (*ir.Graph, error) {
	b := ir.NewBuilder("adamw")
	table := func(name string) *ir.Value { return b.Input(name, ir.Float, ir.S("rows"), ir.D(slab)) }
	tables := []*ir.Value{table(inParameters), table(inGradients), table(inMean), table(inSquare)}
	scalar := map[string]*ir.Value{}
	for _, name := range []string{inGain1, inGain2, inRate, inEpsilon, inKeep} {
		scalar[name] = b.Input(name, ir.Float, ir.D(1))
	}
	beta1, beta2 := b.Scalar(ir.Float, float32(o.Beta1)), b.Scalar(ir.Float, float32(o.Beta2))
	_, out := b.Scan(nil, tables, func(_, slices []*ir.Value) (next, outs []*ir.Value) {
		p, g, mean, square := slices[0], slices[1], slices[2], slices[3]
		mean = b.Add(b.Mul(mean, beta1), b.Mul(g, scalar[inGain1]))
		square = b.Add(b.Mul(square, beta2), b.Mul(b.Mul(g, g), scalar[inGain2]))
		step := b.Div(mean, b.Add(b.Sqrt(square), scalar[inEpsilon]))
		p = b.Sub(b.Mul(p, scalar[inKeep]), b.Mul(step, scalar[inRate]))
		return nil, []*ir.Value{p, mean, square}
	})
	for i, name := range []string{inParameters, inMean, inSquare} {
		b.Output("new."+name, out[i])
	}
	return b.Build()
}

// hyper are the optimizer's scalars of one step, computed in float64: AdamW's bias
// corrections are folded into the rate and epsilon, clipping and the gradients' scale into
// the gains.
type hyper struct{ gain1, gain2, rate, epsilon, keep float64 }

// at is those of step t, counted from 1, at a learning rate and for gradients of a norm,
// of which scale times as much was added up.
func (o Optimizer) at(t int64, lr, norm, scale float64) hyper {
	clip := 1.0
	if o.ClipNorm > 0 {
		// As torch.nn.utils.clip_grad_norm_ does it, its 1e-6 against a norm of 0.
		clip = math.Min(1, o.ClipNorm/(norm+1e-6))
	}
	correct1, correct2 := 1-math.Pow(o.Beta1, float64(t)), math.Sqrt(1-math.Pow(o.Beta2, float64(t)))
	return hyper{
		gain1:   (1 - o.Beta1) * clip / scale,
		gain2:   (1 - o.Beta2) * clip * clip / (scale * scale),
		rate:    lr * correct2 / correct1,
		epsilon: o.Epsilon * correct2,
		keep:    1 - lr*o.WeightDecay,
	}
}
