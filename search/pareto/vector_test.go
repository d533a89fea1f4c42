package pareto

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func genDirections(t *rapid.T, low, high int) Directions {
	d := make(Directions, rapid.IntRange(low, high).Draw(t, "objectives"))
	for i := range d {
		d[i] = rapid.SampledFrom([]Direction{Minimise, Maximise, Minimise, Maximise, Ignore}).Draw(t, "direction")
	}
	return d
}

// genVectors draws from a small grid, so that ties and duplicates abound, with the odd
// value that cannot be compared.
func genVectors(t *rapid.T, k, most int) [][]float64 {
	values := make([][]float64, rapid.IntRange(0, most).Draw(t, "n"))
	for i := range values {
		values[i] = make([]float64, k)
		for j := range values[i] {
			switch v := rapid.IntRange(0, 40).Draw(t, "v"); v {
			case 39:
				values[i][j] = math.NaN()
			case 40:
				values[i][j] = math.Inf(1)
			default:
				values[i][j] = float64(v % 6)
			}
		}
	}
	return values
}

// better is the definition of domination, written out anew.
func better(d Directions, a, b []float64) bool {
	none, some := true, false
	for i, dir := range d {
		sign := map[Direction]float64{Minimise: 1, Maximise: -1, Ignore: 0}[dir]
		if sign == 0 {
			continue
		}
		if math.IsNaN(a[i]) || math.IsNaN(b[i]) || math.IsInf(a[i], 0) || math.IsInf(b[i], 0) {
			return false
		}
		none = none && sign*a[i] <= sign*b[i]
		some = some || sign*a[i] < sign*b[i]
	}
	return none && some
}

func TestVectorFrontAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := genDirections(t, 1, 5)
		values := genVectors(t, len(d), 40)
		var vectors []Vector
		for i, v := range values {
			vectors = append(vectors, Vector{i, v})
		}
		var want []int
		for i, v := range values {
			keep := d.finite(v)
			for j, w := range values {
				if better(d, w, v) || d.finite(w) && d.Equal(v, w) && j < i {
					keep = false
				}
				if d.Dominates(v, w) != better(d, v, w) {
					t.Fatalf("%v: %v dominates %v: %v", d, v, w, d.Dominates(v, w))
				}
			}
			if keep {
				want = append(want, i)
			}
		}
		ids := func(front []Vector) []int {
			var got []int
			for _, v := range front {
				got = append(got, v.ID)
			}
			slices.Sort(got)
			return got
		}
		front := d.Front(vectors)
		if !slices.Equal(ids(front), want) {
			t.Fatalf("%v: front of %v is %v, want %v", d, values, ids(front), want)
		}
		if !slices.IsSortedFunc(front, d.compare) {
			t.Fatalf("front %v is not in order", front)
		}
		archive := d.NewArchive()
		for _, v := range rapid.Permutation(vectors).Draw(t, "order") {
			archive.Add(v)
		}
		same := func(a, b Vector) bool { return a.ID == b.ID && slices.Equal(a.Values, b.Values) }
		finite := slices.DeleteFunc(slices.Clone(front), func(v Vector) bool { return slices.ContainsFunc(v.Values, math.IsNaN) })
		held := slices.DeleteFunc(archive.Front(), func(v Vector) bool { return slices.ContainsFunc(v.Values, math.IsNaN) })
		if !slices.EqualFunc(held, finite, same) || archive.Len() != len(front) {
			t.Fatalf("%v: archive of %v has %v, want %v", d, values, archive.Front(), front)
		}
	})
}

// Each rank is what nothing in it or in a later one dominates, by constrained
// domination, and something in the rank before dominates it.
func TestSortAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := genDirections(t, 1, 4)
		values := genVectors(t, len(d), 30)
		var violations []float64
		if rapid.Bool().Draw(t, "limits") {
			for range values {
				violations = append(violations, float64(max(0, rapid.IntRange(-3, 3).Draw(t, "violation"))))
			}
		}
		dominates := func(i, j int) bool {
			if violations != nil && violations[i]+violations[j] > 0 {
				return violations[i] < violations[j]
			}
			return better(d, values[i], values[j])
		}
		var left []int
		for i, v := range values {
			if d.finite(v) {
				left = append(left, i)
			}
		}
		var want [][]int
		for len(left) > 0 {
			var rank, rest []int
			for _, i := range left {
				if slices.ContainsFunc(left, func(j int) bool { return dominates(j, i) }) {
					rest = append(rest, i)
				} else {
					rank = append(rank, i)
				}
			}
			want, left = append(want, rank), rest
		}
		if got := d.Sort(values, violations); !slices.EqualFunc(got, want, slices.Equal[[]int]) {
			t.Fatalf("%v of %v with %v: ranks %v, want %v", d, values, violations, got, want)
		}
	})
}

func TestCrowding(t *testing.T) {
	d := Directions{Minimise, Maximise, Ignore}
	values := [][]float64{{0, 0, 9}, {9, 9, 9}, {1, 2, 0}, {3, 4, 1}, {4, 8, 7}}
	rank := []int{4, 0, 3, 2} // values[1] is of another
	// Extents 4 and 8. (1,2): (3-0)/4 + (4-0)/8; (3,4): (4-1)/4 + (8-2)/8.
	if got, want := d.Crowding(values, rank), []float64{math.Inf(1), math.Inf(1), 1.5, 1.25}; !slices.Equal(got, want) {
		t.Errorf("distances %v, want %v", got, want)
	}
	if got := d.Crowding([][]float64{{1, 1, 1}, {1, 1, 2}}, []int{0, 1}); !slices.Equal(got, []float64{0, 0}) {
		t.Errorf("equals have distances %v, want 0", got)
	}
	if got := d.Crowding(values, nil); len(got) != 0 {
		t.Errorf("nothing has distances %v", got)
	}
}

