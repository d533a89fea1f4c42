package arch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits of what is taken for a size rather than for a slip of the finger. They
// are several times the largest published decoder's, and small enough that no
// count of a Spec within them overflows an int64.
const (
	MaxLayers    = 1024
	MaxDModel    = 1 << 16
	MaxDInner    = 1 << 20
	MaxHidden    = 1 << 16
	MaxHeads     = 4096
	MaxHeadDim   = 1 << 13
	MaxVocab     = 1 << 24
	MaxPositions = 1 << 24
	MaxThreads   = 1024
	// MaxParams bounds the total: 4 TB in fp32.
	MaxParams = int64(1e12)
)

// Validate reports the first thing that is wrong with s.
func (s Spec) Validate() error {
	if _, ok := families[s.Family]; !ok {
		return fieldErrorf("family", "%s", unknownFamily(string(s.Family)))
	}
	for _, f := range []struct {
		name         string
		v, low, high int
	}{
		{"vocab", s.Vocab, 1, MaxVocab},
		{"positions", s.Positions, 1, MaxPositions},
		{"d_model", s.DModel, 1, MaxDModel},
		{"head_dim", s.HeadDim, 0, MaxHeadDim},
		{"n_layer", len(s.Layers), 1, MaxLayers},
	} {
		if p := sizeProblem(f.name, f.v, f.low, f.high); p != "" {
			return fieldErrorf(f.name, "%s", p)
		}
	}
	if field, problem := s.familyProblem(); problem != "" {
		return fieldErrorf(field, "%s", problem)
	}
	for i, l := range s.Layers {
		if field, problem := s.layerProblem(l); problem != "" {
			return s.layerError(i, field, problem)
		}
	}
	if n := s.TotalParams(); n > MaxParams {
		return fmt.Errorf("arch: %s parameters are too many: at most %s are taken", thousands(n), thousands(MaxParams))
	}
	return nil
}

// layerError says which layer a problem is in, where that tells anything.
func (s Spec) layerError(i int, field, problem string) error {
	if s.Homogeneous() {
		return fieldErrorf(field, "%s", problem)
	}
	return fieldErrorf(fmt.Sprintf("layers.%d.%s", i, field), "layer %d: %s", i, problem)
}

func (s Spec) layerProblem(l Layer) (field, problem string) {
	switch t := s.typeOf(l); {
	case t.Recurrent():
		return s.recurrentProblem(l, t)
	case t != Transformer:
		return "type", fmt.Sprintf("unknown layer type %q: this version lowers %s", t, strings.Join(layerTypes, ", "))
	case s.Stack():
		return "type", fmt.Sprintf("a layer of type %s in a model of family %s: layers of several types are of the family %s", t, s.Family, Mixed)
	case l.Hidden != 0:
		return "hidden", fmt.Sprintf("hidden %d: a layer of type %s has none; its sizes are n_head and d_inner", l.Hidden, t)
	}
	if p := sizeProblem("d_inner", l.DInner, 1, MaxDInner); p != "" {
		return "d_inner", p
	}
	if p := sizeProblem("n_head", l.NHead, 1, MaxHeads); p != "" {
		return "n_head", p
	}
	if field, problem := s.kvProblem(l); problem != "" {
		return field, problem
	}
	if s.HeadDim != 0 {
		return "", ""
	}
	if s.DModel%l.NHead != 0 {
		below, above := nearestDivisors(s.DModel, l.NHead)
		return "n_head", fmt.Sprintf("n_head %d does not divide d_model %d: use n_head %s, or give head_dim (-hd%d)",
			l.NHead, s.DModel, orList(below, above), max(1, s.DModel/l.NHead))
	}
	if p := sizeProblem("head_dim (d_model/n_head)", s.DModel/l.NHead, 1, MaxHeadDim); p != "" {
		return "n_head", p
	}
	return "n_head", s.oddProblem("head_dim (d_model/n_head)", s.DModel/l.NHead)
}

// oddProblem is about a head that rotary positions cannot turn.
func (s Spec) oddProblem(what string, headDim int) string {
	if !s.Rotary() || headDim%2 == 0 {
		return ""
	}
	return fmt.Sprintf("%s %d is odd: the rotary embedding turns pairs, so it must be even", what, headDim)
}

// kvProblem is about heads that share keys and values.
func (s Spec) kvProblem(l Layer) (field, problem string) {
	n := l.KVHeads()
	switch {
	case n == l.NHead:
		return "", ""
	case !s.Rotary():
		return "n_kv_head", fmt.Sprintf("n_kv_head %d: in %s every head has keys and values of its own; %s's heads may share them", n, s.Family, LLaMA)
	case n < 1 || n > l.NHead:
		return "n_kv_head", sizeProblem("n_kv_head", n, 1, l.NHead)
	case l.NHead%n != 0:
		below, above := nearestDivisors(l.NHead, n)
		return "n_kv_head", fmt.Sprintf("n_kv_head %d does not divide n_head %d: use n_kv_head %s", n, l.NHead, orList(below, above))
	}
	return "", ""
}

