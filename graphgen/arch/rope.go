package arch

import (
	"fmt"
	"math"
)

// DefaultRopeBase is the base of the rotary embedding's frequencies where a Spec
// names none (Su et al. 2021, section 3.2.2).
const DefaultRopeBase = 10000

// Kinds of RopeScaling.
const (
	// RopeLinear divides every frequency by Factor (Chen et al. 2023).
	RopeLinear = "linear"
	// RopeLLaMA3 is that of LLaMA 3.1: it divides the frequencies by Factor whose
	// wavelength is long against OriginalPositions, leaves the high ones alone, and
	// blends those between.
	RopeLLaMA3 = "llama3"
)

var ropeTypes = []string{RopeLinear, RopeLLaMA3}

// RopeScaling is how rotary frequencies were changed so that a model takes longer
// contexts than it was first trained on.
type RopeScaling struct {
	Type   string  `json:"type" yaml:"type"`     // RopeLinear or RopeLLaMA3
	Factor float64 `json:"factor" yaml:"factor"` // at least 1

	// Of RopeLLaMA3 only: wavelengths under OriginalPositions/HighFreqFactor tokens
	// are kept, those over OriginalPositions/LowFreqFactor are stretched by Factor.
	LowFreqFactor     float64 `json:"low_freq_factor,omitempty" yaml:"low_freq_factor,omitempty"`
	HighFreqFactor    float64 `json:"high_freq_factor,omitempty" yaml:"high_freq_factor,omitempty"`
	OriginalPositions int     `json:"original_positions,omitempty" yaml:"original_positions,omitempty"`
}

func (r *RopeScaling) equal(o *RopeScaling) bool {
	return r == o || r != nil && o != nil && *r == *o
}

// maxRopeFactor and maxRopeBase bound what is taken for a setting rather than a
// slip: the largest published are 64 and 1e8.
const (
	maxRopeFactor = 1e6
	maxRopeBase   = 1e12
)

// problem is the first thing that is wrong with r, and the field that it is in.
func (r *RopeScaling) problem() (field, problem string) {
	inside := func(v, low, high float64) bool { return v >= low && v <= high } // false for NaN
	switch {
	case r.Type != RopeLinear && r.Type != RopeLLaMA3:
		return "type", fmt.Sprintf("unknown rope_scaling type %q: %s", r.Type, didYouMean(r.Type, ropeTypes))
	case !inside(r.Factor, 1, maxRopeFactor):
		return "factor", fmt.Sprintf("rope_scaling factor %g is out of range: it must be 1 to %g", r.Factor, maxRopeFactor)
	case r.Type == RopeLinear && *r != RopeScaling{Type: r.Type, Factor: r.Factor}:
		return "type", "rope_scaling linear takes a factor and nothing else: low_freq_factor, high_freq_factor and original_positions are llama3's"
	case r.Type == RopeLinear:
		return "", ""
	case !inside(r.LowFreqFactor, math.SmallestNonzeroFloat32, maxRopeFactor):
		return "low_freq_factor", fmt.Sprintf("rope_scaling low_freq_factor %g is out of range: it must be above 0 and at most %g", r.LowFreqFactor, maxRopeFactor)
	case !inside(r.HighFreqFactor, math.Nextafter(r.LowFreqFactor, maxRopeBase), maxRopeFactor):
		return "high_freq_factor", fmt.Sprintf("rope_scaling high_freq_factor %g is out of range: it must be above low_freq_factor %g and at most %g",
			r.HighFreqFactor, r.LowFreqFactor, maxRopeFactor)
	}
	return "original_positions", sizeProblem("rope_scaling original_positions", r.OriginalPositions, 1, MaxPositions)
}

// RopeFrequencies are the rotary embedding's angles a position, in radians, for the
// headDim/2 pairs of a head, in ascending order of wavelength. They are float32, as
// the published models compute them.
func (s Spec) RopeFrequencies(headDim int) []float32 {
	base := s.RopeBase
	if base == 0 {
		base = DefaultRopeBase
	}
	out := make([]float32, headDim/2)
	for i := range out {
		f := math.Pow(base, -2*float64(i)/float64(headDim))
		out[i] = float32(s.RopeScaling.apply(f))
	}
	return out
}

// apply is the frequency that f becomes.
func (r *RopeScaling) apply(f float64) float64 {
	if r == nil {
		return f
	}
	if r.Type == RopeLinear {
		return f / r.Factor
	}
	// turns is how often the frequency goes round in the original context.
	turns := float64(r.OriginalPositions) * f / (2 * math.Pi)
	keep := (turns - r.LowFreqFactor) / (r.HighFreqFactor - r.LowFreqFactor)
	keep = min(max(keep, 0), 1)
	return keep*f + (1-keep)*f/r.Factor
}
