package arch

import (
	"testing"

	"pgregory.net/rapid"
)

// paperTable is Table 1 of the paper with the counts that the paper prints, in
// whole millions, truncated.
var paperTable = []struct {
	name                     string
	totalM, decoderM         int64
	total, decoder, embedded int64
}{
	{"gpt2-l12-d1024-f4096-h16", 204, 151, 204717056, 151154688, 53560320},
	{"gpt2-l7-d1984-f1664-h4", 260, 156, 260348160, 156571072, 103773120},
	{"gpt2-l6-d1856-f3712-h4", 262, 165, 262551616, 165469824, 97078080},
	{"gpt2-l7-d1280-f6016-h16", 220, 153, 220757632, 153804672, 66950400},
}

func TestCountsOfSeedTable(t *testing.T) {
	for _, want := range paperTable {
		c, err := ParseCandidate(want.name)
		if err != nil {
			t.Fatal(err)
		}
		got := c.Counts()
		if got.TotalParams != want.total || got.DecoderParams != want.decoder || got.EmbeddingParams != want.embedded {
			t.Errorf("%s: total %d, decoder %d, embedding %d; want %d, %d, %d", want.name,
				got.TotalParams, got.DecoderParams, got.EmbeddingParams, want.total, want.decoder, want.embedded)
		}
		if got.TotalParams/1e6 != want.totalM || got.DecoderParams/1e6 != want.decoderM {
			t.Errorf("%s: %d and %d million; the paper prints %d and %d", want.name,
				got.TotalParams/1e6, got.DecoderParams/1e6, want.totalM, want.decoderM)
		}
	}
}

// TestCountsByHand counts a model small enough to be written out.
func TestCountsByHand(t *testing.T) {
	// d_model 8, two layers of 3 heads of 5 with d_inner 7: 15 wide inside.
	s := Spec{Family: GPT2, Vocab: 11, Positions: 6, DModel: 8, HeadDim: 5,
		Layers: []Layer{{NHead: 3, DInner: 7}, {NHead: 3, DInner: 7}}}
	layer := int64(8*45 + 45 + 15*8 + 8 + 8*7 + 7 + 7*8 + 8 + 4*8)
	linear := int64(8*45 + 15*8 + 8*7 + 7*8)
	vectors := int64(45 + 8 + 7 + 8 + 4*8)
	if got := s.DecoderParams(); got != 2*layer {
		t.Errorf("decoder %d, want %d", got, 2*layer)
	}
	if got, want := s.TotalParams(), 2*layer+11*8+6*8+2*8; got != want {
		t.Errorf("total %d, want %d", got, want)
	}
	if got, want := s.KVBytesPerToken(Build{}), int64(2*2*15*4); got != want {
		t.Errorf("cache %d, want %d", got, want)
	}
	if got, want := s.FlopsPerToken(), 2*(2*linear+8*11); got != want {
		t.Errorf("flops %d, want %d", got, want)
	}
	if got, want := s.BytesPerToken(Build{}), 4*(2*(linear+vectors)+2*8+8*11+2*8); got != want {
		t.Errorf("fp32 bytes %d, want %d", got, want)
	}
	// Blocks of 16 along K: 8 -> 1 block, 15 -> 1, 7 -> 1; each 8 bytes and a scale.
	int4 := Build{Precision: Precision{Type: Int4, Block: 16}}
	quantized := int64(45+8+7+8) * 12
	head := int64(11) * 12
	if got, want := s.BytesPerToken(int4), 2*quantized+head+12+4*(2*vectors+2*8+8); got != want {
		t.Errorf("int4 bytes %d, want %d", got, want)
	}
	if got, want := s.WeightBytes(int4), 2*quantized+head+4*(2*vectors+2*8+6*8); got != want {
		t.Errorf("int4 weights %d, want %d", got, want)
	}
	s.Untied = true
	if got, want := s.TotalParams(), 2*layer+2*11*8+6*8+2*8; got != want {
		t.Errorf("untied total %d, want %d", got, want)
	}
}

