// Package recover finds the decoder in an ONNX file: from a graph and its
// initializers back to an arch.Spec and to weights by the names and in the layouts of
// Hugging Face's transformers, which is what package hf gives for a folder.
//
// Files of ours say in their metadata what they are; they are lowered again and
// compared. Any other file is recognised by what it computes. The graph is walked back
// from its logits to the embeddings, along the residual stream; what lies between the
// products with weights (norms, attention, activations, positions) is run on numbers by
// a small evaluator, and has to give what our lowering would compute there. So it does
// not matter which exporter of which version wrote the file, nor whether its operators
// were fused since; and a model that is nearly one of ours, such as one with another
// GELU, is refused, by name.
//
// It reads; it runs no model, and judges no quality. Files come from strangers: package
// onnxfile opens them, and what is evaluated is bounded.
package recover

import (
	"errors"
	"fmt"

	"lathe/graphgen/arch"
	"lathe/graphgen/onnxfile"
	"lathe/graphgen/weights"
)

// Kinds of files.
const (
	Lathe       = "lathe"       // what graphgen lowers and ir encodes
	Optimum     = "optimum"     // PyTorch's exporter, which Optimum calls
	ONNXRuntime = "onnxruntime" // ONNX Runtime's optimizers and model builders
	Other       = "onnx"
)

// ErrNotDecoder marks a model that is no decoder of our families. The error says what
// was looked for, and what was found.
var ErrNotDecoder = errors.New("not a decoder of a known family")

// notDecoder is an ErrNotDecoder.
func notDecoder(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrNotDecoder, fmt.Errorf(format, args...))
}

// Model is a decoder that was found in a file. Its tensors are read where they are,
// until it is closed.
type Model struct {
	Path string
	Kind string // Lathe, Optimum, ONNXRuntime or Other
	Spec arch.Spec
	// Ours: the file is a candidate of ours, and Build is how it was lowered, as far as
	// a graph tells: neither threads nor the provider are in it.
	Ours  bool
	Build arch.Build
	// Tensors are the weights by name, as Hugging Face publishes them. Quantized ones
	// are dequantized as they are read.
	Tensors map[string]weights.Matrix
	// Notes say what the Spec and the weights do not: that weights were quantized, that
	// the graph leaves something open.
	Notes []string

	named []weights.Named
	file  *onnxfile.File
}

// Open opens the model at path and finds the decoder in it. An error that is the
// file's is [ErrNotDecoder], where it is a model but none of ours, or
// onnxfile.ErrFormat.
func Open(path string) (_ *Model, err error) {
	f, err := onnxfile.Open(path)
	if err != nil {
		return nil, fmt.Errorf("recover: %w", err)
	}
	m := &Model{Path: path, Tensors: map[string]weights.Matrix{}, file: f}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := m.find(); err != nil {
		return nil, fmt.Errorf("recover: %s: %w", path, err)
	}
	return m, nil
}

func (m *Model) find() error {
	if match := Compare(m.file.Model); match != nil && match.Graph != nil && len(match.Weights) == 0 {
		return m.ours(match)
	}
	return m.theirs()
}

// Close closes the files; the tensors cannot be read from then on.
func (m *Model) Close() error { return m.file.Close() }

// Named are the tensors as package weights scans them, each of the file's once, as it
// stores them: a joined one whole, a turned one as it is. Quantized ones are
// dequantized.
func (m *Model) Named() []weights.Named { return m.named }

func (m *Model) note(format string, args ...any) {
	m.Notes = append(m.Notes, fmt.Sprintf(format, args...))
}
