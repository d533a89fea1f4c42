package hf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"lathe/graphgen/arch"
)

const llamaPrefix = "model."

// llamaSizes are the defaults of the configurations that share LLaMA's keys.
type llamaSizes struct {
	vocab, positions, inner, kvHeads int // kvHeads 0: as many as heads
}

// llamaSpec reads LlamaConfig.
func llamaSpec(f *fields) arch.Spec {
	s := llamaLike(f, llamaSizes{vocab: 32000, positions: 2048, inner: 11008})
	f.only("attention_bias", false, "it has a bias in the output projection too; queries, keys and values alone may have them (model_type qwen2)")
	f.only("mlp_bias", false, "the MLP has no biases")
	return s
}

// mistralSpec reads MistralConfig.
func mistralSpec(f *fields) arch.Spec {
	s := llamaLike(f, llamaSizes{vocab: 32000, positions: 1 << 17, inner: 14336, kvHeads: 8})
	window := 4096 // of MistralConfig, where the key is not there; null is none
	if _, given := f.of["sliding_window"]; given {
		window = f.integer("sliding_window", 0)
	}
	limitToWindow(f, &s, window)
	return s
}

// qwen2Spec reads Qwen2Config.
func qwen2Spec(f *fields) arch.Spec {
	s := llamaLike(f, llamaSizes{vocab: 151936, positions: 32768, inner: 22016, kvHeads: 32})
	s.QKVBias = true
	if f.boolean("use_sliding_window", false) {
		limitToWindow(f, &s, f.integer("sliding_window", 4096))
	}
	return s
}

// limitToWindow shortens the context to the window that attention slides over: up
// to there, attention to all is the same.
func limitToWindow(f *fields, s *arch.Spec, window int) {
	if window > 0 && window < s.Positions {
		f.warn("attention slides over %d positions; the context is cut to them, from %d: longer ones would attend to more than the model was made for", window, s.Positions)
		s.Positions = window
	}
}

func llamaLike(f *fields, def llamaSizes) arch.Spec {
	f.oneOf("hidden_act", "silu", "silu", "swish")
	if v := f.number("partial_rotary_factor", 1); v != 1 {
		f.refuse("partial_rotary_factor %g is %w: all of a head is turned", v, ErrUnsupported)
	}
	heads := f.integer("num_attention_heads", 32)
	kv := heads
	if _, given := f.of["num_key_value_heads"]; given {
		kv = f.integer("num_key_value_heads", heads)
	} else if def.kvHeads != 0 {
		kv = def.kvHeads
	}
	s := arch.Spec{
		Family:    arch.LLaMA,
		Vocab:     f.integer("vocab_size", def.vocab),
		Positions: f.integer("max_position_embeddings", def.positions),
		DModel:    f.integer("hidden_size", 4096),
		HeadDim:   f.integer("head_dim", 0),
		Untied:    !f.boolean("tie_word_embeddings", false),
		NormEps:   f.epsilon("rms_norm_eps", 1e-6),
		Layers: f.layers("num_hidden_layers", f.integer("num_hidden_layers", 32), arch.Layer{
			Type: arch.Transformer, NHead: heads, NKVHead: kv, DInner: f.integer("intermediate_size", def.inner),
		}),
	}
	f.rope(&s)
	if s.HeadDim == 0 && heads > 0 && s.DModel%heads != 0 {
		s.HeadDim = s.DModel / heads // transformers rounds down
	}
	return s
}

// rope reads the rotary embedding's base and scaling: rope_theta and rope_scaling,
// or, as transformers 5 writes them, rope_parameters with both.
func (f *fields) rope(s *arch.Spec) {
	s.RopeBase = f.number("rope_theta", 10000)
	key := "rope_scaling"
	if f.has("rope_parameters") {
		key = "rope_parameters"
	}
	if !f.has(key) {
		return
	}
	r := &fields{}
	if err := json.Unmarshal(f.of[key], &r.of); err != nil {
		f.refuse("%s must be an object, not %s", key, short(f.of[key]))
		return
	}
	s.RopeBase = r.number("rope_theta", s.RopeBase)
	kind := r.text("rope_type", r.text("type", "default"))
	switch kind {
	case "default":
	case arch.RopeLinear:
		s.RopeScaling = &arch.RopeScaling{Type: kind, Factor: r.number("factor", 0)}
	case arch.RopeLLaMA3:
		s.RopeScaling = &arch.RopeScaling{
			Type: kind, Factor: r.number("factor", 0),
			LowFreqFactor: r.number("low_freq_factor", 0), HighFreqFactor: r.number("high_freq_factor", 0),
			OriginalPositions: r.integer("original_max_position_embeddings", f.integer("original_max_position_embeddings", 0)),
		}
	default:
		r.refuse("type %q is %w; supported are default, %s, %s", kind, ErrUnsupported, arch.RopeLinear, arch.RopeLLaMA3)
	}
	if r.err != nil {
		f.refuse("%s: %w", key, r.err)
	}
}

