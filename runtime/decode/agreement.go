package decode

import "math"

// Agreement is how near logits are to those of a reference, over all tokens that were
// added.
type Agreement struct {
	Tokens int `json:"tokens"`
	// Relative is the norm of the difference over that of the reference, and Cosine
	// that of the angle between the two, both over all logits.
	Relative float64 `json:"relative"`
	Cosine   float64 `json:"cosine"`
	// Top1 is the fraction of tokens after which both have the same likeliest one.
	Top1 float64 `json:"top1"`
	// KL is the mean over tokens of the Kullback-Leibler divergence of what follows,
	// from the reference's distribution, in nats.
	KL float64 `json:"kl_nats"`

	ww, gg, wg, dd, kl float64
	same               int
}

// Add counts the logits that follow one token, got against the reference's want. They
// have the same length.
func (a *Agreement) Add(got, want []float32) {
	top := func(x []float32) (best int) {
		for i, v := range x {
			if v > x[best] {
				best = i
			}
		}
		return best
	}
	g, w := top(got), top(want)
	if g == w {
		a.same++
	}
	highG, highW := float64(got[g]), float64(want[w])
	var sumG, sumW, between float64
	for i := range want {
		x, y := float64(got[i]), float64(want[i])
		d := x - y
		a.gg, a.ww, a.wg, a.dd = a.gg+x*x, a.ww+y*y, a.wg+x*y, a.dd+d*d
		p := math.Exp(y - highW)
		sumG, sumW = sumG+math.Exp(x-highG), sumW+p
		between += p * ((y - highW) - (x - highG))
	}
	a.kl += max(0, between/sumW-math.Log(sumW)+math.Log(sumG)) // rounding may go below
	a.Tokens++
	a.Top1, a.KL = float64(a.same)/float64(a.Tokens), a.kl/float64(a.Tokens)
	a.Cosine = 1 // of two that are zero
	if a.ww > 0 {
		a.Relative = math.Sqrt(a.dd / a.ww)
	}
	if a.gg > 0 && a.ww > 0 {
		a.Cosine = a.wg / math.Sqrt(a.gg*a.ww)
	}
}
