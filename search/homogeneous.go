package search

import (
	"encoding/json"
	"iter"
	"math/rand/v2"
	"slices"

	"lathe/graphgen/arch"
)

// Homogeneous is the space of models whose layers are all alike, as the paper has it:
// the genes are n_layer, d_model, d_inner and n_head. Random draws each point with the
// same probability.
type Homogeneous struct {
	compiled *arch.Compiled
	build    arch.Build
	genes    []Gene
}

var homogeneousGenes = [4]string{"n_layer", "d_model", "d_inner", "n_head"}

// NewHomogeneous returns a compiled space whose points run as a build. What the build
// needs of them must be among the space's constraints: arch.Build.SpaceConstraints.
func NewHomogeneous(c *arch.Compiled, b arch.Build) *Homogeneous {
	s := &Homogeneous{compiled: c, build: b.Normalized()}
	for i, values := range c.Axes() {
		s.genes = append(s.genes, Gene{Name: homogeneousGenes[i], Values: values})
	}
	if err := checkGenes(s.genes); err != nil {
		panic(err) // arch's limits are within ours
	}
	return s
}

// Compiled is the space that it was made of.
func (s *Homogeneous) Compiled() *arch.Compiled { return s.compiled }

// Point is a genome's sizes.
func (s *Homogeneous) Point(g Genome) arch.Point { return s.compiled.At(axisIndex(g)) }

// Genome is the inverse of Point; it reports false for a size that no axis has.
func (s *Homogeneous) Genome(p arch.Point) (Genome, bool) {
	i, ok := s.compiled.Index(p)
	if !ok {
		return "", false
	}
	return NewGenome(i[:]...), true
}

func axisIndex(g Genome) [4]int { return [4]int{g.At(0), g.At(1), g.At(2), g.At(3)} }

// Genes implements Space.
func (s *Homogeneous) Genes() []Gene { return s.genes }

// Candidate implements Space.
func (s *Homogeneous) Candidate(g Genome) arch.Candidate {
	return arch.Candidate{Spec: s.compiled.Spec(s.Point(g)), Build: s.build}
}

// counting is Candidate over layers that are written anew each time, for what only
// looks at it: most of the time of counting a point would go to its list of layers.
func (s *Homogeneous) counting(g Genome, layers *[]arch.Layer) arch.Candidate {
	p, space := s.Point(g), s.compiled.Space()
	l := arch.Layer{Type: arch.Transformer, NHead: p.NHead, DInner: p.DInner}
	if kv := space.KVHeads(p.NHead); kv != p.NHead {
		l.NKVHead = kv
	}
	*layers = slices.Grow((*layers)[:0], p.NLayer)[:p.NLayer]
	for i := range *layers {
		(*layers)[i] = l
	}
	return arch.Candidate{Build: s.build, Spec: arch.Spec{
		Family: space.Family, Vocab: space.Vocab, Positions: space.Positions, Untied: space.Untied, DModel: p.DModel, Layers: *layers,
	}}
}

// Contains implements Space.
func (s *Homogeneous) Contains(g Genome) bool {
	return fits(s.genes, g) && s.compiled.Allows(axisIndex(g))
}

// Canonical implements Space: every gene counts.
func (s *Homogeneous) Canonical(g Genome) Genome { return g }

// Random implements Space.
func (s *Homogeneous) Random(rng *rand.Rand) (Genome, error) {
	p, err := s.compiled.Sample(rng)
	if err != nil {
		return "", err
	}
	g, _ := s.Genome(p)
	return g, nil
}

// Size implements Space.
func (s *Homogeneous) Size() float64 { return float64(s.compiled.Size()) }

// Count implements Space.
func (s *Homogeneous) Count() (points float64, exact bool) { return float64(s.compiled.Count()), true }

// Builds implements Space.
func (s *Homogeneous) Builds() []arch.Build { return []arch.Build{s.build} }

// Describe implements Space.
func (s *Homogeneous) Describe(g Genome) json.RawMessage { return DescribeGenes(s.genes, g, nil) }

// Parse implements Space.
func (s *Homogeneous) Parse(point json.RawMessage) (Genome, error) { return parsePoint(s, point) }

// Hash implements Space.
func (s *Homogeneous) Hash() string {
	return hashOf([]any{"homogeneous", s.compiled.Space(), s.build.Hash()})
}

// All implements Enumerable. Genomes are cut from blocks, so that going through a
// space costs an allocation for some thousand points.
func (s *Homogeneous) All() iter.Seq[Genome] {
	const block = 4096 // points
	return func(yield func(Genome) bool) {
		buf := make([]byte, 0, block*4*geneBytes)
		flush := func() bool {
			for all := Genome(buf); len(all) > 0; all = all[4*geneBytes:] {
				if !yield(all[:4*geneBytes]) {
					return false
				}
			}
			buf = buf[:0]
			return true
		}
		for i := range s.compiled.Indices() {
			for _, v := range i {
				buf = appendIndex(buf, v)
			}
			if len(buf) == cap(buf) && !flush() {
				return
			}
		}
		flush()
	}
}
