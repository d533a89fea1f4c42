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

// Count fills in all costs but Latency, which is 0: nobody can count it. Training on a
// data set takes as many times TrainFlops as there are texts in it, the same factor for
// every architecture.
func Count(a arch.Candidate) (c Costs) {
	s, text := a.Spec, int64(a.Spec.Positions)
	c[TrainFlops] = s.TrainFlops(text)
	c[TrainBytes] = s.TrainBytes(1, text, 4)
	c[InferenceFlops] = s.ForwardFlops(text)
	c[InferenceBytes] = float64(s.WeightBytes(a.Build)) + float64(text)*float64(s.KVBytesPerToken(a.Build)) + float64(s.StateBytes())
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
