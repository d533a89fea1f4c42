package regress

import (
	"math"
	"math/bits"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func objective(a *mat.Dense, b, x []float64) float64 {
	m, n := a.Dims()
	sum := 0.0
	for i := range m {
		r := -b[i]
		for j := range n {
			r += a.At(i, j) * x[j]
		}
		sum += r * r
	}
	return sum
}

// bruteForce tries every set of columns, solves it by normal equations in another
// way than nnls does (Cholesky), and keeps the best that is nowhere negative.
func bruteForce(a *mat.Dense, b []float64) (best []float64, value float64) {
	m, n := a.Dims()
	best, value = make([]float64, n), objective(a, b, make([]float64, n))
	for set := 1; set < 1<<n; set++ {
		k := bits.OnesCount(uint(set))
		var cols []int
		for j := range n {
			if set>>j&1 == 1 {
				cols = append(cols, j)
			}
		}
		gram, rhs := mat.NewSymDense(k, nil), mat.NewVecDense(k, nil)
		for p, i := range cols {
			for q, j := range cols[p:] {
				gram.SetSym(p, p+q, mat.Dot(a.ColView(i), a.ColView(j)))
			}
			rhs.SetVec(p, mat.Dot(a.ColView(i), mat.NewVecDense(m, b)))
		}
		var chol mat.Cholesky
		var s mat.VecDense
		if !chol.Factorize(gram) || chol.Cond() > 1e12 || chol.SolveVecTo(&s, rhs) != nil {
			continue
		}
		x := make([]float64, n)
		ok := true
		for p, j := range cols {
			x[j] = s.AtVec(p)
			ok = ok && x[j] >= 0
		}
		if v := objective(a, b, x); ok && v < value {
			best, value = x, v
		}
	}
	return best, value
}

func drawProblem(t *rapid.T) (*mat.Dense, []float64) {
	n := rapid.IntRange(1, 6).Draw(t, "columns")
	m := rapid.IntRange(1, 12).Draw(t, "rows")
	num := rapid.Float64Range(-3, 3)
	a := mat.NewDense(m, n, rapid.SliceOfN(num, m*n, m*n).Draw(t, "a"))
	if n > 1 && rapid.Bool().Draw(t, "dependent") {
		// A column that is another one, or two others together.
		from := rapid.IntRange(0, n-2).Draw(t, "from")
		for i := range m {
			v := 2 * a.At(i, from)
			if n > 2 {
				v += a.At(i, (from+1)%(n-1))
			}
			a.Set(i, n-1, v)
		}
	}
	return a, rapid.SliceOfN(num, m, m).Draw(t, "b")
}

func TestNNLSIsTheBestOfAllActiveSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawProblem(t)
		x, err := nnls(a, b)
		if err != nil {
			t.Fatal(err)
		}
		for j, v := range x {
			if v < 0 || math.IsNaN(v) {
				t.Fatalf("x[%d] is %g", j, v)
			}
		}
		want, value := bruteForce(a, b)
		if got := objective(a, b, x); got > value+1e-6*(1+value) {
			t.Fatalf("objective %g at %v, brute force %g at %v", got, x, value, want)
		}
	})
}

// TestNNLSMeetsTheConditionsOfAMinimum checks those of Karush, Kuhn and Tucker:
// no descent where the weight is 0, none either way where it is not.
func TestNNLSMeetsTheConditionsOfAMinimum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawProblem(t)
		x, err := nnls(a, b)
		if err != nil {
			t.Fatal(err)
		}
		p := activeSet{a: a, b: mat.NewVecDense(len(b), b), x: x}
		grad := p.gradient()
		for j := range x {
			g := grad.AtVec(j)
			tol := 1e-6 * (1 + mat.Norm(a.ColView(j), 2)*mat.Norm(p.b, 2))
			if g > tol || x[j] > 1e-9 && g < -tol {
				t.Fatalf("x[%d] = %g with descent %g", j, x[j], g)
			}
		}
	})
}

func TestRelativeNNLSDoesNotSeeUnits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "columns")
		m := rapid.IntRange(n+2, 12).Draw(t, "rows")
		pos := rapid.Float64Range(0.5, 2)
		x, scaled := make([][]float64, m), make([][]float64, m)
		y, one := make([]float64, m), make([]float64, m)
		unit := rapid.SliceOfN(rapid.Float64Range(1e-6, 1e6), n, n).Draw(t, "units")
		for i := range x {
			x[i] = rapid.SliceOfN(pos, n, n).Draw(t, "x")
			scaled[i] = make([]float64, n)
			for j := range n {
				scaled[i][j] = x[i][j] * unit[j]
			}
			y[i], one[i] = pos.Draw(t, "y"), 1
		}
		w, err := relativeNNLS(x, y, one)
		if err != nil {
			t.Fatal(err)
		}
		v, err := relativeNNLS(scaled, y, one)
		if err != nil {
			t.Fatal(err)
		}
		for i := range x {
			if p, q := dot(w, x[i]), dot(v, scaled[i]); math.Abs(p-q) > 1e-6 {
				t.Fatalf("row %d: %g in one unit and %g in another", i, p, q)
			}
		}
	})
}
