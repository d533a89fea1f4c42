package recover

import (
	"testing"

	"pgregory.net/rapid"

	"lathe/graphgen/arch"
)

// TestInferRope: from frequencies alone come a base and a scaling that give them.
func TestInferRope(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := arch.Spec{Family: arch.LLaMA}
		s.RopeBase = rapid.OneOf(rapid.SampledFrom([]float64{10000, 500000, 1e6, 1e7}), rapid.Float64Range(100, 1e8)).Draw(t, "base")
		factor := rapid.SampledFrom([]float64{1.5, 2, 4, 8, 32}).Draw(t, "factor")
		switch rapid.SampledFrom([]string{"", arch.RopeLinear, arch.RopeLLaMA3}).Draw(t, "scaling") {
		case arch.RopeLinear:
			s.RopeScaling = &arch.RopeScaling{Type: arch.RopeLinear, Factor: factor}
		case arch.RopeLLaMA3:
			s.RopeBase = rapid.SampledFrom([]float64{10000, 500000}).Draw(t, "usual base")
			s.RopeScaling = &arch.RopeScaling{Type: arch.RopeLLaMA3, Factor: factor, LowFreqFactor: 1, HighFreqFactor: 4,
				OriginalPositions: rapid.SampledFrom([]int{2048, 4096, 8192}).Draw(t, "original positions")}
		}
		headDim := 2 * rapid.IntRange(8, 64).Draw(t, "pairs")
		var freqs []float64
		for _, f := range s.RopeFrequencies(headDim) {
			freqs = append(freqs, float64(f))
		}
		got := arch.Spec{Family: arch.LLaMA}
		if !inferRope(&got, freqs, rounding{relative: 3e-6}) {
			t.Fatalf("nothing gives %v", freqs)
		}
		if !agrees(got, freqs, rounding{relative: 3e-6}) {
			t.Fatalf("base %g, %+v", got.RopeBase, got.RopeScaling)
		}
	})
}

// TestInferRopeNot: frequencies of no base are not taken for one's.
func TestInferRopeNot(t *testing.T) {
	for _, freqs := range [][]float64{{1, 0.5, 0.4, 0.01}, {2, 0.5}, {1, 1, 1}, {0.1, 1}} {
		s := arch.Spec{Family: arch.LLaMA}
		if inferRope(&s, freqs, rounding{relative: 2e-5}) {
			t.Errorf("%v is taken for base %g, %+v", freqs, s.RopeBase, s.RopeScaling)
		}
	}
}
