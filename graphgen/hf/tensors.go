package hf

import "lathe/graphgen/arch"

// headName is the LM head where it is a matrix of its own.
const headName = "lm_head.weight"

// Tensors are the names and shapes of a Spec's weights, as transformers' class for
// language models stores them.
func Tensors(s arch.Spec) []Tensor {
	if s.Rotary() {
		return llamaTensors(s)
	}
	return gpt2Tensors(s)
}

// canonical is a tensor's name as the class for language models has it, given one
// as some class has it.
func (c *Config) canonical(name string) string {
	if c.Spec.Rotary() {
		return llamaCanonical(name)
	}
	return gpt2Canonical(name)
}

// ignorable reports whether a tensor that the model does not need is known to be
// of no use.
func (c *Config) ignorable(name string) bool {
	if name == headName {
		return !c.Spec.Untied // the embedding takes its place
	}
	if c.Spec.Rotary() {
		return llamaIgnorable(name)
	}
	return gpt2Ignorable(name)
}
