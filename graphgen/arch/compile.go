package arch

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/expr-lang/expr/vm"
)

// MaxSpacePoints bounds a Space before its constraints, so that it can always be
// enumerated: 57 times the paper's, and some seconds' work.
const MaxSpacePoints = 1 << 23

// axisNames are the four axes in the order in which points are enumerated; an
// index into it identifies an axis everywhere below.
var axisNames = [4]string{"n_layer", "d_model", "d_inner", "n_head"}

// axisMax bounds the values of each axis.
var axisMax = [4]int{MaxLayers, MaxDModel, MaxDInner, MaxHeads}

// values returns the axis's values in ascending order, or what is wrong.
func (a Axis) values(name string, high int) (v []int, problem string) {
	if len(a.Choices) > 0 {
		if a.Min != 0 || a.Max != 0 || a.Step != 0 {
			return nil, name + " has both choices and a range: give one of them"
		}
		v = slices.Sorted(slices.Values(a.Choices))
		for i := range v {
			if p := sizeProblem(name, v[i], 1, high); p != "" {
				return nil, p
			}
			if i > 0 && v[i] == v[i-1] {
				return nil, fmt.Sprintf("%s has the choice %d twice", name, v[i])
			}
		}
		return v, ""
	}
	if a.Min == 0 && a.Max == 0 {
		return nil, name + " has no values: give min, max and step, or choices"
	}
	if p := sizeProblem(name+" min", a.Min, 1, high); p != "" {
		return nil, p
	}
	if p := sizeProblem(name+" max", a.Max, 1, high); p != "" {
		return nil, p
	}
	if a.Min > a.Max {
		return nil, fmt.Sprintf("%s is empty: min %d is above max %d", name, a.Min, a.Max)
	}
	if a.Step < 0 {
		return nil, fmt.Sprintf("%s step %d: it must be at least 1 (0 means 1)", name, a.Step)
	}
	for x := a.Min; x <= a.Max; x += max(a.Step, 1) {
		v = append(v, x)
	}
	return v, ""
}

// Values returns the axis's values in ascending order. Errors call it name; its values
// must be 1 to high.
func (a Axis) Values(name string, high int) ([]int, error) {
	v, problem := a.values(name, high)
	if problem != "" {
		return nil, fieldErrorf(name, "space: %s", problem)
	}
	return v, nil
}

// Given reports whether the axis has any values.
func (a Axis) Given() bool { return a.Min != 0 || a.Max != 0 || a.Step != 0 || len(a.Choices) > 0 }

// Compiled is a Space whose constraints have been evaluated, ready to be asked
// for points. It is safe for concurrent use.
type Compiled struct {
	space  Space
	float  FloatType // of the caches that constraints count
	axes   [4][]int
	tables []table // n_head fits d_model, then one for each constraint
	count  int     // points that satisfy all
	valid  int     // points where n_head fits d_model

	sparse func() []Point // all satisfying points, made on first use
}

// Validate reports the first thing that is wrong with s, short of whether any
// point satisfies all constraints.
func (s Space) Validate() error {
	_, _, err := s.prepare()
	return err
}

// prepare fills in defaults and axes and compiles the constraints.
func (s Space) prepare() (*Compiled, []*vm.Program, error) {
	if s.Family == "" {
		s.Family = GPT2
	}
	def, ok := families[s.Family]
	if !ok {
		return nil, nil, fieldErrorf("family", "space: %s", unknownFamily(string(s.Family)))
	}
	if s.Family != GPT2 && s.Family != LLaMA {
		return nil, nil, fieldErrorf("family", "space: a space is of models of transformer layers, all alike: family %s or %s, not %s", GPT2, LLaMA, s.Family)
	}
	if s.Vocab == 0 {
		s.Vocab = def.vocab
	}
	if s.Positions == 0 {
		s.Positions = def.positions
	}
	if s.Tied && s.Untied {
		return nil, nil, fieldErrorf("tied", "space: tied and untied are both true: give one of them")
	}
	s.Untied = !s.Tied && (s.Untied || def.untied)
	if p := sizeProblem("heads_per_kv_head", s.HeadsPerKVHead, 0, MaxHeads); p != "" {
		return nil, nil, fieldErrorf("heads_per_kv_head", "space: %s", p)
	}
	if s.HeadsPerKVHead > 1 && !def.rotary {
		return nil, nil, fieldErrorf("heads_per_kv_head", "space: heads_per_kv_head %d: in %s every head has keys and values of its own; %s's heads may share them",
			s.HeadsPerKVHead, s.Family, LLaMA)
	}
	if p := sizeProblem("vocab", s.Vocab, 1, MaxVocab); p != "" {
		return nil, nil, fieldErrorf("vocab", "space: %s", p)
	}
	if p := sizeProblem("positions", s.Positions, 1, MaxPositions); p != "" {
		return nil, nil, fieldErrorf("positions", "space: %s", p)
	}
	c := &Compiled{space: s}
	for i, a := range [4]Axis{s.NLayer, s.DModel, s.DInner, s.NHead} {
		v, p := a.values(axisNames[i], axisMax[i])
		if p != "" {
			return nil, nil, fieldErrorf(axisNames[i], "space: %s", p)
		}
		c.axes[i] = v
	}
	// Axes within their limits have at most 2^10 * 2^16 * 2^20 * 2^12 points, which
	// an int holds.
	if n := c.Size(); n > MaxSpacePoints {
		return nil, nil, fmt.Errorf("arch: space: %s points before the constraints: at most %s are taken, use larger steps",
			thousands(int64(n)), thousands(MaxSpacePoints))
	}
	programs := make([]*vm.Program, len(s.Constraints))
	for i, text := range s.Constraints {
		var err error
		if programs[i], err = compileConstraint(i, text); err != nil {
			return nil, nil, err
		}
	}
	return c, programs, nil
}

