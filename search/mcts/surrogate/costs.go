package surrogate

import "lathe/graphgen/arch"

// The costs of an architecture. The paper has those of training and of inference, FLOPs
// and memory each (section 5.2.1); to these comes the latency that is measured.
const (
	TrainFlops     = iota // of one pass, forward and back, over a text that fills all positions
	TrainBytes            // of that pass: weights, gradients, Adam's two moments, activations
	InferenceFlops        // of decoding that text token by token
	InferenceBytes        // weights as the build stores them, caches of all positions, states
	Latency               // in the evaluator's unit
	NumCosts
)

// CostNames are the costs' names, in their order.
var CostNames = [NumCosts]string{"train_flops", "train_bytes", "inference_flops", "inference_bytes", "latency"}

// Costs are one architecture's.
type Costs [NumCosts]float64

const fp32Bytes = 4

// Count fills in all costs but Latency, which is 0: nobody can count it. Training on a
// data set takes as many times TrainFlops as there are texts in it, the same factor for
// every architecture.
func Count(a arch.Candidate) (c Costs) {
	s := a.Spec
	text := float64(s.Positions)
	forward := text * float64(s.FlopsPerToken())
	activations := 0.0 // values that the backward pass needs: what each product takes
	for _, m := range s.MatMuls() {
		activations += text * float64(m.K)
	}
	for i, l := range s.Layers {
		if s.TypeOf(i).Recurrent() {
			continue
		}
		// Token t has t keys to multiply with and t values to add up: 4 n_head head_dim t
		// FLOPs, and n_head t weights of attention that the backward pass needs.
		pairs := text * (text + 1) / 2
		forward += 4 * float64(l.NHead*s.HeadDimOf(i)) * pairs
		activations += float64(l.NHead) * pairs
	}
	const backward = 2 // products with the transposed matrix, and for its gradient
	c[TrainFlops] = (1 + backward) * forward
	c[TrainBytes] = fp32Bytes * (4*float64(s.TotalParams()) + activations)
	c[InferenceFlops] = forward
	c[InferenceBytes] = float64(s.WeightBytes(a.Build)) + text*float64(s.KVBytesPerToken(a.Build)) + float64(s.StateBytes())
	return c
}

// Weights are what costs count for in one number. The zero value: all the same.
type Weights [NumCosts]float64

// Of is the weighted mean of costs.
func (w Weights) Of(c Costs) float64 {
	sum, total := 0.0, 0.0
	for k, v := range w {
		sum, total = sum+v*c[k], total+v
	}
	if total == 0 {
		for _, v := range c {
			sum, total = sum+v, total+1
		}
	}
	return sum / total
}
