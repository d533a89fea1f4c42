// Package graphgen lowers a candidate, a decoder architecture and the way it is
// to run, to an ONNX graph (ir.Graph).
//
// There is one lowering. What the search times, what export writes and what
// training differentiates come from it; they differ in the [Mode] and in where
// the parameters are when the graph is encoded, never in the operators of a
// layer. Two dialects exist: portable (standard operators) and fused (ONNX
// Runtime's contributed operators for attention, norms and activations).
//
// Inputs and outputs have the names and layouts that Hugging Face's exporters
// use, and so have the parameters.
//
// Sub-packages: arch says what a model is, ir builds graphs, onnxpb is the file
// format, weights provides the bytes of parameters.
package graphgen

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// Mode is what the graph is for.
type Mode uint8

// The modes of the one lowering.
const (
	// Cached takes the key and value cache of earlier tokens and returns it
	// extended: the mode of timing and of deployment.
	Cached Mode = iota
	// Plain is a whole forward pass without a cache and with the logits of
	// every position: the mode of evaluation.
	Plain
	// training is Plain of a fixed size, ready to be differentiated: see [Train].
	training
)

// Names of inputs and outputs.
const (
	InputIDs       = "input_ids"
	AttentionMask  = "attention_mask"
	PositionIDs    = "position_ids"
	LogitsToKeep   = "num_logits_to_keep"
	Logits         = "logits"
	symBatch       = "batch_size"
	symSeq         = "sequence_length"
	symPast        = "past_sequence_length"
	symTotal       = symPast + " + " + symSeq
	symKept        = "kept_sequence_length"
	MetaSpec       = "lathe.spec"
	MetaMinLibrary = "lathe.min_onnxruntime"
)

// PastKey and its like name layer i's cache tensors.
func PastKey(i int) string      { return fmt.Sprintf("past_key_values.%d.key", i) }
func PastValue(i int) string    { return fmt.Sprintf("past_key_values.%d.value", i) }
func PresentKey(i int) string   { return fmt.Sprintf("present.%d.key", i) }
func PresentValue(i int) string { return fmt.Sprintf("present.%d.value", i) }

// PastState and PresentState name layer i's recurrent states: h, and of an LSTM c,
// float [batch_size, hidden]. Zeros are the state before the first token.
func PastState(i int, state string) string    { return fmt.Sprintf("past_state.%d.%s", i, state) }
func PresentState(i int, state string) string { return fmt.Sprintf("present_state.%d.%s", i, state) }

// stateNames are the states of a layer; a GRU has the first only.
var stateNames = []string{"h", "c"}

// floatTypes are arch's types of floats as the graph has them.
var floatTypes = map[arch.FloatType]ir.DType{arch.FP32: ir.Float, arch.FP16: ir.Float16}

// Lower returns the candidate's graph. The candidate must be valid; if it is
// not, or if its build does not fit it, the error says what to choose instead.
func Lower(c arch.Candidate, mode Mode) (*ir.Graph, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("graphgen: %w", err)
	}
	l := newLowering(ir.NewBuilder(c.Spec.Name()), c, mode)
	text, err := SpecText(c.Spec)
	if err != nil {
		return nil, err
	}
	l.Meta(MetaSpec, text)
	l.Meta(MetaMinLibrary, MinLibrary(c))
	d, err := l.decoder()
	if err != nil {
		return nil, err
	}
	l.inputs()
	var s stream
	l.Scoped("embed", func() { s = d.embed() })
	for i := range l.spec.Layers {
		l.Scoped(layerScope(i), func() { s = d.layer(i, s) })
	}
	l.Scoped("head", func() {
		l.Output(Logits, l.head(d.last(s)))
		l.carryOn()
	})
	return l.Build()
}

func newLowering(b *ir.Builder, c arch.Candidate, mode Mode) *lowering {
	build := c.Build.Normalized()
	return &lowering{
		Builder: b,
		spec:    c.Spec.Normalized(),
		build:   build,
		mode:    mode,
		fused:   build.Dialect == arch.Fused,
		float:   floatTypes[build.Float],
		dModel:  int64(c.Spec.DModel),
		eps:     float32(c.Spec.NormEpsilon()),
	}
}

func layerScope(i int) string { return fmt.Sprintf("h.%d", i) }

// decoder is what differs between families.
type decoder struct {
	embed func() stream                // the residual stream of the tokens
	layer func(i int, s stream) stream // what layer i makes of it
	last  func(s stream) *ir.Value     // what the head takes
}

// decoder is the family's.
func (l *lowering) decoder() (decoder, error) {
	switch l.spec.Family {
	case arch.GPT2, arch.Mixed:
		return decoder{l.gpt2Embed, l.gpt2Layer, l.gpt2Last}, nil
	case arch.LSTM, arch.GRU:
		return decoder{l.stackEmbed, l.stackLayer, l.stackLast}, nil
	case arch.LLaMA:
		return decoder{l.llamaEmbed, l.llamaLayer, l.llamaLast}, checkTables(l.spec)
	}
	return decoder{}, fmt.Errorf("graphgen: family %q has no lowering; known: %s, %s, %s, %s, %s", l.spec.Family, arch.GPT2, arch.LLaMA, arch.LSTM, arch.GRU, arch.Mixed)
}

// FeedLogitsToKeep takes the default of [LogitsToKeep] away, so that it has to be fed.
// transformers.js feeds it, and with 1, where a graph says that it must be, and
// otherwise has the logits of a whole prompt computed.
func FeedLogitsToKeep(g *ir.Graph) {
	g.Consts = slices.DeleteFunc(g.Consts, func(c *ir.Const) bool { return c.Input && c.Value.Name == LogitsToKeep })
}

// Hash identifies a graph: what is computed, in which order, with which
// parameters by name and shape; not their values, nor where they are.
func Hash(g *ir.Graph) (string, error) {
	b, err := ir.Encode(g, asInputs{})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

type asInputs struct{}

func (asInputs) Place(*ir.Param) (ir.Placement, error) { return ir.Placement{AsInput: true}, nil }
