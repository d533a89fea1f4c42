package inherit

import (
	"errors"
	"fmt"
	"math"

	"lathe/graphgen/arch"
)

// matchLayers is, for each layer of a candidate, the baseline's that it comes from: in
// order, each large enough, and of all ways the one with the most influence in sum.
//
// A stack of recurrent layers has no residual stream past which a layer could be left
// out: its first and its last stay, and sizes have to fit where something is missing.
func matchLayers(b, c arch.Spec, s *Statistics) ([]int, error) {
	n, k := len(b.Layers), len(c.Layers)
	worst := math.Inf(-1)
	// sum[j] is the best way for layers 0 to i of the candidate that ends at j; from is
	// where it was before.
	sum := make([]float64, n)
	from := make([][]int, k)
	for i := range k {
		next := make([]float64, n)
		from[i] = make([]int, n)
		var why error
		fitting := false
		for j := range n {
			next[j], from[i][j] = worst, -1
			if err := fits(b, c, i, j); err != nil {
				if why == nil || j == i {
					why = err
				}
				continue
			}
			fitting = true
			switch {
			case !stackAllows(b, i, j, k):
			case i == 0:
				next[j] = s.Layers[j].Influence
			default:
				for before := range j {
					if b.Stack() && b.InputOf(j) != b.HiddenOf(before) {
						continue
					}
					if v := sum[before] + s.Layers[j].Influence; v > next[j] {
						next[j], from[i][j] = v, before
					}
				}
			}
		}
		if !fitting {
			return nil, fmt.Errorf("layer %d: %w", i, why)
		}
		sum = next
	}
	end := 0
	for j, v := range sum {
		if v > sum[end] {
			end = j
		}
	}
	if math.IsInf(sum[end], -1) || math.IsNaN(sum[end]) {
		return nil, errors.New("its layers fit into the baseline's one by one, but not in that order")
	}
	out := make([]int, k)
	for i := k - 1; i >= 0; i-- {
		out[i] = end
		end = from[i][end]
	}
	return out, nil
}

// stackAllows reports whether layer i of k of a stack may be the baseline's layer j.
func stackAllows(b arch.Spec, i, j, k int) bool {
	if !b.Stack() {
		return true
	}
	last := len(b.Layers) - 1
	switch {
	case i == 0 && j != 0 || k > 1 && i == k-1 && j != last:
		return false
	case i == k-1:
		return b.HiddenOf(j) == b.HiddenOf(last)
	}
	return true
}

// fits says what of the candidate's layer i the baseline's layer j does not have.
func fits(b, c arch.Spec, i, j int) error {
	if ct, bt := c.TypeOf(i), b.TypeOf(j); ct != bt {
		return fmt.Errorf("its type is %s, the baseline's %s", ct, bt)
	}
	if c.TypeOf(i).Recurrent() {
		if c.HiddenOf(i) > b.HiddenOf(j) {
			return more("hidden", c.HiddenOf(i), b.HiddenOf(j))
		}
		return nil
	}
	cl, bl := c.Layers[i], b.Layers[j]
	for _, size := range []struct {
		name string
		c, b int
	}{
		{"d_inner", cl.DInner, bl.DInner}, {"n_head", cl.NHead, bl.NHead}, {"n_kv_head", cl.KVHeads(), bl.KVHeads()},
		{"head_dim", c.HeadDimOf(i), b.HeadDimOf(j)},
	} {
		if size.c > size.b {
			return more(size.name, size.c, size.b)
		}
	}
	if shared, there := cl.NHead/cl.KVHeads(), bl.NHead/bl.KVHeads(); shared > there && shared%there != 0 {
		return fmt.Errorf("%d heads share keys and values, %d in the baseline: want a multiple of that, or less", shared, there)
	}
	return nil
}
