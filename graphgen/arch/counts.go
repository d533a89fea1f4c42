package arch

import "iter"

// Counts are what a Candidate costs, exact and in closed form. A parameter count
// equals the sum over the initializers of the fp32 graph, a tied matrix once,
// constants left out.
type Counts struct {
	// DecoderParams are those of the layers; neither the embeddings nor the final
	// norm nor an untied LM head are in it.
	DecoderParams int64 `json:"decoder_params"`
	TotalParams   int64 `json:"total_params"`
	// EmbeddingParams are those of the token embedding and, with learned positions,
	// of theirs (and of the LM head where it is tied, which is the same matrix).
	EmbeddingParams int64 `json:"embedding_params"`
	// BytesPerToken is the weight bytes that one decode step reads; see
	// [Spec.BytesPerToken].
	BytesPerToken int64 `json:"bytes_per_token"`
	// FlopsPerToken is 2 for each multiply-add of the products with weights, LM
	// head included, for one token. Attention's own products are not in it: they
	// grow with the cache (4 * n_head * head_dim a layer for every cached token).
	FlopsPerToken int64 `json:"flops_per_token"`
	// KVBytesPerToken is what one token adds to the cache.
	KVBytesPerToken int64 `json:"kv_bytes_per_token"`
	// StateBytes is the recurrent states of one sequence, in fp32.
	StateBytes int64 `json:"state_bytes,omitempty"`
}

// MatMul is one product with a weight matrix: [rows, K] x [K, N].
type MatMul struct {
	Name  string // within its layer, as Hugging Face names it: "attn.c_attn", "mlp.up_proj", "lm_head"
	K, N  int
	Layer int // -1 for the LM head
}

// lmHead is the Name of the one product that stands outside the layers.
const lmHead = "lm_head"

// MatMuls returns the products with weights of one forward pass, in the order
// in which they run: for every layer of GPT-2 attn.c_attn, attn.c_proj, mlp.c_fc
// and mlp.c_proj, of LLaMA self_attn.qkv_proj (queries, keys and values in one),
// self_attn.o_proj, mlp.gate_proj, mlp.up_proj and mlp.down_proj, of recurrent ones
// rnn.weight_ih, rnn.weight_hh and, where there is one, proj; then lm_head.
func (s Spec) MatMuls() []MatMul {
	all := make([]MatMul, 0, 5*len(s.Layers)+1)
	for m := range s.matMuls() {
		all = append(all, m)
	}
	return all
}

func (s Spec) matMuls() iter.Seq[MatMul] {
	return func(yield func(MatMul) bool) {
		rotary := s.Rotary()
		for i, l := range s.Layers {
			if s.typeOf(l).Recurrent() {
				if !s.recurrentProducts(i, yield) {
					return
				}
				continue
			}
			inner := l.NHead * s.HeadDimOf(i)
			if rotary {
				both := 2 * l.KVHeads() * s.HeadDimOf(i) // keys and values
				if !yield(MatMul{"self_attn.qkv_proj", s.DModel, inner + both, i}) ||
					!yield(MatMul{"self_attn.o_proj", inner, s.DModel, i}) ||
					!yield(MatMul{"mlp.gate_proj", s.DModel, l.DInner, i}) ||
					!yield(MatMul{"mlp.up_proj", s.DModel, l.DInner, i}) ||
					!yield(MatMul{"mlp.down_proj", l.DInner, s.DModel, i}) {
					return
				}
				continue
			}
			if !yield(MatMul{"attn.c_attn", s.DModel, 3 * inner, i}) ||
				!yield(MatMul{"attn.c_proj", inner, s.DModel, i}) ||
				!yield(MatMul{"mlp.c_fc", s.DModel, l.DInner, i}) ||
				!yield(MatMul{"mlp.c_proj", l.DInner, s.DModel, i}) {
				return
			}
		}
		yield(MatMul{lmHead, s.DModel, s.Vocab, -1})
	}
}

// vectorParams counts what is no matrix: two norms a transformer layer, one a
// recurrent one and the final one, and biases. GPT-2's norms have a bias beside the
// weight, and every product but the LM head's has one; in LLaMA only those of QKVBias
// are there, and a stack of recurrent layers has no norms.
func (s Spec) vectorParams() (layers, final int64) {
	if s.Rotary() {
		norm := int64(s.DModel)
		layers = 2 * norm * int64(len(s.Layers))
		if s.QKVBias {
			for i, l := range s.Layers {
				layers += int64(l.NHead+2*l.KVHeads()) * int64(s.HeadDimOf(i))
			}
		}
		return layers, norm
	}
	for m := range s.matMuls() {
		if m.Layer >= 0 {
			layers += int64(m.N)
		}
	}
	if s.Stack() {
		return layers, 0
	}
	norm := 2 * int64(s.DModel)
	for i := range s.Layers {
		layers += norm
		if !s.TypeOf(i).Recurrent() {
			layers += norm
		}
	}
	return layers, norm
}

