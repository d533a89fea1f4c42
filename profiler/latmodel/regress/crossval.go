package regress

import (
	"math/rand/v2"
	"slices"
)

// Held is a cross-validation's raw result.
type Held struct {
	Fold      []int     // by row
	Models    []*Model  // by fold, fitted without it
	Predicted []float64 // by row, by its fold's model
	Sum       []float64 // by row, by the physical part of that model alone
}

// Folds deals n rows out to k folds of sizes that differ by at most one; k of 0,
// or not less than n, is one fold each.
func Folds(n, k int, rng *rand.Rand) [][]int {
	if k == 0 || k >= n {
		return strided(n, n)
	}
	out := make([][]int, k)
	for i, j := range rng.Perm(n) {
		out[i%k] = append(out[i%k], j)
	}
	return out
}

// strided deals n rows out in turn.
func strided(n, k int) [][]int {
	k = min(n, k)
	out := make([][]int, k)
	for i := range n {
		out[i%k] = append(out[i%k], i)
	}
	return out
}

// CrossValidate fits rows without each fold in turn. full, the model of all rows,
// says where the ascents for the processes' parameters begin, which saves most of
// their time; nil begins them at the priors.
func CrossValidate(rows []Row, o Options, folds [][]int, full *Model) (*Held, error) {
	if err := check(rows, &o); err != nil {
		return nil, err
	}
	return newProblem(rows, o).crossValidate(all(len(rows)), folds, full)
}

// crossValidate does it among the rows in; folds are of indices into in.
func (p *problem) crossValidate(in []int, folds [][]int, full *Model) (*Held, error) {
	h := &Held{Fold: make([]int, len(in)), Predicted: make([]float64, len(in)), Sum: make([]float64, len(in))}
	var start []float64
	if full != nil {
		start = full.theta
	}
	for k, out := range folds {
		var rest []int
		for i, row := range in {
			if !slices.Contains(out, i) {
				rest = append(rest, row)
			}
		}
		m, err := p.fit(rest, start)
		if err != nil {
			return nil, err
		}
		h.Models = append(h.Models, m)
		for _, i := range out {
			r := &p.rows[in[i]]
			h.Fold[i], h.Predicted[i], h.Sum[i] = k, m.Predict(r.Features, r.Shape), m.Sum(r.Features)
		}
	}
	return h, nil
}
