package arch

import (
	"testing"

	"pgregory.net/rapid"
)

// drawSpec draws a valid Spec, homogeneous or not.
func drawSpec(t *rapid.T, homogeneous bool) Spec {
	headDim := rapid.IntRange(1, 96).Draw(t, "head_dim")
	// Multiples of all the head counts below, so that any of them divides.
	dModel := 24 * headDim
	layer := rapid.Custom(func(t *rapid.T) Layer {
		return Layer{
			Type:   Transformer,
			NHead:  rapid.SampledFrom([]int{1, 2, 3, 4, 6, 8, 12, 24}).Draw(t, "n_head"),
			DInner: rapid.IntRange(1, 9000).Draw(t, "d_inner"),
		}
	})
	s := Spec{
		Family:    GPT2,
		Vocab:     rapid.OneOf(rapid.Just(50257), rapid.IntRange(1, 300000)).Draw(t, "vocab"),
		Positions: rapid.OneOf(rapid.Just(2048), rapid.IntRange(1, 100000)).Draw(t, "positions"),
		DModel:    dModel,
		Untied:    rapid.Bool().Draw(t, "untied"),
	}
	n := rapid.IntRange(1, 12).Draw(t, "n_layer")
	if homogeneous {
		l := layer.Draw(t, "layer")
		for range n {
			s.Layers = append(s.Layers, l)
		}
	} else {
		s.Layers = rapid.SliceOfN(layer, n, n).Draw(t, "layers")
	}
	if rapid.Bool().Draw(t, "own head_dim") {
		s.HeadDim = rapid.IntRange(1, 512).Draw(t, "head_dim given")
	}
	return s
}

func drawPrecision(t *rapid.T, label string) Precision {
	return rapid.SampledFrom([]Precision{
		{}, {Type: FP32}, {Type: Int4}, {Type: Int4, Block: 16}, {Type: Int4, Block: 32},
		{Type: Int4, Block: 64}, {Type: Int4, Block: 128},
	}).Draw(t, label)
}

// drawBuild draws a valid Build. Its options may be anything, or such as a name
// can hold.
func drawBuild(t *rapid.T, simple bool) Build {
	b := Build{
		Dialect:   rapid.SampledFrom([]Dialect{"", Portable, Fused}).Draw(t, "dialect"),
		Precision: drawPrecision(t, "precision"),
		Head:      drawPrecision(t, "head"),
		Threads:   rapid.IntRange(0, MaxThreads).Draw(t, "threads"),
		Provider:  Provider{Name: rapid.SampledFrom(append(providerNames, "")).Draw(t, "provider")},
	}
	key, value := rapid.StringN(1, 20, -1), rapid.String()
	if simple {
		key = rapid.StringMatching(`[A-Za-z0-9_]{1,12}`)
		value = rapid.StringMatching(`[A-Za-z0-9_.-]{0,11}[A-Za-z0-9_-]`)
	}
	if rapid.Bool().Draw(t, "has options") {
		b.Provider.Options = rapid.MapOfN(key, value, 0, 3).Draw(t, "options")
	}
	return b
}

// runnable makes a Candidate pass CheckSpec, as its message says.
func runnable(c Candidate) Candidate {
	if c.Build.CheckSpec(c.Spec) != nil {
		c.Build.Dialect = Portable
	}
	return c
}

func mustParse(t testing.TB, name string) Candidate {
	t.Helper()
	c, err := ParseCandidate(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