// DecoderParams counts the parameters of the layers.
func (s Spec) DecoderParams() int64 {
	n, _ := s.vectorParams()
	for m := range s.matMuls() {
		if m.Layer >= 0 {
			n += int64(m.K) * int64(m.N)
		}
	}
	return n
}

// EmbeddingParams counts the parameters of the token embedding and of that of
// positions, where there is one.
func (s Spec) EmbeddingParams() int64 {
	rows := int64(s.Vocab)
	if s.LearnedPositions() {
		rows += int64(s.Positions)
	}
	return rows * int64(s.DModel)
}

// embeddingBytes is the size of the token embedding and of that of positions, where
// there is one, which is never quantized: of all rows, or of those that one token takes.
func (s Spec) embeddingBytes(b Build, all bool) int64 {
	tokens, positions := 1, 1
	if all {
		tokens, positions = s.Vocab, s.Positions
	}
	if !s.LearnedPositions() {
		positions = 0
	}
	b = b.Normalized()
	return b.EmbedOf(s).bytes(s.DModel, tokens, b.Float) + Precision{Type: Unquantized}.bytes(s.DModel, positions, b.Float)
}

// TotalParams counts all parameters, a tied matrix once.
func (s Spec) TotalParams() int64 {
	_, final := s.vectorParams()
	n := s.DecoderParams() + s.EmbeddingParams() + final
	if s.Untied {
		n += int64(s.Vocab) * int64(s.DModel)
	}
	return n
}

// matMulBytes is what one decode step reads of matrices: all of them, wholly.
func (s Spec) matMulBytes(b Build) (linear, head int64) {
	for m := range s.matMuls() {
		if m.Layer < 0 {
			head += b.Head.bytes(m.K, m.N, b.Float)
		} else {
			linear += b.Precision.bytes(m.K, m.N, b.Float)
		}
	}
	return linear, head
}

// ProductBytes is the size of the matrices that tokens are multiplied with, the LM
// head's among them, as b stores them: codes, scales and zero points.
func (s Spec) ProductBytes(b Build) int64 {
	linear, head := s.matMulBytes(b.Normalized())
	return linear + head
}

// BytesPerToken is the weight bytes that one decode step of b reads: every
// matrix of the layers and the LM head wholly, in the precision it is stored in,
// biases and norms as floats, and one row of each embedding. The cache is not in it
// (see KVBytesPerToken), nor are the rotary embedding's angles, which are constants.
func (s Spec) BytesPerToken(b Build) int64 {
	b = b.Normalized()
	linear, head := s.matMulBytes(b)
	layers, final := s.vectorParams()
	return linear + head + (layers+final)*b.Float.Bytes() + s.embeddingBytes(b, false)
}

// WeightBytes is the size of all weights as b stores them. A tied LM head in the
// embedding's precision is the embedding itself; in another it is a copy of its own.
func (s Spec) WeightBytes(b Build) int64 {
	b = b.Normalized()
	linear, head := s.matMulBytes(b)
	if s.SharesHead(b) {
		head = 0
	}
	layers, final := s.vectorParams()
	return linear + head + (layers+final)*b.Float.Bytes() + s.embeddingBytes(b, true)
}

// SharesHead reports whether the LM head and the token embedding are one stored
// matrix: tied, and of one precision.
func (s Spec) SharesHead(b Build) bool {
	return !s.Untied && b.Normalized().Head == b.EmbedOf(s)
}

// FlopsPerToken is 2 for each multiply-add of the products with weights.
func (s Spec) FlopsPerToken() int64 {
	var n int64
	for m := range s.matMuls() {
		n += 2 * int64(m.K) * int64(m.N)
	}
	return n
}

// KVBytesPerToken is what one token adds to the key and value caches of b.
func (s Spec) KVBytesPerToken(b Build) int64 {
	var n int64
	for i, l := range s.Layers {
		n += 2 * int64(l.KVHeads()) * int64(s.HeadDimOf(i)) * b.Float.Bytes()
	}
	return n
}

// Counts returns all counts of c.
func (c Candidate) Counts() Counts {
	return Counts{
		DecoderParams:   c.Spec.DecoderParams(),
		TotalParams:     c.Spec.TotalParams(),
		EmbeddingParams: c.Spec.EmbeddingParams(),
		BytesPerToken:   c.Spec.BytesPerToken(c.Build),
		FlopsPerToken:   c.Spec.FlopsPerToken(),
		KVBytesPerToken: c.Spec.KVBytesPerToken(c.Build),
		StateBytes:      c.Spec.StateBytes(),
	}
}
