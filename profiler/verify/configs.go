package verify

import (
	"errors"
	"fmt"

	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
	"lathe/runtime/decode"
)

// facts are what a model's graph is.
type facts struct {
	info  decode.Info
	spec  *arch.Spec // what it was recognised as, or nil
	build arch.Build
}

// vocab is 0 where the graph does not say.
func (f *facts) vocab() int {
	if f.spec != nil {
		return f.spec.Vocab
	}
	return f.info.Vocab
}

// differ notes two sizes that should be one, where both are known.
func differ(faults *[]string, what string, said, is int) {
	if said > 0 && is > 0 && said != is {
		*faults = append(*faults, fmt.Sprintf("%s is %d, and the graph has %d", what, said, is))
	}
}

// caches holds layers and heads of a configuration against the graph's caches.
func (f *facts) caches(faults *[]string, file, layers, heads, headDim string, nLayers, nHeads, dim int) {
	all := f.info.Layers
	differ(faults, file+layers, nLayers, len(all))
	if f.spec != nil && !f.spec.Homogeneous() {
		all = all[:min(1, len(all))] // one size for all cannot say more than the first
	}
	for _, l := range all {
		n := len(*faults)
		differ(faults, file+heads, nHeads, l.Heads)
		differ(faults, file+headDim, dim, l.HeadDim)
		if len(*faults) > n {
			return // of one layer is enough
		}
	}
}

// checkConfig holds config.json, generation_config.json and the manifest against the
// graph.
func checkConfig(b *bundle.Bundle, m bundle.Model, f *facts) Check {
	if b.Config == nil && b.Manifest == nil {
		return skipped(Config, m.File, "the folder has neither "+bundle.ConfigFile+" nor "+bundle.ManifestFile)
	}
	var faults []string
	compared := ""
	if c := b.Config; c != nil {
		if c.Spec == nil || f.spec == nil || c.Spec.Homogeneous() { // or it is compared as a whole
			f.caches(&faults, bundle.ConfigFile+": ", "num_hidden_layers", "num_key_value_heads", "head_dim", c.Layers, c.KVHeads, c.HeadDim)
		}
		differ(&faults, bundle.ConfigFile+": vocab_size", c.Vocab, f.vocab())
		compared = bundle.ConfigFile
		if f.spec != nil {
			differ(&faults, bundle.ConfigFile+": positions", c.Positions, f.spec.Positions)
			if c.Spec != nil && !c.Spec.Equal(*f.spec) && len(faults) == 0 {
				faults = append(faults, fmt.Sprintf("by %s it is %s, and the graph is %s", bundle.ConfigFile, c.Spec.Name(), f.spec.Name()))
			}
		}
	}
	if x := b.Manifest; x != nil {
		if f.spec != nil && !x.Spec.Equal(*f.spec) && len(faults) == 0 {
			faults = append(faults, fmt.Sprintf("by %s it is %s, and the graph is %s", bundle.ManifestFile, x.Spec.Name(), f.spec.Name()))
		}
		if compared != "" {
			compared += " and "
		}
		compared += bundle.ManifestFile
	}
	faults = append(faults, specials(b.Tokens, f.vocab())...)
	detail := fmt.Sprintf("%s: %d layers, vocabulary %d", compared, len(f.info.Layers), f.vocab())
	if f.spec != nil {
		detail = fmt.Sprintf("%s: %s", compared, f.spec.Name())
	}
	return verdict(Config, m.File, faults, detail)
}

// specials are tokens that the vocabulary does not have.
func specials(t bundle.Tokens, vocab int) (faults []string) {
	check := func(key string, id int) {
		if vocab > 0 && id >= vocab {
			faults = append(faults, fmt.Sprintf("%s is %d, and the vocabulary has %d", key, id, vocab))
		}
	}
	if t.Begin != nil {
		check("bos_token_id", *t.Begin)
	}
	for _, id := range t.End {
		check("eos_token_id", id)
	}
	if t.Pad != nil {
		check("pad_token_id", *t.Pad)
	}
	return faults
}

// checkGenAI holds genai_config.json against the graph.
func checkGenAI(c *bundle.GenAIConfig, m bundle.Model, f *facts) Check {
	var faults []string
	f.caches(&faults, "", "num_hidden_layers", "num_key_value_heads", "head_size", c.Layers, c.KVHeads, c.HeadSize)
	differ(&faults, "vocab_size", c.Vocab, f.vocab())
	if s := f.spec; s != nil {
		differ(&faults, "hidden_size", c.Hidden, s.DModel)
		differ(&faults, "num_attention_heads", c.Heads, s.Layers[0].NHead)
		if c.Positions > s.Positions {
			faults = append(faults, fmt.Sprintf("context_length is %d, and the graph has %d positions", c.Positions, s.Positions))
		}
	} else if c.Heads > 0 && c.KVHeads > 0 && c.Heads%c.KVHeads != 0 {
		faults = append(faults, fmt.Sprintf("num_attention_heads is %d, no multiple of num_key_value_heads, %d", c.Heads, c.KVHeads))
	}
	if c.MaxLength > c.Positions {
		faults = append(faults, fmt.Sprintf("search.max_length is %d, and context_length %d", c.MaxLength, c.Positions))
	}
	faults = append(faults, specials(c.Tokens, f.vocab())...)
	return verdict(GenAIConfig, m.File, faults, fmt.Sprintf("%d layers of %d heads of %d, context_length %d", c.Layers, c.KVHeads, c.HeadSize, c.Positions))
}

// checkTokenizer asks whether the folder's tokenizer is the model's.
func checkTokenizer(b *bundle.Bundle, vocab int, o *Options) Check {
	switch {
	case b.Tokenizer == "" && b.Manifest != nil && b.Manifest.Tokenizer != "none":
		return failed(Tokenizer, "", errors.New("the folder has none, and its manifest says that it was written from "+b.Manifest.Tokenizer))
	case b.Tokenizer == "":
		return skipped(Tokenizer, "", "the folder has none")
	case o.Tokenizer == nil:
		return skipped(Tokenizer, "", "there is nothing to read it with")
	}
	size, err := o.Tokenizer(b, vocab)
	if err != nil {
		return failed(Tokenizer, "", err)
	}
	value, bound := float64(size), float64(vocab)
	c := passed(Tokenizer, "", "every token is one of the model's")
	c.Value, c.Bound, c.Unit = &value, &bound, "tokens"
	return c
}
