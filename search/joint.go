package search

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"

	"lathe/graphgen/arch"
)

// Joint is a space of architectures and the ways to run them: every point of a base
// space with every combination of build axes, those left out that cannot run. Its genes
// are the base's and then one for each axis, which change the base's own build in the
// order given. Nothing of it is listed in memory, however many points there are.
//
// Random draws a point of the base and each axis by itself, until the two go together.
type Joint struct {
	base  Enumerable
	axes  []BuildAxis
	genes []Gene
	own   arch.Build // the base's
	count func() (float64, bool)

	constraints *arch.Constraints // of points with their builds; nil: none
}

// NewJoint joins a space that has one build with axes. The base's constraints must be
// of its architectures alone: what a build asks of them is asked here. Where no point
// can run, the error is an InfeasibleError.
func NewJoint(base Enumerable, axes ...BuildAxis) (*Joint, error) {
	return NewConstrainedJoint(nil, base, axes...)
}

// NewConstrainedJoint is NewJoint with constraints on points with their builds, for
// counts that builds differ in; nil is none.
func NewConstrainedJoint(constraints *arch.Constraints, base Enumerable, axes ...BuildAxis) (*Joint, error) {
	builds := base.Builds()
	if len(builds) != 1 {
		return nil, fmt.Errorf("search: joint space: the base has %d builds, want 1", len(builds))
	}
	s := &Joint{base: base, axes: axes, own: builds[0], genes: slices.Clone(base.Genes()), constraints: constraints}
	for _, a := range axes {
		for i, l := range a.Gene.Labels {
			if slices.Contains(a.Gene.Labels[:i], l) {
				return nil, fmt.Errorf("search: joint space: %s has the choice %s twice", a.Gene.Name, l)
			}
		}
		for i, v := range a.Gene.Values {
			if slices.Contains(a.Gene.Values[:i], v) {
				return nil, fmt.Errorf("search: joint space: %s has the choice %d twice", a.Gene.Name, v)
			}
		}
		if slices.ContainsFunc(s.genes, func(g Gene) bool { return g.Name == a.Gene.Name }) {
			return nil, fmt.Errorf("search: joint space: %s is there twice", a.Gene.Name)
		}
		s.genes = append(s.genes, a.Gene)
	}
	if err := checkGenes(s.genes); err != nil {
		return nil, err
	}
	for _, b := range s.Builds() {
		if err := b.Validate(); err != nil {
			return nil, fmt.Errorf("search: joint space: %w", err)
		}
	}
	s.count = sync.OnceValues(s.survey)
	return s, s.feasible()
}

// Base is the space of architectures.
func (s *Joint) Base() Enumerable { return s.base }

// Split is a genome's part that is the base's, and its build.
func (s *Joint) Split(g Genome) (Genome, arch.Build) {
	n := len(s.base.Genes())
	b := s.own
	for k, a := range s.axes {
		a.Set(&b, g.At(n+k))
	}
	return g[:geneBytes*n], b.Normalized()
}

// Place is the place in Builds of a genome's build.
func (s *Joint) Place(g Genome) int {
	n, place := len(s.base.Genes()), 0
	for k, a := range s.axes {
		place = place*a.Gene.Count() + g.At(n+k)
	}
	return place
}

// Genes implements Space.
func (s *Joint) Genes() []Gene { return s.genes }

// Candidate implements Space.
func (s *Joint) Candidate(g Genome) arch.Candidate {
	of, b := s.Split(g)
	return arch.Candidate{Spec: s.base.Candidate(of).Spec, Build: b}
}

// Contains implements Space.
func (s *Joint) Contains(g Genome) bool {
	if !fits(s.genes, g) {
		return false
	}
	of, b := s.Split(g)
	return s.base.Contains(of) && s.check(s.base.Candidate(of).Spec, b) == nil
}

// check says why an architecture of the base is no point with a build.
func (s *Joint) check(spec arch.Spec, b arch.Build) error {
	if err := b.CheckSpec(spec); err != nil || s.constraints == nil {
		return err
	}
	for n, text := range s.constraints.Texts() {
		ok, err := s.constraints.Satisfied(n, arch.Candidate{Spec: spec, Build: b})
		if err != nil {
			return fmt.Errorf("search: joint space: %w", err)
		}
		if !ok {
			return fmt.Errorf("search: joint space: %s does not satisfy %s", arch.Candidate{Spec: spec, Build: b}.Name(), text)
		}
	}
	return nil
}

// Canonical implements Space.
func (s *Joint) Canonical(g Genome) Genome {
	of := g[:geneBytes*len(s.base.Genes())]
	if c := s.base.Canonical(of); c != of {
		return c + g[len(of):]
	}
	return g
}

