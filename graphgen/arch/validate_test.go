package arch

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestValidateSpec(t *testing.T) {
	base := NewSpec(GPT2, 2, 64, 128, 4)
	if err := base.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*Spec)
		says   string
	}{
		{func(s *Spec) { s.Family = "rwkv" }, `unknown family "rwkv": this version lowers gpt2, llama, lstm, gru, mixed`},
		{func(s *Spec) { s.Vocab = 0 }, "vocab 0"},
		{func(s *Spec) { s.Positions = -1 }, "positions -1"},
		{func(s *Spec) { s.DModel = -64 }, "d_model -64"},
		{func(s *Spec) { s.HeadDim = -1 }, "head_dim -1"},
		{func(s *Spec) { s.Layers = nil }, "n_layer 0"},
		{func(s *Spec) { s.Layers = make([]Layer, MaxLayers+1) }, "n_layer 1025"},
		{func(s *Spec) { s.Layers[1].NHead = 5 }, "layer 1: n_head 5 does not divide d_model 64: use n_head 4 or 8"},
		{func(s *Spec) { s.Layers[1].DInner = -3 }, "layer 1: d_inner -3"},
		{func(s *Spec) { s.Layers[0].Type = "mamba" }, `layer 0: unknown layer type "mamba": this version lowers transformer, lstm, gru`},
		{func(s *Spec) { s.Layers[1].Hidden = 3 }, "layer 1: hidden 3: a layer of type transformer has none"},
		{func(s *Spec) { s.Layers[1] = Layer{Type: LSTM} }, "layer 1: a layer of type lstm in a model of family gpt2: layers of several types are of the family mixed"},
		{func(s *Spec) { s.Family = LSTM }, "a layer of type transformer in a model of family lstm"},
		{func(s *Spec) { s.Family, s.Layers = LSTM, []Layer{{}, {Type: GRU}} }, "layer 1: a layer of type gru in a model of family lstm"},
		{func(s *Spec) { s.Family, s.Layers[1].Type = Mixed, GRU }, "layer 1: n_head 4: a layer of type gru has none; its size is hidden"},
		{func(s *Spec) { *s = NewStack(LSTM, 2, 64, -1) }, "hidden -1 is out of range"},
		{func(s *Spec) { *s = NewStack(LSTM, 2, 64, 0); s.NormEps = 1e-5 }, "norm_eps 1e-05: lstm has no norms"},
		{func(s *Spec) { *s = NewStack(GRU, 2, 64, 0); s.HeadDim = 8 }, "head_dim 8: no layer has heads"},
		{func(s *Spec) { *s = NewStack(GRU, 2, 64, 0); s.RopeBase = 5e5 }, "rope_base 500000: gru has no rotary positions"},
		{func(s *Spec) { s.Layers[1].NKVHead = 2 }, "layer 1: n_kv_head 2: in gpt2 every head"},
		{func(s *Spec) { s.RopeBase = 5e5 }, "rope_base 500000: gpt2 has no rotary positions; llama has"},
		{func(s *Spec) { s.RopeScaling = &RopeScaling{Type: RopeLinear, Factor: 2} }, "rope_scaling: gpt2 has no rotary positions"},
		{func(s *Spec) { s.QKVBias = true }, "qkv_bias: it is for llama; gpt2 has"},
		{func(s *Spec) { s.NormEps = 0.5 }, "norm_eps 0.5 is out of range: it must be 1e-12 to 0.1"},
		{func(s *Spec) { s.NormEps = -1e-5 }, "norm_eps -1e-05"},
		{func(s *Spec) { s.NormEps = math.NaN() }, "norm_eps NaN"},
		{func(s *Spec) { s.Family, s.HeadDim = LLaMA, 15 }, "head_dim 15 is odd"},
		{func(s *Spec) { s.Family, s.Layers[1].NKVHead = LLaMA, -2 }, "layer 1: n_kv_head -2 is out of range"},
		{func(s *Spec) { s.Family, s.Layers[1].NKVHead = LLaMA, 3 }, "layer 1: n_kv_head 3 does not divide n_head 4: use n_kv_head 2 or 4"},
		{func(s *Spec) { s.Family, s.RopeBase = LLaMA, 1 }, "rope_base 1 is out of range"},
		{func(s *Spec) { s.Family, s.RopeBase = LLaMA, math.Inf(1) }, "rope_base +Inf"},
		{func(s *Spec) { s.Family, s.RopeScaling = LLaMA, &RopeScaling{Type: "yarn", Factor: 2} }, `unknown rope_scaling type "yarn": known are linear, llama3`},
		{func(s *Spec) { s.Family, s.RopeScaling = LLaMA, &RopeScaling{Type: RopeLinear, Factor: 0.5} }, "rope_scaling factor 0.5 is out of range"},
		{func(s *Spec) {
			s.Family, s.RopeScaling = LLaMA, &RopeScaling{Type: RopeLinear, Factor: 2, LowFreqFactor: 1}
		}, "rope_scaling linear takes a factor and nothing else"},
		{func(s *Spec) { s.Family, s.RopeScaling = LLaMA, &RopeScaling{RopeLLaMA3, 8, 0, 4, 8192} }, "rope_scaling low_freq_factor 0"},
		{func(s *Spec) { s.Family, s.RopeScaling = LLaMA, &RopeScaling{RopeLLaMA3, 8, 4, 4, 8192} }, "rope_scaling high_freq_factor 4 is out of range: it must be above low_freq_factor 4"},
		{func(s *Spec) { s.Family, s.RopeScaling = LLaMA, &RopeScaling{RopeLLaMA3, 8, 1, 4, 0} }, "rope_scaling original_positions 0"},
		{func(s *Spec) { s.DModel = MaxDModel; s.Layers[0].NHead = 1 }, "head_dim (d_model/n_head) 65536"},
	} {
		s := NewSpec(GPT2, 2, 64, 128, 4)
		c.change(&s)
		if err := s.Validate(); err == nil || !strings.HasPrefix(err.Error(), "arch: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
		// Whatever the Spec, nothing about it panics.
		bad := Candidate{Spec: s}
		_, _, _ = bad.Name(), bad.Hash(), bad.Counts()
	}
	if err := (Spec{}).Validate(); err == nil {
		t.Error("a zero Spec is valid")
	}
}

