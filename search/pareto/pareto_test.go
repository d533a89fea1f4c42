package pareto

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var planes = []Plane{{}, {Maximise, Minimise}, {Minimise, Maximise}, {Maximise, Maximise}}

// genPoints draws points from a small grid, so that ties and duplicates abound,
// with the odd value that has no place in the plane.
func genPoints(t *rapid.T) []Point {
	coord := rapid.Custom(func(t *rapid.T) float64 {
		switch v := rapid.IntRange(-6, 30).Draw(t, "v"); v {
		case 28:
			return math.NaN()
		case 29:
			return math.Inf(1)
		case 30:
			return math.Inf(-1)
		default:
			return float64(v) / 4
		}
	})
	n := rapid.IntRange(0, 40).Draw(t, "n")
	points := make([]Point, n)
	for i := range points {
		points[i] = Point{ID: i, X: coord.Draw(t, "x"), Y: coord.Draw(t, "y")}
	}
	return rapid.Permutation(points).Draw(t, "points")
}

// bruteFront is the definition: not dominated by any, equal to none with a
// smaller ID.
func bruteFront(pl Plane, points []Point) []Point {
	var front []Point
	for _, p := range points {
		keep := p.finite()
		for _, q := range points {
			if pl.Dominates(q, p) || q.X == p.X && q.Y == p.Y && q.ID < p.ID {
				keep = false
			}
		}
		if keep {
			front = append(front, p)
		}
	}
	slices.SortFunc(front, pl.compare)
	return front
}

func TestFrontAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pl := rapid.SampledFrom(planes).Draw(t, "plane")
		points := genPoints(t)
		before := slices.Clone(points)
		want := bruteFront(pl, points)
		got := pl.Front(points)
		if !slices.Equal(got, want) {
			t.Fatalf("Front(%v) = %v, want %v", points, got, want)
		}
		if diff := cmp.Diff(before, points, cmp.Comparer(func(a, b float64) bool {
			return a == b || math.IsNaN(a) && math.IsNaN(b)
		})); diff != "" {
			t.Fatalf("Front changed its argument:\n%s", diff)
		}
		archive := Archive{Plane: pl}
		for _, p := range points {
			before := archive.Front()
			changed := archive.Add(p)
			if same := slices.EqualFunc(before, archive.Front(), func(a, b Point) bool { return a.X == b.X && a.Y == b.Y }); same == changed {
				t.Fatalf("Add(%v) says changed %v, but %v became %v", p, changed, before, archive.Front())
			}
		}
		if !slices.Equal(archive.Front(), want) || archive.Len() != len(want) {
			t.Fatalf("archive of %v = %v, want %v", points, archive.Front(), want)
		}
	})
}

func TestHypervolumeAgainstCells(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pl := rapid.SampledFrom(planes).Draw(t, "plane")
		points := genPoints(t)
		ref := Point{X: pl.X.cost(5), Y: pl.Y.cost(4)}
		// Every coordinate is a multiple of 1/4, so counting the dominated cells
		// of that size is exact.
		want := 0.0
		for x := -8.0; x < 5; x += 0.25 {
			for y := -8.0; y < 4; y += 0.25 {
				for _, p := range points {
					if p.finite() && pl.X.cost(p.X) <= x && pl.Y.cost(p.Y) <= y {
						want += 1. / 16
						break
					}
				}
			}
		}
		if got := pl.Hypervolume(points, ref); got != want {
			t.Fatalf("hypervolume of %v = %v, want %v", points, got, want)
		}
	})
}