// TestCountsOfLLaMAByHand counts a model small enough to be written out, and two that
// are published: TinyLlama-1.1B has 1,100,048,384 parameters, Llama-2-7b 6,738,415,616.
func TestCountsOfLLaMAByHand(t *testing.T) {
	// d_model 8, two layers of 6 heads of 4, which share 3 heads of keys and values.
	layer := Layer{NHead: 6, NKVHead: 3, DInner: 7}
	s := Spec{Family: LLaMA, Vocab: 11, Positions: 6, DModel: 8, HeadDim: 4, Untied: true, Layers: []Layer{layer, layer}}
	linear := int64(8*24 + 2*8*12 + 24*8 + 3*8*7)
	norms := int64(2 * 8)
	if got, want := s.DecoderParams(), 2*(linear+norms); got != want {
		t.Errorf("decoder %d, want %d", got, want)
	}
	if got, want := s.TotalParams(), 2*(linear+norms)+2*11*8+8; got != want {
		t.Errorf("total %d, want %d", got, want)
	}
	if got, want := s.EmbeddingParams(), int64(11*8); got != want {
		t.Errorf("embedding %d, want %d", got, want)
	}
	if got, want := s.KVBytesPerToken(Build{}), int64(2*2*12*4); got != want {
		t.Errorf("cache %d, want %d", got, want)
	}
	if got, want := s.BytesPerToken(Build{}), 4*(2*(linear+norms)+8+8*11+8); got != want {
		t.Errorf("bytes %d, want %d", got, want)
	}
	s.QKVBias = true
	if got, want := s.DecoderParams(), 2*(linear+norms+48); got != want {
		t.Errorf("decoder with biases %d, want %d", got, want)
	}
	for name, want := range map[string]int64{
		"llama-l22-d2048-f5632-h32-kv4":           1100048384,
		"llama-l32-d4096-f11008-h32-p4096":        6738415616,
		"llama-l5-d64-f172-h8-kv4-v512-p512-tied": 264128 - 2*512*4, // its file has tables of angles too
	} {
		if got := mustParse(t, name+"+portable").Spec.TotalParams(); got != want {
			t.Errorf("%s: %d parameters, want %d", name, got, want)
		}
	}
}

// TestBlocksArePadded: K of 33 in blocks of 32 takes two; zero points fill bytes.
func TestBlocksArePadded(t *testing.T) {
	for _, c := range []struct {
		p    string
		k    int
		want int64
	}{
		{"int4", 1, 20}, {"int4", 32, 20}, {"int4", 33, 40}, {"int4", 64, 40}, {"int4", 65, 60},
		{"int4b32asym", 32, 21}, {"int4b32asym", 33, 41}, {"int4b32asym", 65, 62},
		{"int8", 1, 36}, {"int8", 33, 72}, {"int8b64", 65, 136}, {"int8b64asym", 65, 138},
		{"int8dyn", 33, 37}, {"fp32", 33, 132}, {"fp16", 33, 66},
	} {
		p, f, problem := parsePrecision(c.p)
		if problem != "" {
			t.Fatal(problem)
		}
		if got := p.bytes(c.k, 3, f); got != 3*c.want {
			t.Errorf("%s, K %d: %d bytes, want %d", c.p, c.k, got, 3*c.want)
		}
		blocks := int64(c.k+p.Block-1) / int64(max(p.Block, 1))
		if p.Blockwise() && p.bytes(c.k, 3, FP16) != 3*(c.want-2*blocks) {
			t.Errorf("%s, K %d: %d bytes with float16 scales, want %d", c.p, c.k, p.bytes(c.k, 3, FP16), 3*(c.want-2*blocks))
		}
	}
}

// TestEmbeddingAndHead: a tied matrix in blocks is stored once and read as both; a
// user may have two forms of it.
func TestEmbeddingAndHead(t *testing.T) {
	const v, d, rest = 50257, 1024, 2048 * 1024 * 4 // positions
	s := NewSpec(GPT2, 12, d, 4096, 16)
	layers, final := s.vectorParams()
	for _, c := range []struct {
		build, embed, name string
		head, row, stored  int64
	}{
		{"", "fp32", "", v * d * 4, d * 4, v * d * 4},
		{"+head-int4", "int4b32", "+head-int4b32", v * 640, 640, v * 640},
		{"+head-int4+embed-int4", "int4b32", "+head-int4b32", v * 640, 640, v * 640},
		{"+head-int4+embed-fp32", "fp32", "+head-int4b32+embed-fp32", v * 640, d * 4, v*d*4 + v*640},
		{"+head-int4asym", "int4b32asym", "+head-int4b32asym", v * 656, 656, v * 656},
		{"+head-int8b64+embed-int4b128", "int4b128", "+head-int8b64+embed-int4b128", v * 1088, 544, v * (1088 + 544)},
		{"+head-int8dyn", "fp32", "+head-int8dyn", v * 1028, d * 4, v * (1028 + d*4)},
		{"+embed-int8", "int8b32", "+embed-int8b32", v * d * 4, 1152, v * (d*4 + 1152)},
		{"+embed-fp32", "fp32", "", v * d * 4, d * 4, v * d * 4},
	} {
		x := mustParse(t, s.Name()+c.build)
		if got := x.Build.NameOf(x.Build.EmbedOf(x.Spec)); got != c.embed || x.Build.Name() != c.name {
			t.Errorf("%s: embedding %s, want %s; named %s, want %s", c.build, got, c.embed, x.Build.Name(), c.name)
		}
		linear, head := s.matMulBytes(x.Build)
		vectors := (layers + final) * 4
		if head != c.head || s.BytesPerToken(x.Build) != linear+c.head+vectors+c.row+d*4 {
			t.Errorf("%s: head %d, want %d; %d a token", c.build, head, c.head, s.BytesPerToken(x.Build))
		}
		if got, want := s.WeightBytes(x.Build), linear+c.stored+vectors+rest; got != want {
			t.Errorf("%s: weights take %d, want %d", c.build, got, want)
		}
	}
	untied := s
	untied.Untied = true
	if p := (Build{Head: Precision{Type: Int4}}).EmbedOf(untied); p.Type != Unquantized {
		t.Errorf("an untied embedding is %v", p)
	}
}

func TestMatMulsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t, false)
		var weights, flops int64
		last := 0
		products := map[int]int{}
		for _, m := range s.MatMuls() {
			if m.Layer != -1 && m.Layer < last {
				t.Fatalf("product %s of layer %d comes after those of layer %d", m.Name, m.Layer, last)
			}
			last = m.Layer
			products[m.Layer]++
			flops += 2 * int64(m.K) * int64(m.N)
			if m.Layer >= 0 {
				weights += int64(m.K) * int64(m.N)
				if s.Family != LLaMA || s.QKVBias && m.Name == "self_attn.qkv_proj" {
					weights += int64(m.N)
				}
			}
		}
		norms, d := int64(0), int64(s.DModel)
		for i := range s.Layers {
			want := 4
			switch {
			case s.Family == LLaMA:
				want, norms = 5, norms+2*d
			case s.Stack():
				want = 2
				if i == len(s.Layers)-1 && s.HiddenOf(i) != s.DModel {
					want = 3
				}
			case s.TypeOf(i).Recurrent():
				want, norms = 3, norms+2*d
			default:
				norms += 4 * d
			}
			if products[i] != want {
				t.Fatalf("layer %d, %s, has %d products, want %d", i, s.TypeOf(i), products[i], want)
			}
		}
		rows := d
		if s.LearnedPositions() {
			rows *= 2
		}
		if got := s.DecoderParams(); got != weights+norms {
			t.Fatalf("decoder %d, products and norms %d", got, weights+norms)
		}
		if got := s.FlopsPerToken(); got != flops {
			t.Fatalf("flops %d, products %d", got, flops)
		}
		// All weights but the embeddings' unread rows are read once a token.
		b := Build{}
		unread := s.EmbeddingParams() - rows
		if !s.Untied {
			unread -= int64(s.Vocab) * d
		}
		if got, want := s.BytesPerToken(b), 4*(s.TotalParams()-unread); got != want {
			t.Fatalf("fp32 reads %d bytes a token, want %d", got, want)
		}
		if got, want := s.WeightBytes(b), 4*s.TotalParams(); got != want {
			t.Fatalf("fp32 weights %d bytes, want %d", got, want)
		}
		// Half of everything in fp16.
		half := Build{Float: FP16}
		if got, want := [3]int64{s.WeightBytes(half), s.BytesPerToken(half), s.KVBytesPerToken(half)},
			[3]int64{s.WeightBytes(b) / 2, s.BytesPerToken(b) / 2, s.KVBytesPerToken(b) / 2}; got != want {
			t.Fatalf("fp16: weights, bytes a token, cache a token %d, want %d", got, want)
		}
	})
}

func TestLargestSpecDoesNotOverflow(t *testing.T) {
	s := NewSpec(GPT2, MaxLayers, MaxDModel, MaxDInner, MaxHeads)
	s.HeadDim, s.Vocab, s.Positions, s.Untied = MaxHeadDim, MaxVocab, MaxPositions, true
	if s.TotalParams() <= MaxParams || s.BytesPerToken(Build{}) <= 0 || s.FlopsPerToken() <= 0 || s.KVBytesPerToken(Build{}) <= 0 {
		t.Fatalf("overflow: %+v", Candidate{Spec: s}.Counts())
	}
	if err := s.Validate(); err == nil {
		t.Fatal("accepted")
	}
}

func BenchmarkCounts(b *testing.B) {
	c := Candidate{Spec: NewSpec(GPT2, 12, 1024, 4096, 16)}
	b.ReportAllocs()
	for b.Loop() {
		_ = c.Counts()
	}
}
