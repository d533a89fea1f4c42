package nsga2

import (
	"math"
	"math/rand/v2"
	"testing"

	"lathe/search"
	"lathe/search/searchtest"

	"pgregory.net/rapid"
)

// paperEta is the paper's distribution index (Deb et al. 2002, section V.A).
const paperEta = 20

// Children stay within bounds and on their parents' sides; far from the bounds they are
// symmetric about the parents' mean.
func TestBlend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(-10, 10).Draw(t, "low")
		high := low + rapid.Float64Range(0.1, 20).Draw(t, "extent")
		a, b := rapid.Float64Range(0, 1).Draw(t, "a"), rapid.Float64Range(0, 1).Draw(t, "b")
		a, b = low+(high-low)*min(a, b), low+(high-low)*max(a, b)
		u, eta := rapid.Float64Range(0, 0.999999).Draw(t, "u"), rapid.Float64Range(1, 30).Draw(t, "eta")
		if b-a < 1e-9 {
			t.Skip()
		}
		p, q := blend(a, b, low, high, eta, u)
		if !(low <= p && p <= (a+b)/2 && (a+b)/2 <= q && q <= high) {
			t.Fatalf("children %v and %v of %v and %v within %v and %v", p, q, a, b, low, high)
		}
		p, q = blend(a, b, low-1e9, high+1e9, eta, u)
		if math.Abs(p+q-a-b) > 1e-6 {
			t.Fatalf("children %v and %v of %v and %v have another mean", p, q, a, b)
		}
	})
}

// The spread of simulated binary crossover, without bounds, has the density of its
// paper: (eta+1)/2 s^eta up to 1, (eta+1)/2 s^-(eta+2) beyond (Deb and Agrawal 1995,
// equation 10). Its mean over u is that of the density.
func TestBlendHasThePapersSpread(t *testing.T) {
	const eta, n = 3, 200000
	want := (eta+1)/2.0/(eta+2) + (eta+1)/2.0/eta
	sum, contracting := 0.0, 0
	for i := range n {
		p, q := blend(-0.5, 0.5, -1e12, 1e12, eta, (float64(i)+0.5)/n)
		sum += q - p
		if q-p < 1 {
			contracting++
		}
	}
	if got := sum / n; math.Abs(got-want) > 0.002*want {
		t.Errorf("the mean spread is %v, want %v", got, want)
	}
	if share := float64(contracting) / n; math.Abs(share-0.5) > 0.001 {
		t.Errorf("%v of the pairs move together, want half", share)
	}
}

// Mutants stay within bounds; half go up and half go down, in the mean by what the
// polynomial's density says, 1/(eta+2) of the extent where the bounds are far enough.
func TestJolt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, u := rapid.Float64Range(0, 1).Draw(t, "x"), rapid.Float64Range(0, 0.999999).Draw(t, "u")
		y := jolt(x, 0, 1, rapid.Float64Range(1, 30).Draw(t, "eta"), u)
		if !(0 <= y && y <= 1) || u < 0.5 && y > x+1e-12 || u > 0.5 && y < x-1e-12 {
			t.Fatalf("%v became %v by %v", x, y, u)
		}
	})
	const n = 100000
	sum := 0.0
	for i := range n {
		sum += math.Abs(jolt(0.5, 0, 1, paperEta, (float64(i)+0.5)/n) - 0.5)
	}
	if got, want := sum/n, 1.0/(paperEta+2); math.Abs(got-want) > 0.001*want {
		t.Errorf("the mean step is %v, want %v", got, want)
	}
}

// Each gene of two children comes from the parents', or lies by them; what no gene of
// which differs stays as it is; a mutated gene always changes.
func TestBreed(t *testing.T) {
	p := searchtest.Varied()
	rng := rand.New(rand.NewPCG(5, 6))
	b := breeder{space: p.Space, genes: p.Space.Genes(), eta: DefaultIndex, rng: rng}
	changed := 0
	const rounds = 5000
	for range rounds {
		x, err := p.Space.Random(rng)
		if err != nil {
			t.Fatal(err)
		}
		y, err := p.Space.Random(rng)
		if err != nil {
			t.Fatal(err)
		}
		if v, w := b.cross(x, x); v != x || w != x {
			t.Fatalf("two of %v have the children %v and %v", x, v, w)
		}
		c, _ := b.cross(x, y)
		for i, gene := range b.genes {
			if v := c.At(i); !gene.Ordered() && v != x.At(i) && v != y.At(i) && v != 0 {
				t.Fatalf("gene %s of %v and %v became %d", gene.Name, x, y, v)
			}
		}
		active := b.active(x)
		for _, i := range active {
			v := b.another(b.genes[i], x.At(i))
			if v == x.At(i) || v < 0 || v >= b.genes[i].Count() {
				t.Fatalf("gene %s, at %d, became %d of %d", b.genes[i].Name, x.At(i), v, b.genes[i].Count())
			}
			if p.Space.Canonical(x.With(i, v)) == x {
				t.Fatalf("gene %s does not bear on %v", b.genes[i].Name, x)
			}
		}
		if m := b.mutate(x); m != x {
			changed++
			if p.Space.Canonical(m) != m {
				t.Fatalf("%v is not canonical", m)
			}
		}
	}
	// Of n genes, each with probability 1/n, none changes with 1/e at most.
	if share := float64(changed) / rounds; share < 0.62 || share > 0.72 {
		t.Errorf("%v of the points were mutated, want about 0.65", share)
	}
}

// Both ends of a size are reached as often as what lies between them, whatever rounding
// does.
func TestEndsAreReached(t *testing.T) {
	b := breeder{rng: rand.New(rand.NewPCG(7, 8))}
	gene := search.Gene{Name: "n", Values: []int{1, 2, 3, 4, 5}}
	visits := make([]int, 5)
	v := 2
	for range 100000 {
		v = b.another(gene, v)
		visits[v]++
	}
	for i, n := range visits {
		if n < 8000 {
			t.Errorf("value %d was visited %d times of 100000", i, n)
		}
	}
}
