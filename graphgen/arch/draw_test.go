package arch

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawSpec draws a valid Spec of any family: homogeneous and without settings that
// a name cannot say, or not.
func drawSpec(t *rapid.T, homogeneous bool) Spec {
	families := []Family{GPT2, LLaMA, LSTM, GRU, Mixed}
	if homogeneous {
		families = families[:4]
	}
	family := rapid.SampledFrom(families).Draw(t, "family")
	stack := family == LSTM || family == GRU
	step := 1 // of head_dim
	if family == LLaMA {
		step = 2
	}
	headDim := step * rapid.IntRange(1, 96/step).Draw(t, "head_dim")
	// Multiples of all the head counts below, so that any of them divides.
	dModel := 24 * headDim
	layer := rapid.Custom(func(t *rapid.T) Layer {
		if stack || family == Mixed && rapid.Bool().Draw(t, "recurrent") {
			l := Layer{Type: LayerType(family)}
			if !stack {
				l.Type = rapid.SampledFrom([]LayerType{LSTM, GRU}).Draw(t, "type")
			}
			if rapid.Bool().Draw(t, "own hidden") {
				l.Hidden = rapid.IntRange(1, 3000).Draw(t, "hidden")
			}
			return l
		}
		l := Layer{
			Type:   Transformer,
			NHead:  rapid.SampledFrom([]int{1, 2, 3, 4, 6, 8, 12, 24}).Draw(t, "n_head"),
			DInner: rapid.IntRange(1, 9000).Draw(t, "d_inner"),
		}
		if family == LLaMA {
			if kv := rapid.SampledFrom([]int{0, 1, 2, 3, 4, 6, 8, 12, 24}).Draw(t, "n_kv_head"); kv == 0 || l.NHead%kv == 0 {
				l.NKVHead = kv
			}
		}
		return l
	})
	s := Spec{
		Family:    family,
		Vocab:     rapid.OneOf(rapid.SampledFrom([]int{50257, 32000}), rapid.IntRange(1, 300000)).Draw(t, "vocab"),
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
	if heads := slices.ContainsFunc(s.Layers, func(l Layer) bool { return !l.Type.Recurrent() }); heads && rapid.Bool().Draw(t, "own head_dim") {
		s.HeadDim = step * rapid.IntRange(1, 512/step).Draw(t, "head_dim given")
	}
	if !homogeneous {
		drawSettings(t, &s)
	}
	return s
}

// drawSettings draws what names have no parts for.
func drawSettings(t *rapid.T, s *Spec) {
	maybe := func(label string, v *float64, g *rapid.Generator[float64]) {
		if rapid.Bool().Draw(t, "has "+label) {
			*v = g.Draw(t, label)
		}
	}
	if s.Stack() {
		return
	}
	maybe("norm_eps", &s.NormEps, rapid.OneOf(rapid.Just(1e-5), rapid.Float64Range(1e-12, 0.1)))
	if s.Family != LLaMA {
		return
	}
	maybe("rope_base", &s.RopeBase, rapid.OneOf(rapid.Just(1e4), rapid.Float64Range(1.5, 1e9)))
	s.QKVBias = rapid.Bool().Draw(t, "qkv_bias")
	factor := rapid.OneOf(rapid.Just(1.0), rapid.Float64Range(1, 64))
	switch rapid.SampledFrom([]string{"", RopeLinear, RopeLLaMA3}).Draw(t, "rope_scaling") {
	case RopeLinear:
		s.RopeScaling = &RopeScaling{Type: RopeLinear, Factor: factor.Draw(t, "factor")}
	case RopeLLaMA3:
		low := rapid.Float64Range(0.1, 4).Draw(t, "low_freq_factor")
		s.RopeScaling = &RopeScaling{
			Type: RopeLLaMA3, Factor: factor.Draw(t, "factor"), LowFreqFactor: low,
			HighFreqFactor:    low + rapid.Float64Range(0.1, 4).Draw(t, "high_freq_factor"),
			OriginalPositions: rapid.IntRange(1, 10000).Draw(t, "original_positions"),
		}
	}
}

func drawPrecision(t *rapid.T, label string) Precision {
	p := Precision{Type: rapid.SampledFrom([]string{"", Unquantized, Int4, Int8, Int8Dyn}).Draw(t, label)}
	if p.Blockwise() {
		p.Block = rapid.SampledFrom(append([]int{0}, Blocks...)).Draw(t, label+"'s block")
		p.Asym = rapid.Bool().Draw(t, label+" asymmetric")
	}
	return p
}

func drawEmbed(t *rapid.T) Precision {
	p := drawPrecision(t, "embed")
	if p.Type == Int8Dyn {
		p.Type = Unquantized
	}
	return p
}

// drawBuild draws a valid Build. Its options may be anything, or such as a name
// can hold.
func drawBuild(t *rapid.T, simple bool) Build {
	b := Build{
		Dialect:   rapid.SampledFrom([]Dialect{"", Portable, Fused}).Draw(t, "dialect"),
		Float:     rapid.SampledFrom([]FloatType{"", FP32, FP16}).Draw(t, "float"),
		Precision: drawPrecision(t, "precision"),
		Head:      drawPrecision(t, "head"),
		Embed:     drawEmbed(t),
		Threads:   rapid.IntRange(0, MaxThreads).Draw(t, "threads"),
		Provider:  Provider{Name: rapid.SampledFrom(append(providerNames, "")).Draw(t, "provider")},
	}
	if b.Precision.Type == Int8Dyn || b.Head.Type == Int8Dyn {
		b.Float = ""
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
	if c.Build.CheckSpec(c.Spec) != nil {
		c.Build.Float = ""
	}
	if c.Build.CheckSpec(c.Spec) != nil {
		c.Build.Provider = Provider{} // no other has a kernel of dynamic int8
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
