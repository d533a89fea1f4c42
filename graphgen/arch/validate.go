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
	MaxHeads     = 4096
	MaxHeadDim   = 1 << 13
	MaxVocab     = 1 << 24
	MaxPositions = 1 << 24
	MaxThreads   = 1024
	// MaxParams bounds the total: 4 TB in fp32.
	MaxParams = int64(1e12)
)

// Blocks are the block sizes that int4 weights can have.
var Blocks = []int{16, 32, 64, 128}

// Validate reports the first thing that is wrong with s.
func (s Spec) Validate() error {
	if _, ok := families[s.Family]; !ok {
		return fmt.Errorf("arch: %s", unknownFamily(string(s.Family)))
	}
	for _, f := range []struct {
		name   string
		v, max int
	}{
		{"vocab", s.Vocab, MaxVocab},
		{"positions", s.Positions, MaxPositions},
		{"d_model", s.DModel, MaxDModel},
		{"n_layer", len(s.Layers), MaxLayers},
	} {
		if err := checkSize(f.name, f.v, 1, f.max); err != nil {
			return err
		}
	}
	if err := checkSize("head_dim", s.HeadDim, 0, MaxHeadDim); err != nil {
		return err
	}
	for i, l := range s.Layers {
		if err := s.checkLayer(l); err != nil {
			if s.Homogeneous() {
				return fmt.Errorf("arch: %w", err)
			}
			return fmt.Errorf("arch: layer %d: %w", i, err)
		}
	}
	if n := s.TotalParams(); n > MaxParams {
		return fmt.Errorf("arch: %s has %s parameters: at most %s are taken", s.Name(), thousands(n), thousands(MaxParams))
	}
	return nil
}

func (s Spec) checkLayer(l Layer) error {
	if l.Type != Transformer && l.Type != "" {
		return fmt.Errorf("unknown layer type %q: this version lowers %s", l.Type, Transformer)
	}
	if err := sizeProblem("n_head", l.NHead, 1, MaxHeads); err != nil {
		return err
	}
	if err := sizeProblem("d_inner", l.DInner, 1, MaxDInner); err != nil {
		return err
	}
	if s.HeadDim != 0 {
		return nil
	}
	if s.DModel%l.NHead != 0 {
		below, above := nearestDivisors(s.DModel, l.NHead)
		return fmt.Errorf("n_head %d does not divide d_model %d: use n_head %s, or give head_dim (-hd%d)",
			l.NHead, s.DModel, orList(below, above), max(1, s.DModel/l.NHead))
	}
	// With d_model bounded and dividing exactly, only this can be too large.
	return sizeProblem("head_dim (d_model/n_head)", s.DModel/l.NHead, 1, MaxHeadDim)
}

// Validate reports the first thing that is wrong with b, whatever the Spec.
func (b Build) Validate() error {
	n := b.Normalized()
	if n.Dialect != Portable && n.Dialect != Fused {
		return fmt.Errorf("arch: unknown dialect %q: %s", b.Dialect, didYouMean(string(b.Dialect), dialectNames))
	}
	if err := n.Precision.check(); err != nil {
		return fmt.Errorf("arch: %w", err)
	}
	if err := n.Head.check(); err != nil {
		return fmt.Errorf("arch: LM head: %w", err)
	}
	if err := checkSize("threads", n.Threads, 1, MaxThreads); err != nil {
		return err
	}
	if !slices.Contains(providerNames, n.Provider.Name) {
		return fmt.Errorf("arch: unknown execution provider %q: %s", n.Provider.Name, didYouMean(n.Provider.Name, providerNames))
	}
	for k := range n.Provider.Options {
		if k == "" {
			return fmt.Errorf("arch: provider %s: an option has no name", n.Provider.Name)
		}
	}
	return nil
}

// dialectNames, precisionNames and providerNames are in the order that messages
// list them.
var (
	dialectNames   = []string{string(Portable), string(Fused)}
	precisionNames = []string{FP32, Int4 + "b16", Int4 + "b32", Int4 + "b64", Int4 + "b128"}
	providerNames  = []string{CPU, CUDA, TensorRT, OpenVINO, CoreML, DirectML}
)

func (p Precision) check() error {
	switch {
	case p.Type == FP32 && p.Block != 0:
		return fmt.Errorf("fp32 has no block, got %d", p.Block)
	case p.Type == FP32:
		return nil
	case p.Type == Int4 && !slices.Contains(Blocks, p.Block):
		return fmt.Errorf("int4 block %d: MatMulNBits takes 16, 32, 64 or 128", p.Block)
	case p.Type == Int4:
		return nil
	}
	return fmt.Errorf("%s", unknownPrecision(p.Type))
}

func unknownFamily(name string) string {
	return fmt.Sprintf("unknown family %q: this version lowers %s", name, strings.Join(familyNames, ", "))
}

func unknownPrecision(name string) string {
	return fmt.Sprintf("unknown precision %q: known are %s (int4 is int4b32)", name, strings.Join(precisionNames, ", "))
}

func checkSize(name string, v, low, high int) error {
	if err := sizeProblem(name, v, low, high); err != nil {
		return fmt.Errorf("arch: %w", err)
	}
	return nil
}

func sizeProblem(name string, v, low, high int) error {
	if v < low || v > high {
		return fmt.Errorf("%s %d is out of range: it must be %d to %s", name, v, low, thousands(int64(high)))
	}
	return nil
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
