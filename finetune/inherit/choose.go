package inherit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"lathe/graphgen/arch"
)

// Choice is what of a baseline a smaller model keeps. Lists are in the baseline's order.
type Choice struct {
	Dimensions []int  `json:"dimensions"` // of d_model
	Layers     []Part `json:"layers"`

	baseline, candidate arch.Spec // normalized
}

// Part is what a layer keeps of a baseline's layer.
type Part struct {
	Layer int   `json:"layer"`           // the baseline's
	Heads []int `json:"heads,omitempty"` // of queries
	// Groups are, for each head of keys and values, those of the baseline that it is the
	// mean of (Ainslie et al. 2023, section 2.1): one, unless it is shared by more queries
	// than there.
	Groups [][]int `json:"groups,omitempty"`
	// Keys and Values are, for each of Groups, the places within a head that stay: of
	// queries and keys, and of values.
	Keys    [][]int `json:"keys,omitempty"`
	Values  [][]int `json:"values,omitempty"`
	Neurons []int   `json:"neurons,omitempty"`
	Units   []int   `json:"units,omitempty"`
}

// Choose takes of a baseline what does most, in the sizes of a candidate of the same
// family. A size that the baseline does not have, and a vocabulary that is not its own,
// are errors that name it.
func Choose(baseline, candidate arch.Spec, s *Statistics) (*Choice, error) {
	if err := Fits(baseline, candidate); err != nil {
		return nil, err
	}
	baseline, candidate = baseline.Normalized(), candidate.Normalized()
	if len(s.Dimensions) != baseline.DModel || len(s.Layers) != len(baseline.Layers) {
		return nil, fmt.Errorf("inherit: the statistics are of d_model %d and %d layers, and not of %s", len(s.Dimensions), len(s.Layers), baseline.Name())
	}
	from, err := matchLayers(baseline, candidate, s)
	if err != nil {
		return nil, fmt.Errorf("inherit: %s from %s: %w", candidate.Name(), baseline.Name(), err)
	}
	c := &Choice{Dimensions: best(s.Dimensions, candidate.DModel), baseline: baseline, candidate: candidate}
	for i, l := range candidate.Layers {
		p := Part{Layer: from[i]}
		stats := s.Layers[p.Layer]
		switch {
		case !candidate.TypeOf(i).Recurrent():
			p.Neurons = best(stats.Neurons, l.DInner)
			c.chooseHeads(&p, i, stats)
		case candidate.Stack() && i == len(candidate.Layers)-1 && !candidate.ProjectionOf(i):
			p.Units = c.Dimensions // the head takes them as they are
		default:
			p.Units = best(stats.Units, candidate.HiddenOf(i))
		}
		c.Layers = append(c.Layers, p)
	}
	return c, nil
}

// Fits says why a candidate cannot start from a baseline, whatever matters in it.
func Fits(baseline, candidate arch.Spec) error {
	baseline, candidate = baseline.Normalized(), candidate.Normalized()
	if err := errors.Join(baseline.Validate(), candidate.Validate()); err != nil {
		return fmt.Errorf("inherit: %w", err)
	}
	err := comparable(baseline, candidate)
	if err == nil {
		_, err = matchLayers(baseline, candidate, &Statistics{Layers: make([]Layer, len(baseline.Layers))})
	}
	if err != nil {
		return fmt.Errorf("inherit: %s from %s: %w", candidate.Name(), baseline.Name(), err)
	}
	return nil
}

// comparable says why a candidate cannot have a baseline's weights, whatever its layers.
func comparable(b, c arch.Spec) error {
	family := func(s arch.Spec) arch.Family {
		if s.Family == arch.Mixed { // its transformer layers are GPT-2's
			return arch.GPT2
		}
		return s.Family
	}
	if family(b) != family(c) {
		return fmt.Errorf("the families are %s and %s", c.Family, b.Family)
	}
	if b.Vocab != c.Vocab {
		return fmt.Errorf("the vocabulary is %d, the baseline's %d: tokens would not be the same", c.Vocab, b.Vocab)
	}
	for _, size := range []struct {
		name string
		c, b int
	}{{"d_model", c.DModel, b.DModel}, {"positions", c.Positions, b.Positions}, {"n_layer", len(c.Layers), len(b.Layers)}} {
		if size.c > size.b && !(size.name == "positions" && !b.LearnedPositions()) {
			return more(size.name, size.c, size.b)
		}
	}
	switch {
	case b.Untied && !c.Untied:
		return errors.New("its head is the token embedding, and the baseline's is another matrix: let it be untied")
	case b.QKVBias != c.QKVBias:
		return errors.New("one has biases on queries, keys and values, and the other has none")
	case b.Stack() && b.ProjectionOf(len(b.Layers)-1) != c.ProjectionOf(len(c.Layers)-1):
		return errors.New("one has a linear layer before the head, and the other has none: let the last hidden size be d_model in both or in none")
	}
	return nil
}

func more(name string, c, b int) error {
	return fmt.Errorf("%s %d is more than the baseline's %d", name, c, b)
}

// best are the places of the n greatest, of equal ones the first, in order.
func best(of []float64, n int) []int {
	places := first(len(of))
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(of[b], of[a]) })
	places = places[:n]
	slices.Sort(places)
	return places
}
