package hf

import (
	"fmt"
	"strings"

	"lathe/graphgen/arch"
)

// GPT-2's sizes where config.json leaves them out: those of the smallest model.
const (
	gpt2Vocab, gpt2Positions, gpt2Width, gpt2Layers, gpt2Heads = 50257, 1024, 768, 12, 12

	gpt2Prefix = "transformer."
)

// gpt2Spec reads GPT2Config.
func gpt2Spec(f *fields) arch.Spec {
	// The three are one function: GELU in its tanh form.
	f.oneOf("activation_function", "gelu_new", "gelu_new", "gelu_pytorch_tanh", "gelu_fast")
	f.only("scale_attn_weights", true, "attention is scaled by the root of head_dim")
	f.only("scale_attn_by_inverse_layer_idx", false, "attention is scaled alike in all layers")
	f.only("add_cross_attention", false, "a decoder has no encoder to look at")
	width := f.integer("n_embd", gpt2Width)
	inner := 4 * width
	if f.has("n_inner") {
		inner = f.integer("n_inner", 0)
	}
	return arch.Spec{
		Family:    arch.GPT2,
		Vocab:     f.integer("vocab_size", gpt2Vocab),
		Positions: f.integer("n_positions", gpt2Positions),
		DModel:    width,
		Untied:    !f.boolean("tie_word_embeddings", true),
		NormEps:   f.epsilon("layer_norm_epsilon", 1e-5),
		Layers: f.layers("n_layer", f.integer("n_layer", gpt2Layers), arch.Layer{
			Type: arch.Transformer, NHead: f.integer("n_head", gpt2Heads), DInner: inner,
		}),
	}
}

// gpt2Tensors are a model's tensors. Linear layers are stored [in, out].
func gpt2Tensors(s arch.Spec) []Tensor {
	d := int64(s.DModel)
	var out []Tensor
	add := func(name string, shape ...int64) { out = append(out, Tensor{Name: name, Shape: shape}) }
	norm := func(name string) {
		add(name+".weight", d)
		add(name+".bias", d)
	}
	linear := func(name string, k, n int64) {
		add(name+".weight", k, n)
		add(name+".bias", n)
	}
	add(gpt2Prefix+"wte.weight", int64(s.Vocab), d)
	add(gpt2Prefix+"wpe.weight", int64(s.Positions), d)
	for i, l := range s.Layers {
		p := fmt.Sprintf("%sh.%d.", gpt2Prefix, i)
		inner := int64(l.NHead * s.HeadDimOf(i))
		norm(p + "ln_1")
		linear(p+"attn.c_attn", d, 3*inner)
		linear(p+"attn.c_proj", inner, d)
		norm(p + "ln_2")
		linear(p+"mlp.c_fc", d, int64(l.DInner))
		linear(p+"mlp.c_proj", int64(l.DInner), d)
	}
	norm(gpt2Prefix + "ln_f")
	if s.Untied {
		add(headName, int64(s.Vocab), d)
	}
	return out
}

// gpt2Canonical adds what the model without its head leaves out, as the files of
// OpenAI's GPT-2 do.
func gpt2Canonical(name string) string {
	if name == headName || strings.HasPrefix(name, gpt2Prefix) {
		return name
	}
	return gpt2Prefix + name
}

// gpt2Ignorable: the causal mask and its filler, which old versions stored.
func gpt2Ignorable(name string) bool {
	return strings.HasSuffix(name, ".attn.bias") || strings.HasSuffix(name, ".attn.masked_bias")
}

// gpt2Config is the Spec as GPT2Config.
func gpt2Config(s arch.Spec) map[string]any {
	l := s.Layers[0]
	return map[string]any{
		"model_type": "gpt2", "architectures": []string{"GPT2LMHeadModel"},
		"vocab_size": s.Vocab, "n_positions": s.Positions, "n_ctx": s.Positions, "n_embd": s.DModel,
		"n_layer": len(s.Layers), "n_head": l.NHead, "n_inner": l.DInner,
		"activation_function": "gelu_new", "layer_norm_epsilon": s.NormEpsilon(),
		"tie_word_embeddings": !s.Untied,
	}
}
