package arch

import (
	"fmt"
	"slices"
)

// LSTM and GRU each name a type of layer and the family that is a stack of such
// layers; the constants are untyped so that they are both.
//
// An LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000
// and without peepholes) and a GRU (Cho et al. 2014) are those of torch.nn: gates i,
// f, g, o and r, z, n; two biases for each gate; a GRU's reset gate is applied after
// the recurrent product. A layer of hidden size h that takes x values a token has
// gates*h*(x + h + 2) parameters, 4 gates or 3.
//
// The families lstm and gru are the classic language model (Zaremba et al. 2014):
// token embedding of d_model, the layers, each of which takes what the one before
// gives, the LM head. There are no norms, no residual connections and no positions.
// Where the last layer's hidden size is not d_model, a linear layer with a bias
// brings it to d_model before the head (Press and Wolf 2017, section 3.2), so that
// the head can be the token embedding; it counts as the last layer's.
//
// In the family mixed a recurrent layer is a branch of the residual stream: a norm,
// the LSTM or GRU from d_model to hidden, and a linear layer with a bias back to
// d_model, whatever hidden is.
const (
	LSTM = "lstm"
	GRU  = "gru"
)

// layerTypes are the types in the order that messages list them.
var layerTypes = []string{string(Transformer), LSTM, GRU}

// gates is how many gates a recurrent layer has, 0 for other types.
func (t LayerType) gates() int {
	switch t {
	case LSTM:
		return 4
	case GRU:
		return 3
	}
	return 0
}

// Recurrent reports whether a layer of this type reads a sequence one token at a time
// and carries a state of fixed size, not a cache that grows.
func (t LayerType) Recurrent() bool { return t.gates() > 0 }

// Gates is how many blocks of hidden rows a recurrent layer's matrices have: 4 of an
// LSTM, 3 of a GRU, 0 of other types.
func (t LayerType) Gates() int { return t.gates() }

// States is how many vectors of the hidden size a recurrent layer carries from token
// to token: h and c of an LSTM, h of a GRU.
func (t LayerType) States() int {
	switch t {
	case LSTM:
		return 2
	case GRU:
		return 1
	}
	return 0
}

// Stack reports whether the family is a stack of recurrent layers and nothing else.
func (s Spec) Stack() bool { return s.Family == LSTM || s.Family == GRU }

// LearnedPositions reports whether positions have an embedding of their own.
func (s Spec) LearnedPositions() bool { return families[s.Family].learned }

// TypeOf is the type of a layer, the family's own where the layer names none.
func (s Spec) TypeOf(layer int) LayerType { return s.typeOf(s.Layers[layer]) }

func (s Spec) typeOf(l Layer) LayerType {
	switch {
	case l.Type != "":
		return l.Type
	case s.Stack():
		return LayerType(s.Family)
	}
	return Transformer
}

// HiddenOf is the hidden size of a recurrent layer, 0 of others.
func (s Spec) HiddenOf(layer int) int {
	switch l := s.Layers[layer]; {
	case !s.typeOf(l).Recurrent():
		return 0
	case l.Hidden != 0:
		return l.Hidden
	}
	return s.DModel
}

// InputOf is how many values a token has where a layer takes it: d_model, but in a
// stack of recurrent layers the hidden size of the layer before.
func (s Spec) InputOf(layer int) int {
	if layer > 0 && s.Stack() {
		return s.HiddenOf(layer - 1)
	}
	return s.DModel
}

// ProjectionOf reports whether a linear layer follows a recurrent one.
func (s Spec) ProjectionOf(layer int) bool {
	if s.Stack() {
		return layer == len(s.Layers)-1 && s.HiddenOf(layer) != s.DModel
	}
	return s.TypeOf(layer).Recurrent()
}

// NewStack returns a Spec of the family LSTM or GRU with its default vocabulary and
// head, all layers of one hidden size, 0: d_model. It does not validate it.
func NewStack(family Family, nLayer, dModel, hidden int) Spec {
	s := NewSpec(family, 0, dModel, 0, 0)
	if nLayer > 0 && nLayer <= MaxLayers {
		s.Layers = slices.Repeat([]Layer{{Type: LayerType(family), Hidden: hidden}}, nLayer)
	}
	return s
}

// recurrentProducts yields a recurrent layer's products with weights.
func (s Spec) recurrentProducts(i int, yield func(MatMul) bool) bool {
	gates, hidden := s.TypeOf(i).gates(), s.HiddenOf(i)
	if !yield(MatMul{"rnn.weight_ih", s.InputOf(i), gates * hidden, i}) ||
		!yield(MatMul{"rnn.weight_hh", hidden, gates * hidden, i}) {
		return false
	}
	return !s.ProjectionOf(i) || yield(MatMul{"proj", hidden, s.DModel, i})
}

// StateBytes is the size of all recurrent states of one sequence, in fp32, whatever
// its length.
func (s Spec) StateBytes() (n int64) {
	for i := range s.Layers {
		n += int64(s.TypeOf(i).States()) * int64(s.HiddenOf(i)) * FP32.Bytes()
	}
	return n
}

// recurrentProblem is about a layer of type t, which is recurrent.
func (s Spec) recurrentProblem(l Layer, t LayerType) (field, problem string) {
	if s.Stack() && t != LayerType(s.Family) || !s.Stack() && s.Family != Mixed {
		return "type", fmt.Sprintf("a layer of type %s in a model of family %s: layers of several types are of the family %s", t, s.Family, Mixed)
	}
	for _, f := range []struct {
		name string
		v    int
	}{{"n_head", l.NHead}, {"n_kv_head", l.NKVHead}, {"d_inner", l.DInner}} {
		if f.v != 0 {
			return f.name, fmt.Sprintf("%s %d: a layer of type %s has none; its size is hidden", f.name, f.v, t)
		}
	}
	if l.Hidden == 0 {
		return "", "" // d_model
	}
	return "hidden", sizeProblem("hidden", l.Hidden, 1, MaxHidden)
}
