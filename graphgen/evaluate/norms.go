package evaluate

import "math"

func init() {
	register(map[string]func(*call) []*Tensor{
		"LayerNormalization":           func(c *call) []*Tensor { return c.normalized(true) },
		"RMSNormalization":             func(c *call) []*Tensor { return c.normalized(false) },
		"SimplifiedLayerNormalization": func(c *call) []*Tensor { return c.normalized(false) },
	})
}

// normalized is LayerNorm or, without the mean, RMSNorm, over the dimensions from axis
// on. The mean and the inverse of the deviation are outputs too, where they are asked
// for.
func (c *call) normalized(centred bool) []*Tensor {
	x, gain := c.arg(0), c.arg(1)
	axis := c.axis(c.integer("axis", -1), len(x.Shape))
	eps := c.float("epsilon", 1e-5)
	out := c.blank(x.Type, x.Shape...)
	if c.err != nil {
		return one(out)
	}
	rows, width := size(x.Shape[:axis]), size(x.Shape[axis:])
	stats := make([]int, len(x.Shape))
	for i := range stats {
		stats[i] = 1
		if i < axis {
			stats[i] = x.Shape[i]
		}
	}
	means, inverses := c.blank(1, stats...), c.blank(1, stats...)
	if c.err != nil {
		return one(out)
	}
	for r := range rows {
		row := x.Data[r*width : (r+1)*width]
		mean := 0.0
		if centred {
			for _, v := range row {
				mean += v / float64(width)
			}
		}
		variance := 0.0
		for _, v := range row {
			variance += (v - mean) * (v - mean) / float64(width)
		}
		inverse := 1 / math.Sqrt(variance+eps)
		for i, v := range row {
			out.Data[r*width+i] = (v - mean) * inverse
		}
		means.Data[r], inverses.Data[r] = mean, inverse
	}
	out = c.pairwise(x.Type, out, gain, func(x, y float64) float64 { return x * y })
	if bias := c.option(2); bias != nil {
		out = c.pairwise(x.Type, out, bias, func(x, y float64) float64 { return x + y })
	}
	if !centred {
		return []*Tensor{out, inverses}
	}
	return []*Tensor{out, means, inverses}
}