// llamaTensors are a model's tensors. Linear layers are stored [out, in].
func llamaTensors(s arch.Spec) []Tensor {
	d := int64(s.DModel)
	var out []Tensor
	add := func(name string, shape ...int64) { out = append(out, Tensor{Name: name, Shape: shape}) }
	add(llamaPrefix+"embed_tokens.weight", int64(s.Vocab), d)
	for i, l := range s.Layers {
		p := fmt.Sprintf("%slayers.%d.", llamaPrefix, i)
		headDim := int64(s.HeadDimOf(i))
		inner, kv := int64(l.NHead)*headDim, int64(l.KVHeads())*headDim
		add(p+"input_layernorm.weight", d)
		for _, x := range []struct {
			name string
			n    int64
		}{{"q", inner}, {"k", kv}, {"v", kv}} {
			add(p+"self_attn."+x.name+"_proj.weight", x.n, d)
			if s.QKVBias {
				add(p+"self_attn."+x.name+"_proj.bias", x.n)
			}
		}
		add(p+"self_attn.o_proj.weight", d, inner)
		add(p+"post_attention_layernorm.weight", d)
		add(p+"mlp.gate_proj.weight", int64(l.DInner), d)
		add(p+"mlp.up_proj.weight", int64(l.DInner), d)
		add(p+"mlp.down_proj.weight", d, int64(l.DInner))
	}
	add(llamaPrefix+"norm.weight", d)
	if s.Untied {
		add(headName, int64(s.Vocab), d)
	}
	return out
}

func llamaCanonical(name string) string {
	if name == headName || strings.HasPrefix(name, llamaPrefix) {
		return name
	}
	return llamaPrefix + name
}

// llamaIgnorable: the rotary frequencies, which old versions stored.
func llamaIgnorable(name string) bool { return strings.HasSuffix(name, ".rotary_emb.inv_freq") }

// llamaConfig is the Spec as LlamaConfig; with biases, Qwen2Config; and with heads
// that do not divide d_model, which LlamaConfig refuses since transformers 5 whatever
// their size, MistralConfig, which is LLaMA but for a window that is left out.
func llamaConfig(s arch.Spec) map[string]any {
	l := s.Layers[0]
	base := s.RopeBase
	if base == 0 {
		base = arch.DefaultRopeBase
	}
	c := map[string]any{
		"model_type": "llama", "architectures": []string{"LlamaForCausalLM"},
		"vocab_size": s.Vocab, "max_position_embeddings": s.Positions, "hidden_size": s.DModel,
		"num_hidden_layers": len(s.Layers), "num_attention_heads": l.NHead, "num_key_value_heads": l.KVHeads(),
		"intermediate_size": l.DInner, "head_dim": s.HeadDimOf(0), "hidden_act": "silu",
		"rms_norm_eps": s.NormEpsilon(), "tie_word_embeddings": !s.Untied, "rope_theta": point(base),
	}
	switch {
	case s.QKVBias:
		c["model_type"], c["architectures"] = "qwen2", []string{"Qwen2ForCausalLM"}
		c["use_sliding_window"] = false
	case s.DModel%l.NHead != 0:
		c["model_type"], c["architectures"] = "mistral", []string{"MistralForCausalLM"}
		c["sliding_window"] = nil
	default:
		c["attention_bias"], c["mlp_bias"] = false, false
	}
	if r := s.RopeScaling; r != nil {
		scaling := map[string]any{"rope_type": r.Type, "factor": point(r.Factor)}
		if r.Type == arch.RopeLLaMA3 {
			scaling["low_freq_factor"], scaling["high_freq_factor"] = point(r.LowFreqFactor), point(r.HighFreqFactor)
			scaling["original_max_position_embeddings"] = r.OriginalPositions
		}
		c["rope_scaling"] = scaling
	}
	return c
}

// point is a number that has a point where it is written, though it be whole:
// transformers warns of a factor that is an integer.
type point float64

// MarshalJSON implements [json.Marshaler].
func (p point) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(float64(p))
	if err == nil && !bytes.ContainsAny(text, ".e") {
		text = append(text, ".0"...)
	}
	return text, err
}
