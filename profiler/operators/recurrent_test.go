package operators

import (
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
)

// TestWorkOfRecurrent: what an LSTM or a GRU has to do with its weights is what arch
// counts, as one operator and as a Scan, whose body's nodes are those of one step.
func TestWorkOfRecurrent(t *testing.T) {
	const tokens, past = 7, 3
	for _, name := range []string{"lstm-l1-d32-v100", "gru-l1-d32-hs48-v100", "lstm-l1-d32-v100+int4b16", "gru-l1-d32-hs48-v100+int4b16"} {
		c, err := arch.ParseCandidate(name)
		if err != nil {
			t.Fatal(err)
		}
		g, err := graphgen.Lower(c, graphgen.Cached)
		if err != nil {
			t.Fatal(err)
		}
		d, err := DimsOf(g, 1, tokens, past, 1)
		if err != nil {
			t.Fatal(err)
		}
		nodes, err := WorkOf(g, d)
		if err != nil {
			t.Fatal(err)
		}
		var products, cells, states float64
		for _, n := range nodes {
			if !n.Known {
				t.Errorf("%s: what %s has to do is not known", name, n.Name)
			}
			switch n.Op {
			case "MatMul", "FusedMatMul", "MatMulNBits":
				products += n.Flops
			case "LSTM", "GRU":
				cells += n.Flops
				states += n.CacheBytes
			}
		}
		var in, state, after float64 // 2 for each multiply-add
		for _, m := range c.Spec.MatMuls() {
			flops := 2 * float64(m.K) * float64(m.N)
			switch m.Name {
			case "rnn.weight_ih":
				in = flops
			case "rnn.weight_hh":
				state = flops
			default:
				after += flops
			}
		}
		want := tokens*in + state + after
		if c.Build.Precision.Type == arch.Unquantized {
			want = after
			// Beside the products a few operations a gate and state.
			if least := tokens * (in + state); cells < least || cells > 1.2*least {
				t.Errorf("%s: the cell does %v operations, its products alone %v", name, cells, least)
			}
			if both := 2 * float64(c.Spec.StateBytes()); states != both {
				t.Errorf("%s: it moves %v bytes of states, want %v", name, states, both)
			}
		}
		if products != want {
			t.Errorf("%s: products are %v, want %v", name, products, want)
		}
	}
}
