package bundle

import (
	"slices"

	"lathe/graphgen/arch"
)

// nearest is the candidate most like c that all of loaders open: the same family,
// depth and width where they can be, layers all alike, the dialect that they take, and
// d_inner such that the decoder has about as many parameters.
func nearest(c arch.Candidate, loaders []Loader) (arch.Candidate, bool) {
	to := c
	to.Build.Dialect = ""
	to = Fit(to, loaders)
	if len(refusals(to, loaders)) == 0 {
		return to, true
	}
	s := c.Spec.Normalized()
	to.Spec = s
	if s.Stack() || s.Family == arch.Mixed {
		to.Spec.Family, to.Spec.NormEps = arch.GPT2, 0
		to.Spec.Untied = s.Untied
	}
	layer := arch.Layer{Type: arch.Transformer, NHead: headsOf(s), NKVHead: kvHeadsOf(s)}
	if s.DModel%layer.NHead != 0 || s.Rotary() && s.DModel/layer.NHead%2 != 0 {
		layer.NHead, layer.NKVHead = dividing(s.DModel, layer.NHead), 0
	}
	to.Spec.HeadDim = 0
	to.Spec = withInner(to.Spec, layer, len(s.Layers), s.DecoderParams())
	if to.Validate() != nil || len(refusals(to, loaders)) > 0 {
		return arch.Candidate{}, false
	}
	return to, true
}

// nominal is s as transformers' configuration can say it: layers all alike, with what
// most of s's have, heads that divide d_model. exact reports that this is s. Programs
// that run a graph need of a configuration no more than that.
func nominal(s arch.Spec) (_ arch.Spec, exact bool) {
	s = s.Normalized()
	if s.Stack() || slices.ContainsFunc(s.Layers, func(l arch.Layer) bool { return l.Type.Recurrent() }) {
		return s, true // of which there is none
	}
	n := s
	l := arch.Layer{Type: arch.Transformer, NHead: headsOf(s), NKVHead: kvHeadsOf(s), DInner: mostCommon(s, func(l arch.Layer) int { return l.DInner })}
	if !s.Rotary() {
		n.HeadDim = 0
		if s.DModel%l.NHead != 0 {
			l.NHead = dividing(s.DModel, l.NHead)
		}
	} else if s.HeadDim == 0 {
		n.HeadDim = s.HeadDimOf(slices.IndexFunc(s.Layers, func(x arch.Layer) bool { return x.NHead == l.NHead }))
	}
	n.Layers = slices.Repeat([]arch.Layer{l}, len(s.Layers))
	return n, n.Equal(s)
}

// headsOf are the most common heads of the layers, or heads of 64, as GPT-2 has, where
// no layer has any.
func headsOf(s arch.Spec) int {
	const usual = 64
	if n := mostCommon(s, func(l arch.Layer) int { return l.NHead }); n > 0 {
		return n
	}
	return max(1, s.DModel/usual)
}

func kvHeadsOf(s arch.Spec) int {
	n := mostCommon(s, arch.Layer.KVHeads)
	if heads := headsOf(s); n == 0 || n == heads || heads%n != 0 {
		return 0
	}
	return n
}

// mostCommon is the value that most layers with heads have, the larger of two; 0 if
// there are none.
func mostCommon(s arch.Spec, of func(arch.Layer) int) (most int) {
	count := map[int]int{}
	for i, l := range s.Layers {
		if !s.TypeOf(i).Recurrent() {
			count[of(l)]++
		}
	}
	for v, n := range count {
		if n > count[most] || n == count[most] && v > most {
			most = v
		}
	}
	return most
}

// dividing is the number nearest to n that divides d with a quotient that is even,
// where one does.
func dividing(d, n int) int {
	best := 1
	for k := 1; k <= d; k++ {
		if d%k == 0 && d/k%2 == 0 && abs(k-n) < abs(best-n) {
			best = k
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// withInner is s with n layers like l, whose d_inner is the multiple of 64 with which
// its decoder's parameters come nearest to params.
func withInner(s arch.Spec, l arch.Layer, n int, params int64) arch.Spec {
	const step = 64 // the step of spaces
	at := func(inner int) arch.Spec {
		l.DInner = inner
		s.Layers = slices.Repeat([]arch.Layer{l}, n)
		return s
	}
	few, more := at(step).DecoderParams(), at(2*step).DecoderParams()
	k := (params - few + (more-few)/2) / max(1, more-few)
	return at(step * int(max(0, min(k, arch.MaxDInner/step-1))+1))
}