// The distance does not depend on the order of the members, nor on an objective's unit.
func TestCrowdingProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := make(Directions, rapid.IntRange(1, 4).Draw(t, "objectives"))
		n := rapid.IntRange(1, 20).Draw(t, "n")
		values := make([][]float64, n)
		rank := make([]int, n)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		for i := range values {
			rank[i] = i
			for range d {
				values[i] = append(values[i], rng.Float64())
			}
		}
		want := d.Crowding(values, rank)
		order := rapid.Permutation(rank).Draw(t, "order")
		got := d.Crowding(values, order)
		for k, i := range order {
			if got[k] != want[i] {
				t.Fatalf("member %d has %v, and %v in another order", i, want[i], got[k])
			}
		}
		infinite := 0
		for _, v := range want {
			if math.IsInf(v, 1) {
				infinite++
			} else if v < 0 || v > 2*float64(len(d)) {
				t.Fatalf("distance %v of %d objectives", v, len(d))
			}
		}
		if infinite < min(n, 2) && n > 1 {
			t.Fatalf("%d ends of %d members", infinite, n)
		}
	})
}

// Coordinates are whole, so counting the dominated unit cells is exact.
func TestVectorHypervolumeAgainstCells(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := genDirections(t, 1, 5)
		values := genVectors(t, len(d), 12)
		kept := d.kept()
		if len(kept) == 0 {
			return
		}
		ref := make([]float64, len(d))
		costs := make([]float64, len(d)) // of the reference point
		for i, dir := range d {
			costs[i] = float64(rapid.IntRange(-3, 6).Draw(t, "ref"))
			ref[i] = dir.cost(costs[i])
		}
		want := 0.0
		cell := make([]float64, len(d))
		var count func(k int)
		count = func(k int) {
			if k == len(kept) {
				for _, v := range values {
					covered := d.finite(v)
					for _, i := range kept {
						covered = covered && d[i].cost(v[i]) <= cell[i]
					}
					if covered {
						want++
						return
					}
				}
				return
			}
			for c := -6.0; c < costs[kept[k]]; c++ {
				cell[kept[k]] = c
				count(k + 1)
			}
		}
		count(0)
		if got := d.Hypervolume(values, ref); math.Abs(got-want) > 1e-9 {
			t.Fatalf("%v: hypervolume of %v to %v is %v, want %v", d, values, ref, got, want)
		}
	})
}

// WFG and the sweep are two ways to the same figure.
func TestWFGAgainstSweep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		points := make([][]float64, rapid.IntRange(1, 60).Draw(t, "n"))
		for i := range points {
			points[i] = []float64{rng.Float64(), rng.Float64(), rng.Float64()}
		}
		ref := []float64{1, 1, 1}
		a, b := sweep(points, ref), wfg(points, ref)
		if math.Abs(a-b) > 1e-12 {
			t.Fatalf("%v by the sweep, %v by WFG", a, b)
		}
	})
}

// In two objectives everything agrees with the plane.
func TestVectorsAgreeWithPlane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pl := rapid.SampledFrom(planes).Draw(t, "plane")
		d := Directions{pl.X, Ignore, pl.Y}
		points := genPoints(t)
		values := make([][]float64, len(points))
		for i, p := range points {
			values[i] = []float64{p.X, float64(i), p.Y}
		}
		ref := Point{X: pl.X.cost(5), Y: pl.Y.cost(4)}
		if got, want := d.Hypervolume(values, []float64{ref.X, 0, ref.Y}), pl.Hypervolume(points, ref); math.Abs(got-want) > 1e-9 {
			t.Fatalf("hypervolume %v, in the plane %v", got, want)
		}
		got, errA := d.Normalised(values[:len(values)/2], values)
		want, errB := pl.Normalised(points[:len(points)/2], points)
		if (errA == nil) != (errB == nil) || errA == nil && math.Abs(got-want) > 1e-9 {
			t.Fatalf("normalised %v (%v), in the plane %v (%v)", got, errA, want, errB)
		}
	})
}

func TestConstrainedDominates(t *testing.T) {
	d := Directions{Minimise, Minimise}
	good, bad := []float64{1, 1}, []float64{2, 2}
	for _, c := range []struct {
		a, b   []float64
		va, vb float64
		want   bool
	}{
		{good, bad, 0, 0, true}, {bad, good, 0, 0, false},
		{bad, good, 0, 0.1, true}, {good, bad, 0.1, 0, false},
		{bad, good, 0.1, 0.2, true}, {good, bad, 0.2, 0.2, false},
	} {
		if got := d.ConstrainedDominates(c.a, c.b, c.va, c.vb); got != c.want {
			t.Errorf("%v breaking limits by %g dominates %v by %g: %v", c.a, c.va, c.b, c.vb, got)
		}
	}
}

func BenchmarkHypervolume3(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([][]float64, 1000) // all on a sphere, so all on the front
	for i := range values {
		x, y, z := math.Abs(rng.NormFloat64()), math.Abs(rng.NormFloat64()), math.Abs(rng.NormFloat64())
		r := math.Sqrt(x*x + y*y + z*z)
		values[i] = []float64{x / r, y / r, z / r}
	}
	d := Directions{Maximise, Maximise, Maximise}
	for b.Loop() {
		d.Hypervolume(values, []float64{0, 0, 0})
	}
}
