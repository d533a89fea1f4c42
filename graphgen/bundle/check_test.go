package bundle_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
)

func candidate(t testing.TB, text string) arch.Candidate {
	t.Helper()
	c, err := arch.ParseCandidate(text)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "+fused") && !strings.Contains(text, "+portable") {
		c.Build.Dialect = "" // it names none
	}
	return c
}

// TestCheck: what each loader opens, and why not.
func TestCheck(t *testing.T) {
	layers := func(text string, change func(*arch.Layer)) arch.Candidate {
		c := candidate(t, text)
		c.Spec.Layers = append([]arch.Layer{}, c.Spec.Layers...)
		change(&c.Spec.Layers[2])
		return c
	}
	for _, c := range []struct {
		c                  arch.Candidate
		optimum, js, genai string // why not; "" opens it
		nearest            string // for all
	}{
		{candidate(t, "gpt2-l2-d64-f256-h4"), "", "", "", ""},
		{candidate(t, "llama-l2-d64-f256-h4-kv2+portable+int4b32"), "", "", "", ""},
		{candidate(t, "gpt2-l2-d64-f256-h4+fused+int8"), "padded on the left", "", "", "gpt2-l2-d64-f256-h4+portable+int8b32"},
		{candidate(t, "llama-l2-d64-f256-h4-hd32"), "heads of d_model/n_head, 16", "", "", "llama-l2-d64-f"},
		{candidate(t, "gpt2-l2-d64-f256-h4-hd32"), "head_dim is 32", "", "", "gpt2-l2-d64-f"},
		{candidate(t, "lstm-l2-d64-v100"), "of type lstm", "of type lstm", "of type lstm", "gpt2-l2-d64-f"},
		{layers("gpt2-l3-d64-f256-h4-v100-p64", func(l *arch.Layer) { l.DInner = 128 }), "", "", "", ""},
		{layers("gpt2-l3-d64-f256-h4-v100-p64", func(l *arch.Layer) { l.NHead = 8 }), "n_head 4 in layer 0 and 8 in layer 2", "", "", "gpt2-l3-d64-f256-h4-v100-p64+portable"},
		{layers("llama-l3-d64-f256-h8-kv4-v100-p64", func(l *arch.Layer) { l.NKVHead = 2 }), "n_kv_head 4 in layer 0 and 2 in layer 2", "", "", "llama-l3-d64-f256-h8-kv4-v100-p64+portable"},
	} {
		for i, v := range bundle.Check(c.c) {
			want := []string{c.optimum, c.js, c.genai}[i]
			if v.Opens != (want == "") || !strings.Contains(strings.Join(v.Reasons, "; "), want) {
				t.Errorf("%s: %+v, want %q", c.c.Name(), v, want)
			}
		}
		_, err := bundle.CheckFor(c.c, bundle.Loaders)
		var refused *bundle.CannotOpen
		if errors.As(err, &refused) != (c.nearest != "") {
			t.Errorf("%s: %v", c.c.Name(), err)
			continue
		}
		if c.nearest != "" && (refused.Nearest == nil || !strings.HasPrefix(refused.Nearest.Name(), c.nearest) || !strings.Contains(err.Error(), refused.Nearest.Name())) {
			t.Errorf("%s: %v, want %s", c.c.Name(), err, c.nearest)
		}
	}
	if limits, err := bundle.CheckFor(candidate(t, "gpt2-l2-d64-f256-h4+fused"), []bundle.Loader{bundle.TransformersJS}); err != nil || len(limits) != 1 || !strings.Contains(limits[0], "one prompt at a time") {
		t.Error(limits, err)
	}
}

// TestNearest: the nearest candidate is one that is opened, with about the parameters
// of the other's decoder.
func TestNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := arch.Spec{
			Family: rapid.SampledFrom([]arch.Family{arch.GPT2, arch.LLaMA, arch.Mixed, arch.LSTM, arch.GRU}).Draw(t, "family"),
			Vocab:  100, Positions: 64, DModel: 32 * rapid.IntRange(2, 20).Draw(t, "d_model"),
		}
		for range rapid.IntRange(1, 5).Draw(t, "n_layer") {
			l := arch.Layer{Type: arch.Transformer, NHead: rapid.SampledFrom([]int{1, 2, 4, 8}).Draw(t, "n_head"), DInner: 64 * rapid.IntRange(1, 20).Draw(t, "d_inner")}
			switch {
			case s.Stack():
				l = arch.Layer{Type: arch.LayerType(s.Family), Hidden: 64}
			case s.Family == arch.Mixed && rapid.Bool().Draw(t, "recurrent"):
				l = arch.Layer{Type: arch.LSTM, Hidden: 64}
			}
			s.Layers = append(s.Layers, l)
		}
		if rapid.Bool().Draw(t, "head_dim") && !s.Stack() {
			s.HeadDim = 16
		}
		c := arch.Candidate{Spec: s}
		if c.Validate() != nil {
			return
		}
		_, err := bundle.CheckFor(c, bundle.Loaders)
		var refused *bundle.CannotOpen
		if err == nil || !errors.As(err, &refused) {
			return
		}
		if refused.Nearest == nil {
			t.Fatalf("%v: nothing near", err)
		}
		if _, err := bundle.CheckFor(*refused.Nearest, bundle.Loaders); err != nil {
			t.Fatalf("%v, which is not opened: %v", refused, err)
		}
		was, is := s.DecoderParams(), refused.Nearest.Spec.DecoderParams()
		if is > 2*was && refused.Nearest.Spec.Layers[0].DInner > 64 {
			t.Fatalf("%v: %d parameters, and had %d", refused, is, was)
		}
	})
}
