package nsga2

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"
)

// continuous is a problem of real variables. Those of ZDT are of Zitzler, Deb and Thiele
// 2000, DTLZ2 is of Deb, Thiele, Laumanns and Zitzler 2002; all are to be minimised.
type continuous struct {
	name       string
	variables  int
	objectives int
	low, high  float64 // of all variables but the first, which is from 0 to 1
	values     func(x []float64) []float64
}

// zdt are the problems of two objectives, x[0] or the like and g h.
func zdt(f1 func(float64) float64, g func(rest []float64) float64, h func(f1, g float64) float64) func([]float64) []float64 {
	return func(x []float64) []float64 {
		a, b := f1(x[0]), g(x[1:])
		return []float64{a, b * h(a, b)}
	}
}

func first(x float64) float64 { return x }

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func linear(rest []float64) float64 { return 1 + 9*mean(rest) }

var continuousProblems = []continuous{
	{"zdt1", 30, 2, 0, 1, zdt(first, linear, func(f, g float64) float64 { return 1 - math.Sqrt(f/g) })},
	{"zdt2", 30, 2, 0, 1, zdt(first, linear, func(f, g float64) float64 { return 1 - f/g*f/g })},
	{"zdt3", 30, 2, 0, 1, zdt(first, linear, func(f, g float64) float64 {
		return 1 - math.Sqrt(f/g) - f/g*math.Sin(10*math.Pi*f)
	})},
	{"zdt4", 10, 2, -5, 5, zdt(first, func(rest []float64) float64 {
		g := 1 + 10*float64(len(rest))
		for _, v := range rest {
			g += v*v - 10*math.Cos(4*math.Pi*v)
		}
		return g
	}, func(f, g float64) float64 { return 1 - math.Sqrt(f/g) })},
	{"zdt6", 10, 2, 0, 1, zdt(func(x float64) float64 {
		return 1 - math.Exp(-4*x)*math.Pow(math.Sin(6*math.Pi*x), 6)
	}, func(rest []float64) float64 { return 1 + 9*math.Pow(mean(rest), 0.25) }, func(f, g float64) float64 { return 1 - f/g*f/g })},
	{"dtlz2", 12, 3, 0, 1, func(x []float64) []float64 {
		g := 0.0
		for _, v := range x[2:] {
			g += (v - 0.5) * (v - 0.5)
		}
		a, b := x[0]*math.Pi/2, x[1]*math.Pi/2
		return []float64{(1 + g) * math.Cos(a) * math.Cos(b), (1 + g) * math.Cos(a) * math.Sin(b), (1 + g) * math.Sin(a)}
	}},
}

// grid is a space of real variables on a fine grid: a size has 2^20 + 1 values.
type grid struct {
	continuous
	genes []search.Gene
}

var fine = func() []int {
	v := make([]int, 1<<20+1)
	for i := range v {
		v[i] = i
	}
	return v
}()

func newGrid(c continuous) *grid {
	s := &grid{continuous: c}
	for i := range c.variables {
		s.genes = append(s.genes, search.Gene{Name: fmt.Sprintf("x%d", i), Values: fine})
	}
	return s
}

func (s *grid) at(g search.Genome) []float64 {
	x := make([]float64, len(s.genes))
	for i := range x {
		x[i] = float64(g.At(i)) / (1 << 20)
		if i > 0 {
			x[i] = s.low + (s.high-s.low)*x[i]
		}
	}
	return x
}

func (s *grid) Genes() []search.Gene                    { return s.genes }
func (s *grid) Candidate(search.Genome) arch.Candidate  { return baseline }
func (s *grid) Contains(g search.Genome) bool           { return g.Len() == len(s.genes) }
func (s *grid) Canonical(g search.Genome) search.Genome { return g }
func (s *grid) Size() float64                           { return math.Pow(float64(len(fine)), float64(len(s.genes))) }
func (s *grid) Count() (float64, bool)                  { return s.Size(), true }
func (s *grid) Builds() []arch.Build                    { return []arch.Build{baseline.Build} }
func (s *grid) Describe(g search.Genome) json.RawMessage {
	return search.DescribeGenes(s.genes, g, nil)
}
func (s *grid) Parse(json.RawMessage) (search.Genome, error) {
	return "", fmt.Errorf("nothing is read back here")
}
func (s *grid) Hash() string { return s.name }

