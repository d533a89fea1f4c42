package graphgen

import (
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// embeddingName is what Hugging Face calls the token embedding.
func embeddingName(s arch.Spec) string {
	switch {
	case s.Rotary():
		return "model.embed_tokens.weight"
	case s.Stack():
		return "encoder.weight" // as in PyTorch's example
	}
	return "transformer.wte.weight"
}

// headName is what it calls the head's matrix.
func headName(s arch.Spec) string {
	if s.Untied {
		return "lm_head.weight"
	}
	return embeddingName(s)
}

// embedding is the rows of the token embedding [vocab, d_model] that ids, int64, name.
func (l *lowering) embedding(ids *ir.Value) *ir.Value {
	p := l.build.EmbedOf(l.spec)
	if !p.Blockwise() {
		matrix := l.Param(embeddingName(l.spec), l.streamType(), l.embedInit(), int64(l.spec.Vocab), l.dModel)
		return l.embedded(matrix, l.Gather(matrix, ids))
	}
	rows := l.GatherBlockQuantized(l.quantizedEmbedding(p), ids)
	if last := len(rows.Shape) - 1; rows.Shape[last].N > l.dModel {
		rows = l.Slice(rows, last, 0, l.dModel)
	}
	return rows
}

// quantizedEmbedding is the embedding in blocks, as a gather takes it: the LM head's
// matrix where they are one, a weight of its own elsewhere.
func (l *lowering) quantizedEmbedding(p arch.Precision) ir.QuantWeight {
	weight := embeddingName(l.spec)
	name := weight
	if !l.spec.SharesHead(l.build) {
		name += "_gather"
	}
	return l.QuantParam(name, l.embedInit(), ir.Quant{
		Weight: weight, K: l.dModel, N: int64(l.spec.Vocab), Block: int64(p.Block), Bits: p.Bits(), Asym: p.Asym, Scale: l.float, Transposed: true, Flat: true,
	})
}

// head is the product with the vocabulary's matrix [vocab, d_model]: the token
// embedding where it is tied.
//
// Note: what is stored of a matrix that is gathered and multiplied by is the form
// that the gather takes, and the product's is a Reshape of it: the library folds that
// when it makes a session, packs what comes of it for its kernel, and drops it, so
// that the gather reads the mapped file. The other way round, the copy that folding
// makes would stay: 69 MB in place of 45 of session memory for a vocabulary of 50257
// and d_model 1024 in int4.
func (l *lowering) head(x *ir.Value) *ir.Value {
	p := l.build.Head
	switch {
	case !l.spec.Untied && p.Blockwise() && l.spec.SharesHead(l.build):
		w := l.quantizedEmbedding(p)
		w.Data = l.Reshape(w.Data, 1, w.Blocks(), w.Block*int64(w.Bits)/8)
		return l.timesQuantized(x, w, nil)
	}
	if p.Type != arch.Unquantized {
		return l.quantized(x, headName(l.spec), p, l.embedInit(), nil, l.dModel, int64(l.spec.Vocab), true)
	}
	w := l.headMatrix()
	switch {
	case l.mode == training:
		return l.widen(l.Gemm(l.narrow(x), l.narrow(w), nil, 1, 0, false, true))
	case l.fused:
		return l.FusedMatMulTransB(x, w)
	}
	return l.MatMul(x, l.Transpose(w, 1, 0))
}

// headMatrix is what it multiplies by where that is not quantized.
func (l *lowering) headMatrix() *ir.Value {
	return l.Param(headName(l.spec), l.streamType(), l.embedInit(), int64(l.spec.Vocab), l.dModel)
}
