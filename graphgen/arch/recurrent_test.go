package arch

import (
	"encoding/json"
	"testing"
)

// TestCountsOfPublishedStacks: AWD-LSTM (Merity et al. 2017) prints 24,221,600
// parameters for its model of Penn Treebank; Zaremba et al. 2014 give 66 million for
// theirs, which in torch.nn, with two biases a gate, are 66,034,000. Both have a bias of
// 10,000 at the LM head, which ours lacks.
func TestCountsOfPublishedStacks(t *testing.T) {
	awd := Spec{Family: LSTM, Vocab: 10000, Positions: 70, DModel: 400, Layers: []Layer{{Hidden: 1150}, {Hidden: 1150}, {}}}
	zaremba := NewStack(LSTM, 2, 1500, 0)
	zaremba.Vocab, zaremba.Untied = 10000, true
	for _, c := range []struct {
		s    Spec
		want int64
	}{{awd, 24221600}, {zaremba, 66034000}} {
		if err := c.s.Validate(); err != nil {
			t.Fatal(err)
		}
		if got := c.s.TotalParams() + int64(c.s.Vocab); got != c.want {
			t.Errorf("%s has %d parameters with a bias at the head, want %d", c.s.Name(), got, c.want)
		}
	}
}

// TestCountsOfRecurrentByHand counts models small enough to be written out.
func TestCountsOfRecurrentByHand(t *testing.T) {
	// d_model 8, hidden 5 and 7, a projection from 7 to 8.
	stack := Spec{Family: GRU, Vocab: 11, Positions: 6, DModel: 8, Layers: []Layer{{Hidden: 5}, {Hidden: 7}}}
	linear := int64(15*8 + 15*5 + 21*5 + 21*7 + 7*8)
	vectors := int64(2*15 + 2*21 + 8)
	for what, c := range map[string][2]int64{
		"decoder":    {stack.DecoderParams(), linear + vectors},
		"total":      {stack.TotalParams(), linear + vectors + 11*8},
		"embedding":  {stack.EmbeddingParams(), 11 * 8},
		"flops":      {stack.FlopsPerToken(), 2 * (linear + 11*8)},
		"bytes":      {stack.BytesPerToken(Build{}), 4 * (linear + vectors + 11*8 + 8)},
		"cache":      {stack.KVBytesPerToken(Build{}), 0},
		"state":      {stack.StateBytes(), 4 * (5 + 7)},
		"int4 bytes": {stack.BytesPerToken(Build{Precision: Precision{Type: Int4, Block: 16}}), 12*(15+15+21+21+8) + 12*11 + 12 + 4*vectors},
	} {
		if c[0] != c[1] {
			t.Errorf("stack: %s %d, want %d", what, c[0], c[1])
		}
	}
	// d_model 8: two heads with d_inner 7, an LSTM of 5, and back.
	mixed := Spec{Family: Mixed, Vocab: 11, Positions: 6, DModel: 8, Layers: []Layer{{NHead: 2, DInner: 7}, {Type: LSTM, Hidden: 5}}}
	transformer := int64(8*24 + 24 + 8*8 + 8 + 8*7 + 7 + 7*8 + 8 + 4*8)
	recurrent := int64(20*8 + 20 + 20*5 + 20 + 5*8 + 8 + 2*8)
	for what, c := range map[string][2]int64{
		"decoder":   {mixed.DecoderParams(), transformer + recurrent},
		"total":     {mixed.TotalParams(), transformer + recurrent + 11*8 + 6*8 + 2*8},
		"embedding": {mixed.EmbeddingParams(), 11*8 + 6*8},
		"cache":     {mixed.KVBytesPerToken(Build{}), 2 * 8 * 4},
		"state":     {mixed.StateBytes(), 2 * 5 * 4},
	} {
		if c[0] != c[1] {
			t.Errorf("mixed: %s %d, want %d", what, c[0], c[1])
		}
	}
}

// TestMixedOfTransformersIsGPT2: one model has one name and one hash.
func TestMixedOfTransformersIsGPT2(t *testing.T) {
	s := NewSpec(GPT2, 3, 64, 128, 4)
	m := s
	m.Family = Mixed
	if !m.Equal(s) || m.Hash() != s.Hash() || m.Name() != s.Name() || m.TotalParams() != s.TotalParams() {
		t.Errorf("%s and %s differ", m.Name(), s.Name())
	}
}

func TestReadRecurrentDocuments(t *testing.T) {
	c, err := ParseYAML("a.yaml", []byte(`
family: mixed
d_model: 64
layers:
  - {type: lstm, hidden: 96}
  - {n_head: 4, d_inner: 128}
  - {type: gru}
build: +int4b32
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Spec{Family: Mixed, Vocab: 50257, Positions: 2048, DModel: 64,
		Layers: []Layer{{Type: LSTM, Hidden: 96}, {Type: Transformer, NHead: 4, DInner: 128}, {Type: GRU}}}
	if !c.Spec.Equal(want) {
		t.Errorf("read as %+v", c.Spec)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b); got != `{"family":"mixed","vocab":50257,"positions":2048,"d_model":64,"untied":false,"layers":[{"type":"lstm","hidden":96},{"type":"transformer","n_head":4,"d_inner":128},{"type":"gru"}]}` {
		t.Errorf("JSON %s", got)
	}
	c, err = ParseYAML("a.yaml", []byte("family: lstm\nd_model: 64\nhidden: 96\nn_layer: 2\n"))
	if err != nil || c.Spec.Name() != "lstm-l2-d64-hs96" {
		t.Errorf("%s, %v", c.Spec.Name(), err)
	}
	for _, bad := range []string{
		`{"family":"lstm","d_model":64,"n_layer":2,"d_inner":5}`,
		`{"family":"gpt2","d_model":64,"n_layer":2,"d_inner":5,"n_head":1,"hidden":3}`,
		`{"family":"mixed","d_model":64,"hidden":3,"layers":[{"type":"gru"}]}`,
	} {
		var s Spec
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("%s was read as %+v", bad, s)
		}
	}
}
