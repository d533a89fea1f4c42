package graphgen

import (
	"cmp"
	"fmt"

	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// Training says how a forward pass is written for training.
//
// Every row is Sequence tokens at positions 0, 1, ...: packed text, or text with
// padding behind it, which the tokens before cannot see; its labels must not count.
type Training struct {
	Batch, Sequence int64
	// Dropout is the rate at which embeddings, attention probabilities and branches
	// (what a layer adds to the residual stream) are dropped, the places that GPT-2 has;
	// of a stack of recurrent layers embeddings and what each layer returns. What is kept
	// is scaled by 1/(1-Dropout). 0: none.
	Dropout float64
	// Compute is the type of products and of what goes between them: Float if it is 0,
	// Float16 or BFloat16. Parameters, the residual stream, norms, softmax and states of
	// recurrent layers stay Float; what a product takes is cast.
	Compute ir.DType
}

// compute is the type that is meant.
func (t Training) compute() ir.DType { return cmp.Or(t.Compute, ir.Float) }

func (t Training) validate(s arch.Spec) error {
	switch {
	case t.Batch < 1 || t.Sequence < 1:
		return fmt.Errorf("graphgen: training on %d rows of %d tokens: at least one row of one token is needed", t.Batch, t.Sequence)
	case !s.Stack() && t.Sequence > int64(s.Positions):
		return fmt.Errorf("graphgen: training on %d tokens a row, and %s has %d positions: use at most as many", t.Sequence, s.Name(), s.Positions)
	case !(t.Dropout >= 0 && t.Dropout < 1):
		return fmt.Errorf("graphgen: dropout %g is not in [0, 1)", t.Dropout)
	case !t.compute().Floats():
		return fmt.Errorf("graphgen: training computes in %v: want %v, %v or %v", t.Compute, ir.Float, ir.Float16, ir.BFloat16)
	}
	return nil
}

// Forward is a Spec's forward pass in a builder, before the head. Its one input but for
// masks is IDs; parameters have the names, shapes and layouts of the portable fp32
// graph, so that one weights.Source serves both. All values here are Float but for those
// of a [TrainedLayer] that lie between products.
type Forward struct {
	IDs       *ir.Value // int64 [batch, sequence], input
	Embedding *ir.Value // the token embedding, a parameter [vocab, d_model]
	// Embedded is the rows of Embedding that IDs name, [batch, sequence, d_model], or
	// [sequence, batch, d_model] in a stack of recurrent layers.
	Embedded *ir.Value
	Layers   []TrainedLayer
	// Hidden is what the head takes: float [batch*sequence, d_model], rows in the order of
	// the tokens in IDs.
	Hidden *ir.Value
	Head   *ir.Value // what it multiplies by, [vocab, d_model]: Embedding where they are tied
	// Norms are what all norms return, [batch*sequence, d_model]; none in a stack of
	// recurrent layers.
	Norms []*ir.Value
	Masks []Mask // of dropout, in the order of their use

	l *lowering
	d decoder
}

// TrainedLayer is the values of a layer that checkpointing and statistics of
// activations need. One that the layer's type does not have is nil.
type TrainedLayer struct {
	// In and Out are the residual stream before and after, [batch*sequence, d_model]. In
	// a stack of recurrent layers they are what goes in and comes out, [sequence, batch,
	// size], and the last Out is [batch*sequence, d_model].
	In, Out *ir.Value
	// QKV is queries, keys and values of all heads side by side, before positions turn
	// them, [batch*sequence, (n_head+2*n_kv_head)*head_dim].
	QKV       *ir.Value
	Attention *ir.Value // heads' results side by side, [batch*sequence, n_head*head_dim]
	MLP       *ir.Value // activations, [batch*sequence, d_inner]
	States    *ir.Value // of a recurrent layer, [sequence, batch, hidden]
}

// Mask is an input that says what dropout keeps.
type Mask struct {
	Input *ir.Value // bool: true is kept
	Rate  float64   // the share that is to be false
}

// passes is the state of a forward pass for training.
type passes struct {
	Training
	f     *Forward
	layer int // being lowered; -1 before the first
	at    *TrainedLayer
	masks map[string]*ir.Value
	cast  map[*ir.Value]*ir.Value // of parameters
	done  bool                    // what comes now is written once more
}

// Train writes a Spec's forward pass for training into b: the portable lowering
// with a fixed batch and sequence, no cache, one row of a matrix for each token, and
// recurrent layers written out, so that every operator has a gradient.
func Train(b *ir.Builder, s arch.Spec, t Training) (*Forward, error) {
	c := arch.Candidate{Spec: s, Build: arch.Build{Dialect: arch.Portable}}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("graphgen: %w", err)
	}
	if err := t.validate(s); err != nil {
		return nil, err
	}
	f := &Forward{}
	l := newLowering(b, c, training)
	l.float = t.compute()
	l.train = &passes{Training: t, f: f, layer: -1, at: &TrainedLayer{}, masks: map[string]*ir.Value{}, cast: map[*ir.Value]*ir.Value{}}
	d, err := l.decoder()
	if err != nil {
		return nil, err
	}
	f.l, f.d = l, d
	l.inputs()
	f.IDs = l.ids
	var x *ir.Value
	l.Scoped("embed", func() { x = l.dropout(l.rows(d.embed()), "embedding") })
	f.Layers = make([]TrainedLayer, len(l.spec.Layers))
	for i := range f.Layers {
		f.Layers[i].In = x
		x = f.again(i, x, &f.Layers[i])
		f.Layers[i].Out = x
	}
	l.Scoped("head", func() {
		f.Hidden = d.last(stream{sum: x})
		f.Head = l.headMatrix()
	})
	l.train.done = true
	return f, nil
}

// Again writes layer i once more, on x instead of the layer's In: what activation
// checkpointing differentiates. Parameters and masks are those of the first time.
func (f *Forward) Again(i int, x *ir.Value) *ir.Value { return f.again(i, x, &TrainedLayer{}) }

func (f *Forward) again(i int, x *ir.Value, at *TrainedLayer) (y *ir.Value) {
	f.l.train.layer, f.l.train.at = i, at
	f.l.Scoped(layerScope(i), func() { y = f.l.added(f.d.layer(i, stream{sum: x})) })
	return y
}

// Last writes the final norm once more, on x instead of the last layer's Out.
func (f *Forward) Last(x *ir.Value) (y *ir.Value) {
	f.l.Scoped("head", func() { y = f.d.last(stream{sum: x}) })
	return y
}

// Logits is the head over rows [n, d_model] of Hidden: float [n, vocab].
func (f *Forward) Logits(rows *ir.Value) (logits *ir.Value) {
	f.l.Scoped("head", func() { logits = f.l.head(rows) })
	return logits
}
