package inherit

import (
	"context"
	"fmt"

	"lathe/finetune"
	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/runtime/ort"
)

// Statistics say how much the parts of a model do, on average over tokens. Only the order
// within a list means something.
type Statistics struct {
	Tokens int `json:"tokens"` // that were looked at
	// Dimensions of the residual stream: the sum over all norms of what they return, by
	// magnitude (Minitron, Muralidharan et al. 2024, section 2.2). In a stack of recurrent
	// layers, of the embedding times the norm of the first layer's weights that take it,
	// and of what the head takes times that of the head's.
	Dimensions []float64 `json:"dimensions"`
	Layers     []Layer   `json:"layers"`
}

// Layer is the statistics of a layer. What its type does not have is nil.
type Layer struct {
	// Influence is one less the cosine between the residual stream before and after
	// (ShortGPT, Men et al. 2024); 1 where the two have different sizes.
	Influence float64   `json:"influence"`
	Heads     []float64 `json:"heads,omitempty"`   // [n_head]: the norm of what each adds to the stream
	Queries   []float64 `json:"queries,omitempty"` // [n_head*head_dim]: magnitudes
	Keys      []float64 `json:"keys,omitempty"`    // [n_kv_head*head_dim]: magnitudes
	Values    []float64 `json:"values,omitempty"`  // [n_head*head_dim]: the norm of what each adds
	Neurons   []float64 `json:"neurons,omitempty"` // [d_inner]: the norm of what each adds
	// Units are the recurrent layer's, [hidden]: magnitudes times the norm of all weights
	// that take them.
	Units []float64 `json:"units,omitempty"`
}

// Options say what is run.
type Options struct {
	Spec            arch.Spec
	Batch, Sequence int // rows of a run and tokens of a row
	Batches         int // runs
	Threads         int // 0 is 1
}

// Rows gives rows of tokens: Fill writes batch k to ids, [rows*sequence]. Labels, of the
// same size, are not looked at.
type Rows interface {
	Fill(k int, ids, labels []int64) error
}

// Measure runs a model over batches 0 to Batches-1 of rows.
func Measure(ctx context.Context, env *ort.Env, src weights.Source, o Options, rows Rows) (*Statistics, error) {
	if o.Batches < 1 {
		return nil, fmt.Errorf("inherit: statistics of %d batches: want one at least", o.Batches)
	}
	o.Spec = o.Spec.Normalized()
	var names []string
	m, err := finetune.NewFrozen(ctx, env, finetune.FrozenOptions{Spec: o.Spec, Batch: o.Batch, Sequence: o.Sequence, Threads: o.Threads}, src,
		func(b *ir.Builder, f *graphgen.Forward) {
			e := newEmitting(b, f, o.Spec)
			e.all()
			names = e.names
		})
	if err != nil {
		return nil, fmt.Errorf("inherit: %w", err)
	}
	defer m.Close()
	means := map[string][]float64{}
	ids, labels := make([]int64, o.Batch*o.Sequence), make([]int64, o.Batch*o.Sequence)
	for k := range o.Batches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := rows.Fill(k, ids, labels); err != nil {
			return nil, fmt.Errorf("inherit: %w", err)
		}
		if err := m.Run(ids); err != nil {
			return nil, fmt.Errorf("inherit: %w", err)
		}
		for _, name := range names {
			vals := ort.Data[float32](m.Output(name))
			if means[name] == nil {
				means[name] = make([]float64, len(vals))
			}
			for i, v := range vals {
				means[name][i] += float64(v) / float64(o.Batches)
			}
		}
	}
	return gathered(means, o), nil
}

// gathered puts outputs in their places.
func gathered(means map[string][]float64, o Options) *Statistics {
	s := &Statistics{Tokens: o.Batches * o.Batch * o.Sequence, Dimensions: means[dimensions], Layers: make([]Layer, len(o.Spec.Layers))}
	for i, l := range o.Spec.Layers {
		at := &s.Layers[i]
		*at = Layer{
			Influence: 1,
			Heads:     means[of(i, heads)], Values: means[of(i, values)], Neurons: means[of(i, neurons)], Units: means[of(i, units)],
		}
		if v := means[of(i, influence)]; v != nil {
			at.Influence = v[0]
		}
		if v := means[of(i, joint)]; v != nil {
			q, k := l.NHead*o.Spec.HeadDimOf(i), l.KVHeads()*o.Spec.HeadDimOf(i)
			at.Queries, at.Keys = v[:q], v[q:q+k]
		}
	}
	return s
}