// draw is a point of the base with any build.
func (s *Joint) draw(rng *rand.Rand) (Genome, error) {
	g, err := s.base.Random(rng)
	if err != nil {
		return "", err
	}
	b := []byte(g)
	for _, a := range s.axes {
		b = appendIndex(b, rng.IntN(a.Gene.Count()))
	}
	return Genome(b), nil
}

// Random implements Space.
func (s *Joint) Random(rng *rand.Rand) (Genome, error) {
	for range randomTries {
		g, err := s.draw(rng)
		if err != nil || s.Contains(g) {
			return g, err
		}
	}
	return "", fmt.Errorf("search: none of %d architectures drawn can run as the build drawn with it, though some do", randomTries)
}

// feasible checks that there are points.
func (s *Joint) feasible() error {
	rng := rand.New(rand.NewPCG(constantSeed, pcgStream))
	e := &InfeasibleError{Size: s.Size()}
	for range randomTries {
		g, err := s.draw(rng)
		if err != nil || s.Contains(g) {
			return err
		}
		of, b := s.Split(g)
		e.Looked++
		e.Invalid++
		e.Example = s.check(s.base.Candidate(of).Spec, b)
	}
	return e
}

// combinations is how many builds the axes make.
func (s *Joint) combinations() int {
	n := 1
	for _, a := range s.axes {
		n *= a.Gene.Count()
	}
	return n
}

// Size implements Space.
func (s *Joint) Size() float64 { return s.base.Size() * float64(s.combinations()) }

// Count implements Space.
func (s *Joint) Count() (points float64, exact bool) { return s.count() }

// survey counts the points of a small space, and estimates those of a large one from
// how many of those drawn can run.
func (s *Joint) survey() (points float64, exact bool) {
	if s.Size() <= exactPoints {
		for range s.All() {
			points++
		}
		return points, true
	}
	rng := rand.New(rand.NewPCG(constantSeed, pcgStream))
	met := 0
	for range countSample {
		if g, err := s.draw(rng); err == nil && s.Contains(g) {
			met++
		}
	}
	of, exact := s.base.Count()
	return of * float64(s.combinations()) * float64(met) / countSample, exact && met == countSample
}

// Builds implements Space: the last axis varies fastest.
func (s *Joint) Builds() []arch.Build { return Combinations(s.own, s.axes) }

// Combinations are the builds that axes make of one, the last axis varying fastest.
func Combinations(own arch.Build, axes []BuildAxis) []arch.Build {
	all := []arch.Build{own}
	for _, a := range axes {
		var next []arch.Build
		for _, b := range all {
			for i := range a.Gene.Count() {
				changed := b
				a.Set(&changed, i)
				next = append(next, changed)
			}
		}
		all = next
	}
	for i := range all {
		all[i] = all[i].Normalized()
	}
	return all
}

// Describe implements Space.
func (s *Joint) Describe(g Genome) json.RawMessage {
	of, _ := s.Split(g)
	b := []byte(s.base.Describe(of))
	b = b[:len(b)-1] // the object goes on
	for k, a := range s.axes {
		b = a.Gene.append(append(appendJSON(append(b, ','), a.Gene.Name), ':'), g.At(of.Len()+k))
	}
	return append(b, '}')
}

// Parse implements Space.
func (s *Joint) Parse(point json.RawMessage) (Genome, error) { return parsePoint(s, point) }

// Hash implements Space.
func (s *Joint) Hash() string {
	var builds []string
	for _, b := range s.Builds() {
		builds = append(builds, b.Hash())
	}
	of := []any{"joint", s.base.Hash(), s.genes[len(s.base.Genes()):], builds}
	if s.constraints != nil {
		of = append(of, s.constraints.Texts())
	}
	return hashOf(of)
}

// eachBuild goes through the combinations of axes in the order of Builds.
func (s *Joint) eachBuild(f func(choice []int) bool) bool {
	choice := make([]int, len(s.axes))
	for range s.combinations() {
		if !f(choice) {
			return false
		}
		for k := len(choice) - 1; k >= 0; k-- {
			if choice[k]++; choice[k] < s.axes[k].Gene.Count() {
				break
			}
			choice[k] = 0
		}
	}
	return true
}

// All implements Enumerable.
func (s *Joint) All() iter.Seq[Genome] {
	return func(yield func(Genome) bool) {
		for of := range s.base.All() {
			spec := s.base.Candidate(of).Spec
			ok := s.eachBuild(func(choice []int) bool {
				b := []byte(of)
				build := s.own
				for k, a := range s.axes {
					b = appendIndex(b, choice[k])
					a.Set(&build, choice[k])
				}
				return s.check(spec, build.Normalized()) != nil || yield(Genome(b))
			})
			if !ok {
				return
			}
		}
	}
}
