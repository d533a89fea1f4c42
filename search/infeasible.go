package search

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"lathe/graphgen/arch"
)

// InfeasibleError says that no point of a space satisfies its constraints, or that none
// was found, and which of them is to blame.
type InfeasibleError struct {
	Size        float64 // points before the constraints
	Looked      int     // at how many of them; all of them if Exact
	Exact       bool
	Invalid     int // of those looked at, how many are no model that the build can run
	Constraints []arch.ConstraintCount
	Example     error // why one of the invalid ones is
}

// Error says what to change.
func (e *InfeasibleError) Error() string {
	var b strings.Builder
	if e.Exact {
		fmt.Fprintf(&b, "search: space: no point of %d is left", e.Looked)
	} else {
		fmt.Fprintf(&b, "search: space: none of %d points drawn from %.3g is left", e.Looked, e.Size)
	}
	if e.Invalid > 0 {
		fmt.Fprintf(&b, "; %d of them are no model that can run, such as one of these: %v", e.Invalid, e.Example)
	}
	var culprits []string
	for _, c := range e.Constraints {
		fmt.Fprintf(&b, "\n  %s: alone it leaves %d of them, without it %d are left", c.Constraint, c.Alone, c.Without)
		if c.Without > 0 {
			culprits = append(culprits, c.Constraint)
		}
	}
	switch {
	case e.Invalid == e.Looked:
	case culprits != nil:
		fmt.Fprintf(&b, "\n  change %s", strings.Join(culprits, " or "))
	default:
		b.WriteString("\n  no single one is to blame: change at least two")
	}
	return b.String()
}

// Sizes of the samples that spaces are looked at by: a share of a half is then known to
// within 1 %, and one of one in 5,000 is met.
const (
	countSample    = 1 << 13
	diagnoseSample = 1 << 14
	exactPoints    = 1 << 14 // a space with no more is looked at wholly
)

// survey is what was seen of a space.
type survey struct {
	points float64 // that satisfy everything
	looked int
	exact  bool
}

// survey looks at the whole space, or at as many points of each depth, and counts those
// that satisfy everything. see, if not nil, is shown each.
func (s *Layerwise) survey(sample int, see func(arch.Candidate)) (n survey) {
	look := func(g Genome) bool {
		c := s.Candidate(g)
		if see != nil {
			see(c)
		}
		n.looked++
		return s.reject(c) == allowed
	}
	if s.Size() <= exactPoints {
		s.each(func(g Genome) bool {
			if look(g) {
				n.points++
			}
			return true
		})
		n.exact = true
		return n
	}
	rng := rand.New(rand.NewPCG(constantSeed, pcgStream))
	each := max(1, sample/len(s.depths))
	for depth := range s.depths {
		of := s.sizeAt(depth)
		met := 0
		for range each {
			if look(s.uniform(rng, depth)) {
				met++
			}
		}
		n.points += of * float64(met) / float64(each)
	}
	return n
}

// diagnose says why there is no point, or which constraint has no value.
func (s *Layerwise) diagnose() error {
	e := &InfeasibleError{Size: s.Size()}
	for _, text := range s.constraints.Texts() {
		e.Constraints = append(e.Constraints, arch.ConstraintCount{Constraint: text})
	}
	var broken error
	n := s.survey(diagnoseSample, func(c arch.Candidate) {
		if err := c.Validate(); err != nil {
			e.Invalid++
			e.Example = err
			return
		}
		failing, last := 0, 0
		for k := range e.Constraints {
			ok, err := s.constraints.Satisfied(k, c)
			if err != nil && broken == nil {
				broken = err
			}
			if ok {
				e.Constraints[k].Alone++
			} else {
				failing, last = failing+1, k
			}
		}
		if failing == 1 {
			e.Constraints[last].Without++
		}
	})
	e.Looked, e.Exact = n.looked, n.exact
	switch {
	case broken != nil:
		return fmt.Errorf("search: %w", broken)
	case n.points > 0: // the draws of Random had bad luck
		return fmt.Errorf("search: space: about %.3g of %.3g points satisfy the constraints, too few to draw from: make them wider", n.points, e.Size)
	}
	return e
}