func (s *grid) Random(rng *rand.Rand) (search.Genome, error) {
	at := make([]int, len(s.genes))
	for i := range at {
		at[i] = rng.IntN(len(fine))
	}
	return search.NewGenome(at...), nil
}

var baseline = arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 1, 64, 64, 1), Build: arch.Build{}.Normalized()}

// Name and Evaluate make it an evaluator too.
func (s *grid) Name() string { return s.name }

func (s *grid) Evaluate(ctx context.Context, points []search.Genome, emit func(search.Evaluation) error) error {
	for _, g := range points {
		if err := emit(search.Evaluation{Genome: g, Values: s.values(s.at(g)), Kind: search.Exact}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// last is the hypervolume of the last population, within 1.1 in every objective.
func (c continuous) last(t testing.TB, generations int, seed uint64) float64 {
	p := &search.Problem{Space: newGrid(c), Baseline: baseline}
	ref := make([]float64, c.objectives)
	for i := range ref {
		p.Objectives = append(p.Objectives, search.Objective{Name: fmt.Sprintf("f%d", i+1)})
		ref[i] = 1.1
	}
	m := method(t, Options{Population: 100, Generations: generations, Index: paperEta})
	res, err := (&search.Driver{Problem: p, Method: m, Evaluator: newGrid(c), Settings: search.Settings{Seed: seed}}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(res.Evaluations); n != 100*generations {
		t.Fatalf("%s: %d evaluations, want %d", c.name, n, 100*generations)
	}
	var values [][]float64
	for _, s := range m.population {
		values = append(values, s.values)
	}
	return p.Directions().Hypervolume(values, ref)
}

// The values of the problems' known optima and of a point that is easily done by hand.
func TestContinuousProblems(t *testing.T) {
	for _, c := range continuousProblems {
		x := make([]float64, c.variables)
		x[0] = 0.25
		var want []float64
		switch c.name {
		case "zdt1", "zdt4":
			want = []float64{0.25, 0.5}
		case "zdt2":
			want = []float64{0.25, 0.9375}
		case "zdt3":
			want = []float64{0.25, 0.25} // 1 - 1/2 - 1/4 sin(5/2 pi)
		case "zdt6":
			want = []float64{1 - math.Exp(-1), 1 - math.Pow(1-math.Exp(-1), 2)} // sin(3/2 pi)^6 is 1
		case "dtlz2":
			for i := range x[1:] {
				x[1+i] = 0.5
			}
			x[0] = 0
			want = []float64{math.Sqrt2 / 2, math.Sqrt2 / 2, 0}
		}
		for i, v := range c.values(x) {
			if math.Abs(v-want[i]) > 1e-12 {
				t.Errorf("%s: objective %d is %v, want %v", c.name, i+1, v, want[i])
			}
		}
	}
}

// A short run on the easiest: 60 generations are most of the way.
func TestConvergesOnRealVariables(t *testing.T) {
	// The exact front's is 1.1 * 1.1 - 1/3.
	if hv := continuousProblems[0].last(t, 100, 1); hv < 0.75 || hv > 0.8767 {
		t.Errorf("zdt1: %.4f after 100 generations, the exact front has 0.8767", hv)
	}
}

// BenchmarkProblems prints what is beside pymoo's in docs/BENCHMARKS.md: 20 seeds, 250
// generations of 100.
func BenchmarkProblems(b *testing.B) {
	for _, c := range continuousProblems {
		b.Run(c.name, func(b *testing.B) {
			var got []float64
			for b.Loop() {
				got = got[:0]
				for seed := range uint64(20) {
					got = append(got, c.last(b, 250, seed))
				}
			}
			slices.Sort(got)
			b.ReportMetric((got[9]+got[10])/2, "hypervolume")
			b.ReportMetric(got[0], "least")
			b.ReportMetric(got[19], "most")
		})
	}
}
