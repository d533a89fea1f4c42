// Package llama2c reads the .bin checkpoints of llama2.c (github.com/karpathy/llama2.c):
// small LLaMA models, each in one file of fp32 weights behind a header of sizes.
//
// A file becomes an arch.Spec and weights by Hugging Face's names and layouts, as
// package hf gives them for a folder. Both fp32 forms are read: the first one, which
// begins with its sizes, and version 1, which begins with a magic number. Version 2
// (int8) is not: its weights have lost what a search or a quantization of ours would
// start from.
//
// llama2.c turns neighbouring values of a head by the rotary embedding, Hugging
// Face's models the first and the second half. So the rows of the query and key
// matrices are read in another order; nothing is copied.
package llama2c

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"lathe/graphgen/arch"
	"lathe/graphgen/weights"
)

// ErrFormat marks a file that is no checkpoint of llama2.c, or not a whole one.
var ErrFormat = errors.New("not a whole llama2.c checkpoint")

// Sizes of headers, and what marks a version's.
const (
	firstHeader = 7 * 4
	laterHeader = 256
	magic       = 0x616b3432 // "ak42"
)

// Model is a checkpoint: what it is, and where its weights are.
type Model struct {
	Spec    arch.Spec
	Version int // of the format: 0 is the first, without a number
	// Tensors are the stored tensors by Hugging Face's names. Those of queries and
	// keys have their rows in llama2.c's order: see Matrices.
	Tensors []weights.Named
}

// header is a checkpoint's sizes.
type header struct {
	version                                              int
	dim, hidden, layers, heads, kvHeads, vocab, sequence int64
	shared                                               bool // the head is the embedding
	bytes                                                int64
}

// Read reads the header of a checkpoint of size bytes and says where its weights
// are; name is the file's in errors.
func Read(r io.ReaderAt, size int64, name string) (*Model, error) {
	h, err := readHeader(r, size)
	if err != nil {
		return nil, fmt.Errorf("llama2c: %s: %w", name, err)
	}
	spec, err := h.spec()
	if err != nil {
		return nil, fmt.Errorf("llama2c: %s: %w: %w", name, ErrFormat, err)
	}
	l := layout{h: h, r: r, at: h.bytes}
	if h.version == 0 {
		l.first()
	} else {
		l.later()
	}
	if l.at != size {
		return nil, fmt.Errorf("llama2c: %s: %w: by its header (%s) it has %d bytes, and it has %d", name, ErrFormat, h, l.at, size)
	}
	return &Model{Spec: spec, Version: h.version, Tensors: l.tensors}, nil
}

func readHeader(r io.ReaderAt, size int64) (header, error) {
	if size < firstHeader {
		return header{}, fmt.Errorf("%w: it has %d bytes, and begins with %d of sizes", ErrFormat, size, firstHeader)
	}
	b := make([]byte, min(size, laterHeader))
	if n, err := r.ReadAt(b, 0); n != len(b) {
		return header{}, err
	}
	number := func(i int) int64 { return int64(int32(binary.LittleEndian.Uint32(b[4*i:]))) }
	var h header
	first := 0 // word of the sizes
	if binary.LittleEndian.Uint32(b) == magic {
		h.version = int(number(1))
		switch {
		case h.version != 1:
			return h, fmt.Errorf("version %d is not read; export it again as version 1 or 0, in fp32", h.version)
		case len(b) < laterHeader:
			return h, fmt.Errorf("%w: it has %d bytes, and begins with a header of %d", ErrFormat, size, laterHeader)
		}
		first = 2
	}
	for i, to := range []*int64{&h.dim, &h.hidden, &h.layers, &h.heads, &h.kvHeads, &h.vocab, &h.sequence} {
		*to = number(first + i)
	}
	if h.version == 0 { // a negative vocabulary says that the head is its own
		h.bytes, h.shared = firstHeader, h.vocab > 0
		h.vocab = max(h.vocab, -h.vocab)
	} else {
		h.bytes, h.shared = laterHeader, b[4*(first+7)] != 0
	}
	return h, nil
}

func (h header) String() string {
	return fmt.Sprintf("dim %d, hidden_dim %d, n_layers %d, n_heads %d, n_kv_heads %d, vocab_size %d, seq_len %d",
		h.dim, h.hidden, h.layers, h.heads, h.kvHeads, h.vocab, h.sequence)
}

// spec is what the sizes describe, if they describe something. Its limits keep the
// sums of a layout within an int64.
func (h header) spec() (arch.Spec, error) {
	if h.layers < 1 || h.layers > arch.MaxLayers {
		return arch.Spec{}, fmt.Errorf("n_layers %d is out of range: it must be 1 to %d", h.layers, arch.MaxLayers)
	}
	if h.heads < 1 || h.dim%h.heads != 0 {
		return arch.Spec{}, fmt.Errorf("n_heads %d does not divide dim %d", h.heads, h.dim)
	}
	if h.kvHeads < 1 {
		return arch.Spec{}, fmt.Errorf("n_kv_heads %d is out of range: it must be 1 to n_heads", h.kvHeads)
	}
	s := arch.NewSpec(arch.LLaMA, int(h.layers), int(h.dim), int(h.hidden), int(h.heads)).WithKVHeads(int(h.kvHeads))
	s.Vocab, s.Positions, s.Untied = int(h.vocab), int(h.sequence), !h.shared
	return s.Normalized(), s.Validate()
}
