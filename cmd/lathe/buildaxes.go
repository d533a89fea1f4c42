package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"lathe/graphgen/arch"
	"lathe/search"
)

// buildAxis is one thing about the way candidates run that a search varies by itself.
type buildAxis struct {
	Name   string   `json:"axis"`
	Values []string `json:"values"` // as a build's name has them, without what Name says
}

// buildAxes are those that there are: what stands before a value in a build's name, and
// the axis of the builds that the values alone make.
var buildAxes = []struct {
	name, part string
	axis       func([]arch.Build) search.BuildAxis
}{
	{"precision", "", axisOf(search.PrecisionAxis, func(b arch.Build) arch.Precision { return b.Precision })},
	{"head", "head-", axisOf(search.HeadAxis, func(b arch.Build) arch.Precision { return b.Head })},
	{"embed", "embed-", axisOf(search.EmbedAxis, func(b arch.Build) arch.Precision { return b.Embed })},
	{"float", "", axisOf(search.FloatAxis, func(b arch.Build) arch.FloatType { return b.Float })},
	{"dialect", "", axisOf(search.DialectAxis, func(b arch.Build) arch.Dialect { return b.Dialect })},
	{"threads", "t", axisOf(search.ThreadsAxis, func(b arch.Build) int { return b.Threads })},
}

// axisOf makes an axis of what builds have in one place.
func axisOf[T any](axis func([]T) search.BuildAxis, of func(arch.Build) T) func([]arch.Build) search.BuildAxis {
	return func(builds []arch.Build) search.BuildAxis {
		var values []T
		for _, b := range builds {
			values = append(values, of(b))
		}
		return axis(values)
	}
}

// parseBuildAxes reads search.builds where it has axes.
func parseBuildAxes(text string) (axes []buildAxis, err error) {
	for part := range strings.SplitSeq(text, ";") {
		name, values, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("search.builds: %q is no axis: want a name, = and values, such as precision=fp32,int4b32", strings.TrimSpace(part))
		}
		a := buildAxis{strings.TrimSpace(name), commaList(values)}
		if slices.ContainsFunc(axes, func(b buildAxis) bool { return b.Name == a.Name }) {
			return nil, fmt.Errorf("search.builds has the axis %s twice", a.Name)
		}
		axes = append(axes, a)
	}
	// An LM head without a precision of its own goes with the products: after them.
	slices.SortStableFunc(axes, func(a, b buildAxis) int { return cmp.Compare(a.place(), b.place()) })
	return axes, nil
}

// place is the axis's in buildAxes.
func (a buildAxis) place() int {
	for i := range buildAxes {
		if buildAxes[i].name == a.Name {
			return i
		}
	}
	return len(buildAxes)
}

// compile makes the axis that a search has.
func (a buildAxis) compile() (search.BuildAxis, error) {
	k := a.place()
	if k == len(buildAxes) {
		var names []string
		for _, known := range buildAxes {
			names = append(names, known.name)
		}
		hint := ""
		if near := arch.Nearest(a.Name, names); near != "" {
			hint = fmt.Sprintf("did you mean %s? ", near)
		}
		return search.BuildAxis{}, fmt.Errorf("search.builds: unknown axis %q: %sthere are %s", a.Name, hint, strings.Join(names, ", "))
	}
	if len(a.Values) == 0 {
		return search.BuildAxis{}, fmt.Errorf("search.builds: axis %s has no values", a.Name)
	}
	var builds []arch.Build
	for _, v := range a.Values {
		b, err := arch.ParseBuild("+" + buildAxes[k].part + v)
		if err != nil {
			return search.BuildAxis{}, fmt.Errorf("search.builds: %s=%s: %w", a.Name, v, err)
		}
		axis, was := buildAxes[k].axis([]arch.Build{b}), b
		own := arch.Build{}.Normalized()
		if axis.Set(&own, 0); !own.Normalized().Equal(was) {
			return search.BuildAxis{}, fmt.Errorf("search.builds: %s=%s: +%s%s sets something else than the %s", a.Name, v, buildAxes[k].part, v, a.Name)
		}
		builds = append(builds, b)
	}
	if a.Name == "threads" {
		slices.SortFunc(builds, func(a, b arch.Build) int { return cmp.Compare(a.Threads, b.Threads) })
	}
	return buildAxes[k].axis(builds), nil
}

// compileAxes makes those of a setup.
func compileAxes(axes []buildAxis) (all []search.BuildAxis, err error) {
	for _, a := range axes {
		axis, err := a.compile()
		if err != nil {
			return nil, err
		}
		all = append(all, axis)
	}
	return all, nil
}

// buildsOf are the builds that axes make of one, each another.
func buildsOf(own arch.Build, axes []buildAxis) ([]arch.Build, error) {
	compiled, err := compileAxes(axes)
	if err != nil {
		return nil, err
	}
	all := search.Combinations(own, compiled)
	for i, b := range all {
		if err := b.Validate(); err != nil {
			return nil, fmt.Errorf("search.builds: %w", err)
		}
		if slices.ContainsFunc(all[:i], b.Equal) {
			return nil, fmt.Errorf("search.builds makes %q twice", cmp.Or(b.Name(), "default"))
		}
	}
	return all, nil
}