func TestHypervolumeKnown(t *testing.T) {
	points := []Point{{1, 1, 3}, {2, 2, 2}, {3, 3, 1}, {4, 3, 3}}
	if got := (Plane{}).Hypervolume(points, Point{X: 4, Y: 4}); got != 6 {
		t.Errorf("staircase of three = %v, want 6", got)
	}
	if got := (Plane{}).Hypervolume(points, Point{X: 1, Y: 1}); got != 0 {
		t.Errorf("a reference that is not reached = %v, want 0", got)
	}
	if got := (Plane{}).Hypervolume(nil, Point{X: 1, Y: 1}); got != 0 {
		t.Errorf("no points = %v, want 0", got)
	}
	// Quality 10 at cost 1, reference quality 8 at cost 3: 2 x 2.
	if got := (Plane{Maximise, Minimise}).Hypervolume([]Point{{0, 10, 1}}, Point{X: 8, Y: 3}); got != 4 {
		t.Errorf("maximised X = %v, want 4", got)
	}
}

func TestNormalised(t *testing.T) {
	pl := Plane{Maximise, Minimise}
	reference := []Point{{0, 120e6, 0.6}, {1, 150e6, 0.8}, {2, 180e6, 1.0}}
	check := func(points []Point, want float64) {
		t.Helper()
		got, err := pl.Normalised(points, reference)
		if err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("Normalised(%v) = %v, %v, want %v", points, got, err, want)
		}
	}
	check(reference, 1)
	check(nil, 0)
	// Scaled costs are (0, 1), (0.5, 0.5), (1, 0) with reference (1.1, 1.1):
	// 1.1*0.1 + 0.6*0.5 + 0.1*0.5 = 0.46; without the middle one 0.11+0.1.
	s, err := pl.NewScale(reference)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Hypervolume(reference); math.Abs(got-0.46) > 1e-12 {
		t.Errorf("scaled hypervolume = %v, want 0.46", got)
	}
	check(reference[1:], (0.46-0.05)/0.46)
	check([]Point{reference[0], reference[2]}, 0.21/0.46)
	// One point is a reference too: (0, 0) with 1.1 x 1.1.
	if got, err := pl.Normalised([]Point{{0, 2, 4}}, []Point{{0, 2, 4}}); err != nil || got != 1 {
		t.Errorf("single reference = %v, %v, want 1", got, err)
	}
	if _, err := pl.Normalised(reference, nil); err == nil {
		t.Error("an empty reference front should be an error")
	}
}

// A front can only gain by more points, scaling either axis changes nothing,
// and no subset of the reference exceeds it.
func TestNormalisedProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pl := rapid.SampledFrom(planes).Draw(t, "plane")
		all := genPoints(t)
		if len(pl.Front(all)) == 0 {
			return
		}
		k := rapid.IntRange(0, len(all)).Draw(t, "k")
		part, err := pl.Normalised(all[:k], all)
		if err != nil {
			t.Fatal(err)
		}
		if part < 0 || part > 1 {
			t.Fatalf("a subset reaches %v of the whole", part)
		}
		if whole, _ := pl.Normalised(all, all); whole != 1 {
			t.Fatalf("the whole reaches %v of itself", whole)
		}
		front := pl.Front(all)
		if len(front) < 2 {
			return // an extent that is the value's own size moves with a shift
		}
		moved := func(points []Point) []Point {
			out := slices.Clone(points)
			for i := range out {
				out[i].X, out[i].Y = 8*out[i].X+16, 2*out[i].Y-4
			}
			return out
		}
		again, err := pl.Normalised(moved(all[:k]), moved(all))
		if err != nil || math.Abs(again-part) > 1e-9 {
			t.Fatalf("shifted and scaled: %v, was %v (%v)", again, part, err)
		}
	})
}

func BenchmarkFront(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	points := make([]Point, 146_900) // the paper's space before constraints
	for i := range points {
		x := rng.Float64()
		points[i] = Point{i, x, x + 0.1*rng.Float64()}
	}
	pl := Plane{Maximise, Minimise}
	b.Run("sort", func(b *testing.B) {
		for b.Loop() {
			pl.Front(points)
		}
	})
	b.Run("archive", func(b *testing.B) {
		for b.Loop() {
			a := Archive{Plane: pl}
			for _, p := range points {
				a.Add(p)
			}
		}
	})
}
