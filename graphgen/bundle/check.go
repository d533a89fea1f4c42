package bundle

import (
	"fmt"
	"slices"
	"strings"

	"lathe/graphgen/arch"
)

// Verdict is whether a loader can open a candidate.
type Verdict struct {
	Loader Loader `json:"loader"`
	Opens  bool   `json:"opens"`
	// Reasons are why it does not open it.
	Reasons []string `json:"reasons,omitempty"`
	// Limits are what has to be known where it does.
	Limits []string `json:"limits,omitempty"`
}

// Check says of each loader whether it can open c. A dialect that c's build does not
// name is the one that the loader takes (see [Fit]).
//
// What is said is true of optimum-onnx 0.1, transformers.js 4.3 and onnxruntime-genai
// 0.18, whose sources were read and which were run (.ci/interop).
func Check(c arch.Candidate) []Verdict {
	out := make([]Verdict, len(Loaders))
	for i, l := range Loaders {
		v := Verdict{Loader: l}
		v.Reasons, v.Limits = judge(l, c)
		v.Opens = len(v.Reasons) == 0
		out[i] = v
	}
	return out
}

// Fit is c with a dialect that those loaders take, where c's build names none.
func Fit(c arch.Candidate, loaders []Loader) arch.Candidate {
	if c.Build.Dialect != "" {
		return c
	}
	c.Build.Dialect = arch.Fused
	if slices.Contains(loaders, Optimum) || slices.Contains(loaders, TransformersJS) {
		c.Build.Dialect = arch.Portable
	}
	return c
}

// judge says why l does not open c, and what has to be known if it does.
func judge(l Loader, c arch.Candidate) (reasons, limits []string) {
	no := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	yes := func(format string, args ...any) { limits = append(limits, fmt.Sprintf(format, args...)) }
	s := c.Spec.Normalized()
	for i := range s.Layers {
		if t := s.TypeOf(i); t.Recurrent() {
			no("layer %d is of type %s, and it carries keys and values from step to step, no recurrent state", i, t)
			return reasons, nil // the rest is about heads
		}
	}
	if l == Optimum {
		// It makes the first, empty cache by config.json: one head count and head size for
		// all layers. The others take sizes from the graph.
		if problem := differingHeads(s); problem != "" {
			no("%s", problem)
		} else if s.HeadDimOf(0) != s.DModel/s.Layers[0].NHead {
			no("head_dim is %d, and its cache has heads of d_model/n_head, %d", s.HeadDimOf(0), s.DModel/s.Layers[0].NHead)
		}
	}
	if _, exact := nominal(s); !exact && l != GenAI {
		yes("config.json has one size for all layers: of those that differ it names what most have, and lathe_spec there says all")
	}
	b := c.Build.Normalized()
	if c.Build.Dialect == "" && Fit(c, []Loader{l}).Build.Dialect == arch.Portable {
		yes("in the portable dialect: shorter prompts of a batch are padded on the left, which the fused one does not take")
	}
	if c.Build.Dialect == arch.Fused {
		const why = "shorter prompts of a batch are padded on the left, and in the fused dialect padding is on the right"
		switch l {
		case Optimum:
			no("%s: answers would be wrong", why)
		case TransformersJS:
			yes("one prompt at a time: %s", why)
		}
	}
	if (b.Precision.Type == arch.Int8Dyn || b.Head.Type == arch.Int8Dyn) && l != GenAI {
		yes("int8dyn quantizes the activations of a batch together: answers depend on what else is in it")
	}
	if b.Provider.Name != arch.CPU {
		yes("it runs where it is told to, and not by the build's %s", b.Provider.Name)
	}
	return reasons, limits
}

// differingHeads is how layers differ in their caches, or "".
func differingHeads(s arch.Spec) string {
	for i, l := range s.Layers {
		for _, x := range []struct {
			name string
			a, b int
		}{{"n_head", s.Layers[0].NHead, l.NHead}, {"n_kv_head", s.Layers[0].KVHeads(), l.KVHeads()}} {
			if x.a != x.b {
				return fmt.Sprintf("layers differ in their caches (%s %d in layer 0 and %d in layer %d), and it makes the first ones by config.json, which has one size for all", x.name, x.a, x.b, i)
			}
		}
	}
	return ""
}

// CannotOpen is a candidate that a loader does not open.
type CannotOpen struct {
	Candidate arch.Candidate
	Verdicts  []Verdict       // those that say so
	Nearest   *arch.Candidate // that all asked for open, if there is one
}

func (e *CannotOpen) Error() string {
	var why []string
	for _, v := range e.Verdicts {
		why = append(why, fmt.Sprintf("%s cannot open %s: %s", v.Loader, e.Candidate.Name(), strings.Join(v.Reasons, "; ")))
	}
	text := "bundle: " + strings.Join(why, "; ")
	if e.Nearest != nil {
		text += "; the nearest that can be opened is " + e.Nearest.Name()
	}
	return text
}

// CheckFor reports as a [CannotOpen] what of those loaders cannot open c; limits are
// what has to be known if all can.
func CheckFor(c arch.Candidate, loaders []Loader) (limits []string, err error) {
	refused := refusals(c, loaders)
	if len(refused) > 0 {
		e := &CannotOpen{Candidate: c, Verdicts: refused}
		if near, ok := nearest(c, loaders); ok {
			e.Nearest = &near
		}
		return nil, e
	}
	for _, v := range Check(c) {
		if slices.Contains(loaders, v.Loader) {
			for _, l := range v.Limits {
				limits = append(limits, fmt.Sprintf("%s: %s", v.Loader, l))
			}
		}
	}
	return limits, nil
}

func refusals(c arch.Candidate, loaders []Loader) (out []Verdict) {
	for _, v := range Check(c) {
		if !v.Opens && slices.Contains(loaders, v.Loader) {
			out = append(out, v)
		}
	}
	return out
}
