package search

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"lathe/graphgen/arch"
)

// Layerwise is a space of models whose layers differ; Layers.Compile makes one. Its
// genes are d_model and n_layer, then for every layer of the deepest model its type
// (where there are several), named layer.0.type and so on, and its sizes, layer.0.n_head.
// Those of layers beyond a model's depth, and sizes that a layer's type has not, are 0.
//
// Random draws every gene by itself, the depth among them, and draws again until the
// constraints are satisfied: depths are as likely as each other where these allow it.
//
// Note: drawing every model with the same probability was turned down, since with a
// hundred choices a layer 99 of 100 models are of the greatest depth.
type Layerwise struct {
	layers      Layers
	build       arch.Build
	dModel      []int
	depths      []int
	sizes       []layerGene
	constraints *arch.Constraints
	spec        arch.Spec // what all have in common
	genes       []Gene
	width       int // genes of a layer
	typed       int // 1 where the first of them is its type, else 0
	count       func() (float64, bool)
}

// firstLayer is the gene that layers begin at.
const firstLayer = 2

// makeGenes makes the genes from the sizes.
func (s *Layerwise) makeGenes() {
	s.genes = []Gene{{Name: "d_model", Values: s.dModel}, {Name: "n_layer", Values: s.depths}}
	var types []string
	for _, t := range s.layers.Types {
		types = append(types, string(t))
	}
	if len(types) > 1 {
		s.typed = 1
	}
	s.width = s.typed + len(s.sizes)
	for i := range s.deepest() {
		if s.typed == 1 {
			s.genes = append(s.genes, Gene{Name: fmt.Sprintf("layer.%d.type", i), Labels: types})
		}
		for _, size := range s.sizes {
			s.genes = append(s.genes, Gene{Name: fmt.Sprintf("layer.%d.%s", i, size.name), Values: size.values})
		}
	}
}

func (s *Layerwise) deepest() int { return s.depths[len(s.depths)-1] }

// setHeads gives a layer its heads, and those of keys and values.
func (s *Layerwise) setHeads(l *arch.Layer, n int) {
	l.NHead = n
	if kv := (arch.Space{HeadsPerKVHead: s.layers.HeadsPerKVHead}).KVHeads(n); kv != n {
		l.NKVHead = kv
	}
}

// typeOf is the type of a layer of a genome.
func (s *Layerwise) typeOf(g Genome, layer int) arch.LayerType {
	if s.typed == 0 {
		return s.layers.Types[0]
	}
	return s.layers.Types[g.At(firstLayer+layer*s.width)]
}

// active reports whether a gene bears on a genome.
func (s *Layerwise) active(g Genome, gene int) bool {
	if gene < firstLayer {
		return true
	}
	layer, k := (gene-firstLayer)/s.width, (gene-firstLayer)%s.width
	if layer >= s.depths[g.At(1)] {
		return false
	}
	return k < s.typed || s.sizes[k-s.typed].recurrent == s.typeOf(g, layer).Recurrent()
}

// Genes implements Space.
func (s *Layerwise) Genes() []Gene { return s.genes }

// Candidate implements Space.
func (s *Layerwise) Candidate(g Genome) arch.Candidate {
	spec := s.spec
	spec.DModel = s.dModel[g.At(0)]
	spec.Layers = make([]arch.Layer, s.depths[g.At(1)])
	for i := range spec.Layers {
		l := &spec.Layers[i]
		l.Type = s.typeOf(g, i)
		for k, size := range s.sizes {
			if size.recurrent == l.Type.Recurrent() {
				size.set(l, size.values[g.At(firstLayer+i*s.width+s.typed+k)])
			}
		}
	}
	return arch.Candidate{Spec: spec, Build: s.build}
}

// Canonical implements Space.
func (s *Layerwise) Canonical(g Genome) Genome {
	var b []byte
	for i := range s.genes {
		if g.At(i) != 0 && !s.active(g, i) {
			if b == nil {
				b = []byte(g)
			}
			clear(b[geneBytes*i : geneBytes*(i+1)])
		}
	}
	if b == nil {
		return g
	}
	return Genome(b)
}

// Contains implements Space.
func (s *Layerwise) Contains(g Genome) bool {
	return fits(s.genes, g) && s.Canonical(g) == g && s.reject(s.Candidate(g)) == allowed
}

// What reject says of a candidate that it lets pass, and of one that is no model. What
// breaks a constraint has its number.
const (
	allowed = -1 - iota
	invalid
)

// reject is the first thing that a candidate fails. A constraint without a value there
// is not satisfied.
func (s *Layerwise) reject(c arch.Candidate) int {
	if c.Validate() != nil {
		return invalid
	}
	for n := range s.constraints.Texts() {
		if ok, err := s.constraints.Satisfied(n, c); !ok || err != nil {
			return n
		}
	}
	return allowed
}

// randomTries is how often Random draws: a share of one point in 3,000 is met within
// them 99 times of 100.
const randomTries = 1 << 14

// Random implements Space.
func (s *Layerwise) Random(rng *rand.Rand) (Genome, error) {
	indices := make([]int, len(s.genes))
	for range randomTries {
		for i := range s.genes {
			indices[i] = rng.IntN(s.genes[i].Count())
		}
		if g := s.Canonical(NewGenome(indices...)); s.reject(s.Candidate(g)) == allowed {
			return g, nil
		}
	}
	return "", fmt.Errorf("search: none of %d points drawn satisfies the constraints, though some do: make them wider, or the space narrower", randomTries)
}

// ways is how many layers of a type there are.
func (s *Layerwise) ways(t arch.LayerType) float64 {
	n := 1.0
	for _, size := range s.sizes {
		if size.recurrent == t.Recurrent() {
			n *= float64(len(size.values))
		}
	}
	return n
}

// layerWays is how many layers there are.
func (s *Layerwise) layerWays() float64 {
	n := 0.0
	for _, t := range s.layers.Types {
		n += s.ways(t)
	}
	return n
}

// sizeAt is how many canonical genomes have a depth, an index.
func (s *Layerwise) sizeAt(depth int) float64 {
	return math.Pow(s.layerWays(), float64(s.depths[depth])) * float64(len(s.dModel))
}

// Size implements Space.
func (s *Layerwise) Size() float64 {
	n := 0.0
	for depth := range s.depths {
		n += s.sizeAt(depth)
	}
	return n
}

// Count implements Space.
func (s *Layerwise) Count() (points float64, exact bool) { return s.count() }

// Builds implements Space.
func (s *Layerwise) Builds() []arch.Build { return []arch.Build{s.build} }

// Describe implements Space.
func (s *Layerwise) Describe(g Genome) json.RawMessage {
	return DescribeGenes(s.genes, g, func(i int) bool { return s.active(g, i) })
}

// Parse implements Space.
func (s *Layerwise) Parse(point json.RawMessage) (Genome, error) { return parsePoint(s, point) }

// Hash implements Space.
func (s *Layerwise) Hash() string { return hashOf([]any{"layerwise", s.layers, s.build.Hash()}) }

// prepare checks that there are points, or says why not.
func (s *Layerwise) prepare() error {
	if err := checkGenes(s.genes); err != nil {
		return err
	}
	s.count = sync.OnceValues(func() (float64, bool) {
		n := s.survey(countSample, nil)
		return n.points, n.exact
	})
	if _, err := s.Random(rand.New(rand.NewPCG(constantSeed, pcgStream))); err == nil {
		return nil
	}
	return s.diagnose()
}
