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

// embedding is the rows of the token embedding [vocab, d_model] that ids, int64, name.
func (l *lowering) embedding(ids *ir.Value) *ir.Value {
	p := l.build.EmbedOf(l.spec)
	if !p.Blockwise() {
		return l.Gather(l.Param(embeddingName(l.spec), l.float, l.embedInit(), int64(l.spec.Vocab), l.dModel), ids)
	}
	rows := l.GatherBlockQuantized(l.quantizedEmbedding(p), ids)
	if last := len(rows.Shape) - 1; rows.Shape[last].N > l.dModel {
		rows = l.First(rows, last, l.dModel)
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
	p, vocab := l.build.Head, int64(l.spec.Vocab)
	name := embeddingName(l.spec)
	switch {
	case l.spec.Untied:
		name = "lm_head.weight"
	case p.Blockwise() && l.spec.SharesHead(l.build):
		w := l.quantizedEmbedding(p)
		w.Data = l.Reshape(w.Data, 1, w.Blocks(), w.Block*int64(w.Bits)/8)
		return l.timesQuantized(x, w, nil)
	}
	if p.Type != arch.Unquantized {
		return l.quantized(x, name, p, l.embedInit(), nil, l.dModel, vocab, true)
	}
	w := l.Param(name, l.float, l.embedInit(), vocab, l.dModel)
	if l.fused {
		return l.FusedMatMulTransB(x, w)
	}
	return l.MatMul(x, l.Transpose(w, 1, 0))
}
