package regress

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"lathe/profiler/stat/gp"
)

// generalized fits the weights that o does not exclude anew, by least squares of relative
// errors that are as much alike as the process has them (Aitken 1936; Rasmussen and
// Williams 2006, section 2.7), the weights still not negative, and the process to what
// those leave.
//
// It matters where rows were not drawn at random: a search measures the same corner again
// and again, and what the terms miss there is one error and not twenty. Independent
// errors let that corner bend the terms, and so every prediction elsewhere.
func generalized(rows []Row, o *Model, errors *gp.Errors) (*Model, error) {
	var kept []int
	for j, why := range o.Excluded {
		if why == "" {
			kept = append(kept, j)
		}
	}
	x := mat.NewDense(len(rows), len(kept)+1, nil) // relative, and the ones that they are to sum to
	for i := range rows {
		for k, j := range kept {
			x.Set(i, k, rows[i].Features[j]/rows[i].Y)
		}
		x.Set(i, len(kept), 1)
	}
	white := errors.Whiten(x)
	a := mat.DenseCopyOf(white.Slice(0, len(rows), 0, len(kept)))
	w, err := scaledNNLS(a, mat.Col(nil, len(kept), white))
	if err != nil {
		return nil, err
	}
	m := &Model{Weights: make([]float64, len(o.Weights)), Excluded: o.Excluded, theta: o.theta}
	for k, j := range kept {
		m.Weights[j] = w[k]
	}
	residual := make([]float64, len(rows))
	for i := range rows {
		sum := m.Sum(rows[i].Features)
		if !(sum > 0) {
			return o, nil // no process mends a row that the sum cannot express
		}
		residual[i] = math.Log(rows[i].Y / sum)
	}
	m.Process = errors.Process(residual)
	return m, nil
}
