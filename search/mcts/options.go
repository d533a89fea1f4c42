package mcts

import (
	"fmt"

	"lathe/search/mcts/surrogate"
)

// Options are the method's options. The zero value of each is its documented default.
// The paper gives no numbers; these were chosen on the space of the package's comparison.
type Options struct {
	// Initial is how many random architectures are evaluated before the first tree
	// search (Algorithm 2, line 2). 0: 32.
	Initial int
	// Batch is how many architectures are selected before the surrogate is trained
	// again. 0: 8. 1 is the algorithm as it is printed.
	Batch int
	// Simulations are how many leaves the tree search expands for each architecture that
	// it selects. 0: 64.
	Simulations int
	// C is the constant c of UCB1. 0: 0.1. UCB1's own 1 is for rewards that fill 0 to 1;
	// those of neighbours differ by some hundredths.
	C float64
	// MaxActions bounds how many actions lead from the root to a state. 0: as many as
	// the space's largest architecture takes.
	MaxActions int
	// Lambda is the weight of cost in the reward h - λc and in the final selection. 0: 1.
	// Below 0: none, the reward is h as in the paper's equation 4.
	Lambda float64
	// Weights make one cost of many; the zero value counts all the same.
	Weights surrogate.Weights
	// Surrogate has the surrogate's own options, with the λ of its loss, which is
	// another one.
	Surrogate surrogate.Options
}

func (o Options) normalized() (Options, error) {
	for _, f := range []struct {
		name string
		v    *int
		def  int
	}{{"initial", &o.Initial, 32}, {"batch", &o.Batch, 8}, {"simulations", &o.Simulations, 64}} {
		switch {
		case *f.v == 0:
			*f.v = f.def
		case *f.v < 0:
			return o, fmt.Errorf("alphanas: %s %d: want 0 for %d, or more", f.name, *f.v, f.def)
		}
	}
	if o.C == 0 {
		o.C = 0.1
	}
	switch {
	case o.Lambda == 0:
		o.Lambda = 1
	case o.Lambda < 0:
		o.Lambda = 0
	}
	if !(o.C > 0) {
		return o, fmt.Errorf("alphanas: c %g: want more than 0, or 0 for 0.1", o.C)
	}
	if o.MaxActions < 0 {
		return o, fmt.Errorf("alphanas: at most %d actions: want 0 for as many as the space has, or more", o.MaxActions)
	}
	for k, w := range o.Weights {
		if !(w >= 0) {
			return o, fmt.Errorf("alphanas: weight %g of %s: want 0 or more", w, surrogate.CostNames[k])
		}
	}
	if _, err := surrogate.New(o.Surrogate, nil); err != nil {
		return o, err
	}
	return o, nil
}
