package eval

import (
	"math"
	"math/rand/v2"

	"lathe/profiler/stat"
)

// Ratio is one model's perplexity over another's on the same tokens.
type Ratio struct {
	Value float64        `json:"value"`
	CI    *stat.Interval `json:"ci"` // 95 %, both drawn together: a block that is hard is so for both
}

// Against compares with the result of another model on the same documents, by the same
// options: quantized with unquantized, say. Of what only one of them has scored nothing
// counts. ok is false where the two have nothing in common.
func (r *Result) Against(other *Result, seed uint64) (ratio Ratio, ok bool) {
	if len(r.blocks) != len(other.blocks) || r.Blocks != other.Blocks || r.AllTokens != other.AllTokens || r.Context != other.Context || r.Stride != other.Stride {
		return ratio, false
	}
	var differences []block // in nats
	for i, b := range r.blocks {
		if o := other.blocks[i]; b.weight > 0 && b.weight == o.weight {
			differences = append(differences, block{b.sum - o.sum, b.weight})
		}
	}
	if len(differences) == 0 {
		return ratio, false
	}
	ratio.Value = clean(math.Exp(mean(differences)))
	ratio.CI = bootstrap(differences, func(x float64) float64 { return clean(math.Exp(x)) }, rand.New(rand.NewPCG(seed, intervalStream)))
	return ratio, true
}
