package arch

// ForwardFlops is 2 for each multiply-add of one pass over a row of so many tokens:
// products with weights, LM head included, and attention's own. Token t of a row has t
// keys to multiply with and t values to add up.
func (s Spec) ForwardFlops(tokens int64) float64 {
	n := float64(tokens)
	flops := n * float64(s.FlopsPerToken())
	for i, l := range s.Layers {
		if !s.TypeOf(i).Recurrent() {
			flops += 4 * float64(l.NHead*s.HeadDimOf(i)) * n * (n + 1) / 2
		}
	}
	return flops
}

// TrainFlops is that of such a pass forward and back, which is a product with the
// transposed matrix, and one for its gradient, for each of those forward. The optimizer's
// few operations a parameter and step are not in it.
func (s Spec) TrainFlops(tokens int64) float64 {
	const passes = 3
	return passes * s.ForwardFlops(tokens)
}

// TrainBytes is the memory of training on passes of so many rows of so many tokens:
// parameters, gradients, Adam's two moments, and of the forward pass what each product
// takes and the weights of attention, which the pass back needs. Logits are left out,
// since a step may take them in pieces. float is the bytes of what products take, 4 or 2:
// all else is fp32, and with 2 there is a copy of the parameters, and one of attention's
// weights, for them.
func (s Spec) TrainBytes(rows, tokens, float int64) float64 {
	n := float64(tokens)
	taken, weights := 0.0, 0.0
	for m := range s.matMuls() {
		taken += n * float64(m.K)
	}
	for i, l := range s.Layers {
		if !s.TypeOf(i).Recurrent() {
			weights += float64(l.NHead) * n * (n + 1) / 2
		}
	}
	const bytes, copies = 4, 4
	short := float64(float)
	total := bytes*copies*float64(s.TotalParams()) + float64(rows)*(short*taken+bytes*weights)
	if float < bytes {
		total += short * (float64(s.TotalParams()) + float64(rows)*weights)
	}
	return total
}
