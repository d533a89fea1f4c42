package latmodel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// problem is a regression: rows of features and what was measured for each.
type problem struct {
	features []Feature
	x        [][]float64 // a row an observation
	y        []float64   // relative latency, positive
	weight   []float64   // of an observation's relative error
	// anchor, if not nil, is the baseline's row. Its ratio to itself is 1 by
	// definition: it is fitted like an observation, and never held out.
	anchor []float64
}

// regression is fitted weights, one a feature, and why some features were left
// out.
type regression struct {
	weights  []float64
	excluded []string // by feature; "" for those that took part
}

// parallel is how close to 1 the cosine of two columns is for them to count as
// the same: their difference is then under 1e-5 of either.
const parallel = 1 - 1e-10

// fit solves the problem on the rows given.
func (p *problem) fit(rows []int) (regression, error) {
	var x [][]float64
	var y, weight []float64
	for _, i := range rows {
		x, y, weight = append(x, p.x[i]), append(y, p.y[i]), append(weight, p.weight[i])
	}
	if p.anchor != nil {
		x, y, weight = append(x, p.anchor), append(y, 1), append(weight, slices.Max(weight))
	}
	r := regression{make([]float64, len(p.features)), make([]string, len(p.features))}
	var kept []int
	for j, f := range p.features {
		if r.excluded[j] = f.redundant(j, kept, x, y, p.features); r.excluded[j] == "" {
			kept = append(kept, j)
		}
	}
	cols := make([][]float64, len(x))
	for i := range x {
		for _, j := range kept {
			cols[i] = append(cols[i], x[i][j])
		}
	}
	w, err := relativeNNLS(cols, y, weight)
	if err != nil {
		return r, err
	}
	for k, j := range kept {
		r.weights[j] = w[k]
	}
	return r, nil
}

// redundant says why column j cannot take part beside the kept ones: it is zero,
// or it is one of them times a number, as operators are of run where all
// candidates have one number of layers. The earlier one then stands for both.
func (f Feature) redundant(j int, kept []int, x [][]float64, y []float64, features []Feature) string {
	for _, k := range append(slices.Clone(kept), j) {
		var jk, jj, kk float64
		for i := range x {
			a, b := x[i][j]/y[i], x[i][k]/y[i]
			jk, jj, kk = jk+a*b, jj+a*a, kk+b*b
		}
		switch {
		case jj == 0:
			return "zero for all candidates"
		case k != j && jk > parallel*math.Sqrt(jj*kk):
			return fmt.Sprintf("in proportion to %s for all candidates", features[k].Name)
		}
	}
	return ""
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// folds deals n observations out to k folds of sizes that differ by at most one;
// k of 0, or not less than n, is one fold each.
func folds(n, k int, rng *rand.Rand) [][]int {
	if k == 0 || k >= n {
		out := make([][]int, n)
		for i := range out {
			out[i] = []int{i}
		}
		return out
	}
	out := make([][]int, k)
	for i, j := range rng.Perm(n) {
		out[i%k] = append(out[i%k], j)
	}
	return out
}

// heldOut is a cross-validation's raw result.
type heldOut struct {
	fold      []int       // by observation
	weights   [][]float64 // by fold, fitted without it
	predicted []float64   // by observation, by the fold's weights
}

// crossValidate fits the problem without each fold in turn.
func (p *problem) crossValidate(folds [][]int) (heldOut, error) {
	h := heldOut{make([]int, len(p.y)), make([][]float64, len(folds)), make([]float64, len(p.y))}
	for k, out := range folds {
		var in []int
		for i := range p.y {
			if !slices.Contains(out, i) {
				in = append(in, i)
			}
		}
		r, err := p.fit(in)
		if err != nil {
			return h, err
		}
		h.weights[k] = r.weights
		for _, i := range out {
			h.fold[i], h.predicted[i] = k, dot(r.weights, p.x[i])
		}
	}
	return h, nil
}

func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