func TestValidateBuild(t *testing.T) {
	if err := (Build{}).Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		build Build
		says  string
	}{
		{Build{Dialect: "onnx"}, `unknown dialect "onnx"`},
		{Build{Precision: Precision{Type: "int2"}}, `unknown precision "int2"`},
		{Build{Precision: Precision{Type: Int8, Block: 48}}, "int8 block 48"},
		{Build{Precision: Precision{Type: Int8Dyn, Block: 32}}, "int8dyn has no block"},
		{Build{Precision: Precision{Type: Int8Dyn, Asym: true}}, "int8dyn has no zero points"},
		{Build{Embed: Precision{Type: Int8Dyn}}, "embedding: int8dyn is for products"},
		{Build{Embed: Precision{Type: "bf16"}}, `embedding: unknown precision "bf16"`},
		{Build{Precision: Precision{Type: Int4, Block: 48}}, "int4 block 48"},
		{Build{Precision: Precision{Type: Int4, Block: -16}}, "int4 block -16"},
		{Build{Precision: Precision{Type: Unquantized, Block: 32}}, "float has no block"},
		{Build{Precision: Precision{Block: 32}}, `unknown precision ""`},
		{Build{Head: Precision{Type: "fp16"}}, `LM head: unknown precision "fp16"`},
		{Build{Threads: -1}, "threads -1"},
		{Build{Threads: 1025}, "threads 1025"},
		{Build{Provider: Provider{Name: "CUDA"}}, "did you mean cuda?"},
		{Build{Provider: Provider{Options: map[string]string{"": "x"}}}, "an option has no name"},
	} {
		if err := c.build.Validate(); err == nil || !strings.HasPrefix(err.Error(), "arch: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.build, err, c.says)
		}
		_, _ = c.build.Name(), c.build.Hash()
	}
}

func TestCheckSpecOfMixedLayers(t *testing.T) {
	s := Spec{Family: GPT2, Vocab: 10, Positions: 10, DModel: 48, Layers: []Layer{{NHead: 6, DInner: 8}, {NHead: 4, DInner: 8}}}
	err := Build{}.CheckSpec(s)
	if err == nil || !strings.Contains(err.Error(), "layer 1") || !strings.Contains(err.Error(), "got 12") || !strings.Contains(err.Error(), "n_head 3 or 6") {
		t.Error(err)
	}
	if err := (Build{Dialect: Portable}).CheckSpec(s); err != nil {
		t.Error(err)
	}
}

// TestSpaceConstraintsAreCheckSpec: a point passes a Build's constraints exactly
// where its Spec passes CheckSpec.
func TestSpaceConstraintsAreCheckSpec(t *testing.T) {
	space := Space{NLayer: Axis{Min: 1, Max: 2}, DModel: Axis{Min: 8, Max: 96, Step: 8}, DInner: Axis{Choices: []int{64}}, NHead: Axis{Min: 1, Max: 12}}
	all, err := space.Compile()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := drawBuild(t, true)
		constraints, err := b.SpaceConstraints()
		if err != nil {
			if b.CheckSpec(all.Spec(Point{1, 64, 64, 1})) == nil {
				t.Fatalf("%s runs, but has no constraints: %v", b.Name(), err)
			}
			return
		}
		some, err := space.With(constraints...).Compile()
		if err != nil {
			t.Fatal(err)
		}
		for p := range all.Points() {
			if err := b.CheckSpec(all.Spec(p)); (err == nil) != some.Contains(p) {
				t.Fatalf("%s: %+v: %v", b.Name(), p, err)
			}
		}
	})
}
