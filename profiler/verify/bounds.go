package verify

import (
	"lathe/graphgen/arch"
)

// Bounds are how far a model may be from what it is held against.
type Bounds struct {
	// Same is how far the same model may be from itself run in another way, and a model
	// in fp32 from its source: the greatest difference of two logits over the greatest
	// logit.
	Same float64
	// KL and Relative are how far a model that is not fp32 may be from its source: the
	// mean divergence of the next token's distribution in nats, and the norm of the
	// difference of logits over that of the source's. 0: the model is fp32, and Same
	// holds.
	KL, Relative float64
}

// BoundsOf are those of a build.
//
// In fp32 two orders of adding the same numbers differ by some 1e-6 of the greatest
// logit (1.2e-6 at most over the models of docs/BENCHMARKS.md, "What verify lets
// pass"); 1e-4 leaves room for deeper ones. Caches that were exchanged between layers moved
// those of a model of two layers, random and hardly attending to anything, by 9e-4.
//
// The others are about three times the worst that was measured there, over random and
// trained models of both families. They tell a model from another one, whose logits are
// 1 to 1.4 times their norm away; they do not tell a good quantization from a mediocre
// one, which is what perplexity is for.
func BoundsOf(b arch.Build) Bounds {
	b = b.Normalized()
	out := Bounds{Same: 1e-4}
	widen := func(o Bounds) {
		out = Bounds{max(out.Same, o.Same), max(out.KL, o.KL), max(out.Relative, o.Relative)}
	}
	if b.Float == arch.FP16 { // measured: 9e-4, 6e-6, 0.1 %; deeper models lose more
		widen(Bounds{1e-2, 1e-3, 1e-2})
	}
	for _, p := range []arch.Precision{b.Precision, b.Head, b.Embed} {
		switch p.Type {
		case arch.Int8: // 1 %, 0.001, 1.7 %
			widen(Bounds{0.03, 0.01, 0.05})
		case arch.Int8Dyn: // 0.002, 2.7 %; with a scale for a whole matrix, as others have, 0.014, 3.7 %
			widen(Bounds{0, 0.05, 0.12})
		case arch.Int4: // 1.6 %, 0.27, 27 %
			widen(Bounds{0.05, 0.8, 0.6})
		}
	}
	return out
}
