package evolve

import (
	"math/rand/v2"
	"testing"

	"lathe/search"
	"lathe/search/pareto"
)

// Of 101 sizes a step from the middle is up or down as often; its logarithm is uniform, so
// that it is one with the probability log 2 of log 101, and ten or more with the half of it;
// and it stops at an end. From an end all steps lead back.
func TestStepsAreUniformInLogarithms(t *testing.T) {
	gene := search.Gene{Name: "size", Values: make([]int, 101)}
	m := &Method{rng: rand.New(rand.NewPCG(7, 7))}
	const n = 20_000
	up, next, far, end := 0, 0, 0, 0
	for range n {
		j := m.another(gene, 50)
		if j == 50 || j < 0 || j > 100 {
			t.Fatalf("from 50 to %d", j)
		}
		if j > 50 {
			up++
		}
		switch d := max(j-50, 50-j); {
		case d == 1:
			next++
		case d == 50:
			end++
			fallthrough
		case d >= 10:
			far++
		}
	}
	for _, c := range []struct {
		what string
		got  int
		want float64
	}{{"up", up, 0.5}, {"by one", next, 0.1502}, {"by ten and more", far, 0.5011}, {"to an end", end, 0.1523}} {
		if share := float64(c.got) / n; share < c.want-0.015 || share > c.want+0.015 {
			t.Errorf("%.3f of the steps are %s, want %.3f", share, c.what, c.want)
		}
	}
	for range 100 {
		if j := m.another(gene, 0); j < 1 || j > 100 {
			t.Fatalf("from 0 to %d", j)
		}
		if j := m.another(gene, 100); j < 0 || j > 99 {
			t.Fatalf("from 100 to %d", j)
		}
		if j := m.another(search.Gene{Values: []int{1, 2}}, 1); j != 0 {
			t.Fatalf("of two sizes, from 1 to %d", j)
		}
	}
}

// The least crowded are parents more often, and every member may be one.
func TestParents(t *testing.T) {
	var front []search.Evaluation
	for i, v := range []float64{0, 1, 2, 3, 9} {
		front = append(front, search.Evaluation{Genome: search.NewGenome(i), Values: []float64{v, v}})
	}
	p := newParents(front, pareto.Directions{pareto.Maximise, pareto.Minimise}, rand.New(rand.NewPCG(3, 3)))
	var drawn [5]int
	for range 10_000 {
		drawn[p.one().At(0)]++
		if a, b := p.pair(); a == b {
			t.Fatalf("%v is crossed with itself", a)
		}
	}
	// Beside the ends, 3 has the widest gap; 1 and 2 are as crowded.
	if !(drawn[0] > drawn[3] && drawn[4] > drawn[3] && drawn[3] > drawn[1] && drawn[3] > drawn[2] && min(drawn[1], drawn[2]) > 0) {
		t.Errorf("parents were drawn %v times", drawn)
	}
	alone := newParents(front[:1], pareto.Directions{pareto.Maximise, pareto.Minimise}, p.rng)
	if alone.one() != front[0].Genome {
		t.Error("a front of one has no parent")
	}
}