// familyProblem is about settings that only some families have.
func (s Spec) familyProblem() (field, problem string) {
	// 1e-12 is nothing beside float32's rounding, and 0.1 more than any model's.
	const minEps, maxEps = 1e-12, 0.1
	n := s.Normalized()
	switch {
	case s.Stack() && s.NormEps != 0:
		return "norm_eps", fmt.Sprintf("norm_eps %g: %s has no norms", s.NormEps, s.Family)
	case s.HeadDim != 0 && len(s.Layers) > 0 && !slices.ContainsFunc(s.Layers, func(l Layer) bool { return !s.typeOf(l).Recurrent() }):
		return "head_dim", fmt.Sprintf("head_dim %d: no layer has heads", s.HeadDim)
	case n.NormEps != 0 && !(n.NormEps >= minEps && n.NormEps <= maxEps):
		return "norm_eps", fmt.Sprintf("norm_eps %g is out of range: it must be %g to %g", n.NormEps, minEps, maxEps)
	case !s.Rotary() && n.RopeBase != 0:
		return "rope_base", fmt.Sprintf("rope_base %g: %s has no rotary positions; %s has", n.RopeBase, s.Family, LLaMA)
	case !s.Rotary() && n.RopeScaling != nil:
		return "rope_scaling", fmt.Sprintf("rope_scaling: %s has no rotary positions; %s has", s.Family, LLaMA)
	case !s.Rotary() && s.QKVBias:
		return "qkv_bias", fmt.Sprintf("qkv_bias: it is for %s; %s has the biases that its family has", LLaMA, s.Family)
	case n.RopeBase != 0 && !(n.RopeBase > 1 && n.RopeBase <= maxRopeBase):
		return "rope_base", fmt.Sprintf("rope_base %g is out of range: it must be above 1 and at most %g", n.RopeBase, maxRopeBase)
	case s.oddProblem("head_dim", s.HeadDim) != "":
		return "head_dim", s.oddProblem("head_dim", s.HeadDim)
	case n.RopeScaling != nil:
		field, problem = n.RopeScaling.problem()
		return "rope_scaling." + field, problem
	}
	return "", ""
}

// Validate reports the first thing that is wrong with b, whatever the Spec.
func (b Build) Validate() error {
	n := b.Normalized()
	if !slices.Contains(dialectNames, string(n.Dialect)) {
		return fieldErrorf("dialect", "unknown dialect %q: %s", n.Dialect, didYouMean(string(n.Dialect), dialectNames))
	}
	if p := n.Float.problem(); p != "" {
		return fieldErrorf("float", "%s", p)
	}
	if p := n.Precision.problem(); p != "" {
		return fieldErrorf("precision", "%s", p)
	}
	if p := n.Head.problem(); p != "" {
		return fieldErrorf("head", "LM head: %s", p)
	}
	switch p := n.Embed.problem(); {
	case n.Embed == Precision{}:
	case p != "":
		return fieldErrorf("embed", "embedding: %s", p)
	case n.Embed.Type == Int8Dyn:
		return fieldErrorf("embed", "embedding: int8dyn is for products, and an embedding's rows are gathered: use int8b32 or fp32")
	}
	if n.Float != FP32 && (n.Precision.Type == Int8Dyn || n.Head.Type == Int8Dyn) {
		return fieldErrorf("float", "int8dyn takes fp32 only (DynamicQuantizeMatMul), and this is %s: use int8b32, or leave +%s out", n.Float, n.Float)
	}
	if p := sizeProblem("threads", n.Threads, 1, MaxThreads); p != "" {
		return fieldErrorf("threads", "%s", p)
	}
	if !slices.Contains(providerNames, n.Provider.Name) {
		return fieldErrorf("provider", "unknown execution provider %q: %s", n.Provider.Name, didYouMean(n.Provider.Name, providerNames))
	}
	if _, ok := n.Provider.Options[""]; ok {
		return fieldErrorf("provider", "provider %s: an option has no name", n.Provider.Name)
	}
	return nil
}

// dialectNames and providerNames are in the order that messages
// list them.
var (
	dialectNames  = []string{string(Portable), string(Fused)}
	providerNames = []string{CPU, CUDA, TensorRT, OpenVINO, CoreML, DirectML}
)

func unknownFamily(name string) string {
	return fmt.Sprintf("unknown family %q: this version lowers %s", name, strings.Join(familyNames, ", "))
}

// sizeProblem is "" where v lies within low and high.
func sizeProblem(name string, v, low, high int) string {
	if v < low || v > high {
		return fmt.Sprintf("%s %d is out of range: it must be %d to %s", name, v, low, thousands(int64(high)))
	}
	return ""
}

// nearestDivisors returns the divisors of n that are nearest to v from below and
// from above; above is 0 where there is none.
func nearestDivisors(n, v int) (below, above int) {
	for below = min(v, n); n%below != 0; below-- {
	}
	for above = v + 1; above <= n; above++ {
		if n%above == 0 {
			return below, above
		}
	}
	return below, 0
}

// orList is "8 or 16", leaving out zeros.
func orList(values ...int) string {
	var s []string
	for _, v := range values {
		if v != 0 {
			s = append(s, strconv.Itoa(v))
		}
	}
	return strings.Join(s, " or ")
}

// thousands is n with commas.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