// Compile checks s and evaluates its constraints. A constraint is evaluated once
// for each combination of the axes that it depends on, so that going over the
// points afterwards is table lookups. An [*EmptyError] says why no point is left.
func (s Space) Compile() (*Compiled, error) { return s.CompileFor(Build{}) }

// CompileFor is Compile for models that run as a build: what constraints count of them is
// the build's. What the build asks of them is not looked at (see Build.SpaceConstraints).
func (s Space) CompileFor(b Build) (*Compiled, error) {
	c, programs, err := s.prepare()
	if err != nil {
		return nil, err
	}
	c.float = b.Normalized().Float
	c.tables = append(c.tables, c.divides())
	for i, program := range programs {
		t, err := c.evaluate(i, program)
		if err != nil {
			return nil, err
		}
		c.tables = append(c.tables, t)
	}
	c.countPoints()
	if c.count == 0 {
		return nil, c.diagnose()
	}
	c.sparse = sync.OnceValue(func() []Point { return slices.AppendSeq(make([]Point, 0, c.count), c.Points()) })
	return c, nil
}

// Size returns the number of points before the constraints.
func (c *Compiled) Size() int {
	n := 1
	for _, a := range c.axes {
		n *= len(a)
	}
	return n
}

// Count returns the number of points that satisfy the constraints.
func (c *Compiled) Count() int { return c.count }

// Invalid returns how many of Size's points are no model, because n_head does
// not divide d_model (in LLaMA's family into heads of even size whose keys and
// values are shared evenly). They are never among Points.
func (c *Compiled) Invalid() int { return c.Size() - c.valid }

// Axes returns the values of n_layer, d_model, d_inner and n_head, ascending.
// The caller must not change them.
func (c *Compiled) Axes() [4][]int { return c.axes }

// Space returns the Space with its defaults filled in.
func (c *Compiled) Space() Space { return c.space }

// Points yields the points that satisfy the constraints, in ascending order of
// n_layer, then d_model, then d_inner, then n_head.
func (c *Compiled) Points() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		c.each(c.tables, func(i [4]int) bool { return yield(c.at(i)) })
	}
}

// Indices yields the points' indices into the axes, in the order of Points.
func (c *Compiled) Indices() iter.Seq[[4]int] {
	return func(yield func([4]int) bool) { c.each(c.tables, yield) }
}

// At is the point at an index into each axis, whether it is one of Points or not.
func (c *Compiled) At(i [4]int) Point { return c.at(i) }

// Index is the inverse of At; it reports false for a size that an axis has not.
func (c *Compiled) Index(p Point) (i [4]int, ok bool) {
	for a, v := range [4]int{p.NLayer, p.DModel, p.DInner, p.NHead} {
		if i[a], ok = slices.BinarySearch(c.axes[a], v); !ok {
			return i, false
		}
	}
	return i, true
}

// Allows reports whether the point at i, indices into the axes, is one of Points.
func (c *Compiled) Allows(i [4]int) bool { return c.allows(i) }

// at is the point at an index into each axis.
func (c *Compiled) at(i [4]int) Point {
	return Point{c.axes[0][i[0]], c.axes[1][i[1]], c.axes[2][i[2]], c.axes[3][i[3]]}
}

// each calls f with the indices of every point that all tables allow, until f
// returns false. A table is looked at as soon as the axes that it depends on are
// fixed.
func (c *Compiled) each(tables []table, f func([4]int) bool) {
	var byDepth [4][]table
	for _, t := range tables {
		byDepth[t.depth()] = append(byDepth[t.depth()], t)
	}
	var i [4]int
	allowed := func(depth int) bool {
		for _, t := range byDepth[depth] {
			if !t.at(i) {
				return false
			}
		}
		return true
	}
	for i[0] = range c.axes[0] {
		if !allowed(0) {
			continue
		}
		for i[1] = range c.axes[1] {
			if !allowed(1) {
				continue
			}
			for i[2] = range c.axes[2] {
				if !allowed(2) {
					continue
				}
				for i[3] = range c.axes[3] {
					if allowed(3) && !f(i) {
						return
					}
				}
			}
		}
	}
}

// Contains reports whether p is one of Points.
func (c *Compiled) Contains(p Point) bool {
	i, ok := c.Index(p)
	return ok && c.allows(i)
}

func (c *Compiled) allows(i [4]int) bool {
	for _, t := range c.tables {
		if !t.at(i) {
			return false
		}
	}
	return true
}

// Spec returns the model at p, which need not be one of Points.
func (c *Compiled) Spec(p Point) Spec { return c.space.Spec(p) }

// Candidate returns the model at p, run as b says.
func (c *Compiled) Candidate(p Point, b Build) Candidate {
	s := c.Spec(p)
	return Candidate{Spec: s, Build: b.For(s)}
}

// rejections is how many draws Sample makes before it enumerates: a set of one
// point in 14 or more is met within them 99 times of 100.
const rejections = 64

// Sample draws one of Points, each with the same probability. It fails only
// without an rng: a Compiled always has points to draw.
func (c *Compiled) Sample(rng *rand.Rand) (Point, error) {
	if rng == nil {
		return Point{}, fmt.Errorf("arch: sample: no source of random numbers")
	}
	for range rejections {
		var i [4]int
		for a := range i {
			i[a] = rng.IntN(len(c.axes[a]))
		}
		if c.allows(i) {
			return c.at(i), nil
		}
	}
	all := c.sparse()
	return all[rng.IntN(len(all))], nil
}
