// Package autodiff writes the reverse pass of a graph: the nodes that compute the
// gradients of what the graph computes.
//
// It works on package ir's builder, while a graph is being made, and knows operators
// only: losses, optimizers and models are others' part. A training step is a lowering's
// forward pass, a [Pass] over it, and what is done with the gradients, all of it one
// ordinary graph.
//
// Every operator has a rule (see rules), in a file for each group of operators. An
// operator without one is an error where a gradient has to go through it, and of no
// consequence elsewhere. Sizes must be fixed: training graphs are.
//
// A gradient has its value's type. Of values of 16 bits, sums over many elements and
// whatever takes several operators are computed in float, and rounded once.
package autodiff

import (
	"errors"
	"fmt"
	"slices"

	"lathe/graphgen/ir"
)

// Pass is one reverse pass over what is in a builder. The objective is the sum of the
// products of Of's elements with Seeds'.
type Pass struct {
	Of    []*ir.Value // what is differentiated: float, of fixed sizes
	Seeds []*ir.Value // the objective's derivative by each of Of, of its shape; nil, all or one: ones
	Wrt   []*ir.Value // by what: parameters, inputs, or outputs of nodes; each once
	// Stop are values beyond which the pass does not go, as if they were inputs; they may
	// be among Wrt. With a layer's input in it, a pass stays within the layer, whatever
	// else its parameters are used for.
	Stop []*ir.Value
	// Into, if it is not nil, has for each of Wrt nil or a tensor of its shape to which
	// the gradient is added: an accumulator, or the gradient of an earlier pass. Where
	// the gradient is a product or rows of a table, that takes no operator more. An
	// accumulator's buffer may be bound as the result's too.
	Into []*ir.Value
}

// Emit appends the reverse pass to what is in b, and returns the gradient by each of
// Wrt: where no path leads to it, the one of Into, or nil. Nodes that cannot contribute
// are not emitted, and what the forward pass has computed is not computed again; norms
// and Scans of it gain outputs for that.
func (p Pass) Emit(b *ir.Builder) ([]*ir.Value, error) {
	if err := p.check(b); err != nil {
		return nil, fmt.Errorf("autodiff: %w", err)
	}
	nodes := slices.Clone(b.Nodes())
	r := &reverse{Builder: b, wanted: map[*ir.Value]bool{}, stop: map[*ir.Value]bool{}, grads: map[*ir.Value]*gradient{}}
	for _, v := range p.Stop {
		r.stop[v] = true
	}
	for _, v := range p.Wrt {
		r.wanted[v] = true
	}
	r.mark(nodes)
	res := make([]*ir.Value, len(p.Wrt))
	b.Shared(func() {
		for i, v := range p.Into {
			if v != nil && p.Wrt[i].Def() == nil {
				r.grads[p.Wrt[i]] = &gradient{dense: v}
			}
		}
		for i, v := range p.Of {
			if i < len(p.Seeds) && p.Seeds[i] != nil {
				r.add(v, p.Seeds[i])
			} else {
				r.add(v, r.Scalar(v.Type, 1))
			}
		}
		r.run(nodes)
		r.stop = nil
		for i, v := range p.Wrt {
			res[i] = r.full(v)
			switch {
			case v.Def() == nil || p.Into == nil || p.Into[i] == nil:
			case res[i] == nil:
				res[i] = p.Into[i]
			default:
				res[i] = b.Add(p.Into[i], res[i])
			}
		}
	})
	if r.err == nil {
		r.err = b.Err()
	}
	if r.err != nil {
		return nil, fmt.Errorf("autodiff: %w", r.err)
	}
	return res, nil
}

func (p Pass) check(b *ir.Builder) error {
	if err := b.Err(); err != nil {
		return fmt.Errorf("before the reverse pass: %w", err)
	}
	if len(p.Of) == 0 || len(p.Wrt) == 0 {
		return errors.New("nothing to differentiate, or nothing to differentiate by")
	}
	if p.Seeds != nil && len(p.Seeds) != len(p.Of) || p.Into != nil && len(p.Into) != len(p.Wrt) {
		return fmt.Errorf("%d seeds for %d values, or %d accumulators for %d gradients", len(p.Seeds), len(p.Of), len(p.Into), len(p.Wrt))
	}
	seen := map[*ir.Value]bool{}
	for _, v := range p.Wrt {
		if seen[v] {
			return fmt.Errorf("the gradient by %s is asked for twice", v.Name)
		}
		seen[v] = true
	}
	for _, v := range slices.Concat(p.Of, p.Wrt) {
		if !float(v) {
			return fmt.Errorf("%s is %v: only floats have gradients", v.Name, v.Type)
		}
		if _, ok := v.Shape.Elements(); !ok {
			return fmt.Errorf("%s is %v: its sizes must be fixed", v.Name, v.Shape)
		}
	}
	like := func(what string, vs, to []*ir.Value) error {
		for i, v := range vs {
			if v != nil && (v.Type != to[i].Type || !slices.Equal(v.Shape, to[i].Shape)) {
				return fmt.Errorf("the %s of %s is %v%v, must be %v%v", what, to[i].Name, v.Type, v.Shape, to[i].Type, to[i].Shape)
			}
		}
		return nil
	}
	return errors.Join(like("seed", p.Seeds, p.Of), like("accumulator", p.Into, p.Wrt))
}

func float(v *ir.Value) bool { return v.Type.Floats() }
