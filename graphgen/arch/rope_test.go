package arch

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestRopeFrequencies: by hand, and LLaMA 3.1's as its rule has them.
func TestRopeFrequencies(t *testing.T) {
	s := NewSpec(LLaMA, 1, 64, 64, 1)
	if got, want := s.RopeFrequencies(4), []float32{1, 0.01}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	s.RopeBase = 16
	if got, want := s.RopeFrequencies(8), []float32{1, 0.5, 0.25, 0.125}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	s.RopeScaling = &RopeScaling{Type: RopeLinear, Factor: 4}
	if got, want := s.RopeFrequencies(8), []float32{0.25, 0.125, 0.0625, 0.03125}; !slices.Equal(got, want) {
		t.Errorf("linear: %v, want %v", got, want)
	}
	s.RopeBase, s.RopeScaling = 500000, &RopeScaling{Type: RopeLLaMA3, Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalPositions: 8192}
	plain := s
	plain.RopeScaling = nil
	was, now := plain.RopeFrequencies(128), s.RopeFrequencies(128)
	kept, blended, divided := 0, 0, 0
	for i, f := range was {
		// The rule as it is published: by wavelengths.
		wavelength := 2 * math.Pi / float64(f)
		want := float64(f)
		switch {
		case wavelength < 8192.0/4:
			kept++
		case wavelength > 8192.0/1:
			want /= 8
			divided++
		default:
			smooth := (8192/wavelength - 1) / (4 - 1)
			want = (1-smooth)*want/8 + smooth*want
			blended++
		}
		if math.Abs(float64(now[i])/want-1) > 1e-6 {
			t.Errorf("frequency %d: %g, want %g", i, now[i], want)
		}
	}
	if kept != 29 || blended != 6 || divided != 29 {
		t.Errorf("%d kept, %d blended, %d divided", kept, blended, divided)
	}
}

// TestRopeFrequenciesFall: whatever the setting, frequencies fall from pair to pair,
// and scaling makes none higher, nor lower than by its factor.
func TestRopeFrequenciesFall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t, false)
		if s.Family != LLaMA {
			return
		}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		plain := s
		plain.RopeScaling = nil
		was, now := plain.RopeFrequencies(s.HeadDimOf(0)), s.RopeFrequencies(s.HeadDimOf(0))
		for i, f := range now {
			if i > 0 && f > now[i-1] || f <= 0 {
				t.Fatalf("frequencies %v", now)
			}
			factor := 1.0
			if r := s.RopeScaling; r != nil {
				factor = r.Factor
			}
			if ratio := float64(was[i]) / float64(f); ratio < 1-1e-6 || ratio > factor*(1+1e-6) {
				t.Fatalf("frequency %d became %g of %g, the factor is %g", i, f, was[i], factor)
			}
		}
	})
}
