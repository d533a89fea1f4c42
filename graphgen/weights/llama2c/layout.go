package llama2c

import (
	"fmt"
	"io"
	"strings"

	"lathe/graphgen/weights"
)

// fp32 is the size of a stored value.
const fp32 = 4

// layout finds the tensors of a checkpoint, one after the other.
type layout struct {
	h       header
	r       io.ReaderAt
	at      int64
	tensors []weights.Named
}

// add is the next tensor; a vector has one row.
func (l *layout) add(name string, rows, cols int64) {
	size := rows * cols * fp32
	l.tensors = append(l.tensors, weights.Named{Name: name, Stored: &weights.Stored{
		Data: io.NewSectionReader(l.r, l.at, size), Type: weights.Float32, Rows: rows, Cols: cols,
	}})
	l.at += size
}

// each is the tensor of that name in all layers.
func (l *layout) each(name string, rows, cols int64) {
	for i := range l.h.layers {
		l.add(fmt.Sprintf("model.layers.%d.%s.weight", i, name), rows, cols)
	}
}

func (l *layout) embedding() { l.add("model.embed_tokens.weight", l.h.vocab, l.h.dim) }
func (l *layout) attnNorms() { l.each("input_layernorm", 1, l.h.dim) }
func (l *layout) mlpNorms()  { l.each("post_attention_layernorm", 1, l.h.dim) }
func (l *layout) lastNorm()  { l.add("model.norm.weight", 1, l.h.dim) }

func (l *layout) attention() {
	h := l.h
	kv := h.dim / h.heads * h.kvHeads
	l.each(queries, h.dim, h.dim)
	l.each(keys, kv, h.dim)
	l.each("self_attn.v_proj", kv, h.dim)
	l.each("self_attn.o_proj", h.dim, h.dim)
}

// mlp: w1 is the gate, w2 leads back, w3 is what the gate lets through.
func (l *layout) mlp() {
	l.each("mlp.gate_proj", l.h.hidden, l.h.dim)
	l.each("mlp.down_proj", l.h.dim, l.h.hidden)
	l.each("mlp.up_proj", l.h.hidden, l.h.dim)
}

func (l *layout) head() {
	if !l.h.shared {
		l.add("lm_head.weight", l.h.vocab, l.h.dim)
	}
}

// first is the order of the first form. Behind the last norm it has the rotary
// embedding's cosines and sines, which nobody reads any more.
func (l *layout) first() {
	l.embedding()
	l.attnNorms()
	l.attention()
	l.mlpNorms()
	l.mlp()
	l.lastNorm()
	l.at += 2 * l.h.sequence * (l.h.dim / l.h.heads / 2) * fp32
	l.head()
}

// later is the order of version 1.
func (l *layout) later() {
	l.attnNorms()
	l.mlpNorms()
	l.lastNorm()
	l.embedding()
	l.attention()
	l.mlp()
	l.head()
}

// The projections whose rows the rotary embedding turns in pairs.
const (
	queries = "self_attn.q_proj"
	keys    = "self_attn.k_proj"
)

// Matrices are the weights by Hugging Face's names and in its layouts. Within each
// head's rows of queries and keys, the first of all pairs come first, then the
// second ones.
func (m *Model) Matrices() map[string]weights.Matrix {
	headDim := int64(m.Spec.HeadDimOf(0))
	halves := func(i int64) int64 {
		head, within := i/headDim, i%headDim
		return head*headDim + within%(headDim/2)*2 + within/(headDim/2)
	}
	out := make(map[string]weights.Matrix, len(m.Tensors))
	for _, t := range m.Tensors {
		out[t.Name] = t.Stored
		if strings.Contains(t.Name, queries) || strings.Contains(t.Name, keys) {
			out[t.Name] = weights.Reorder(t.Stored, halves)
		}
	}
	return out
}
