package decode

import (
	"fmt"
	"math"

	"lathe/runtime/ort"
)

// Probes run a few tokens in two ways that have to agree.

// sharedTolerance is relative to the largest logit. Both ways run the same
// operators on the same shapes of new tokens, so they agree to the last bits
// (measured); a stale or misplaced key moves logits by per cents.
const sharedTolerance = 1e-3

// paddingTolerance is wider: other lengths mean other orders of addition, which
// a kernel that quantizes its inputs can blow up to a quantization step.
const paddingTolerance = 2e-2

// probeLen is the length of a probe's cache.
const probeLen = 4

// probeShared compares a prefill and two steps in shared buffers with the same
// in copied ones.
func probeShared(s *ort.Session, g *graph, o Options) error {
	fail := func(err error) error {
		why := ""
		if g.notInPlace != "" {
			why = "; " + g.notInPlace
		}
		return fmt.Errorf("decode: %s cannot share its cache buffers%s: use mode copied, or auto: %w", g.name, why, err)
	}
	prompts := make([][]int64, o.Batch)
	for row := range prompts {
		prompts[row] = []int64{g.probeID(row), g.probeID(row + 1)}
	}
	o.MaxLen = probeLen
	o.Mode = Copied
	want, err := g.probe(s, o, prompts)
	if err != nil {
		return err
	}
	o.Mode = Shared
	got, err := g.probe(s, o, prompts)
	if err != nil {
		return fail(err)
	}
	for row := range prompts {
		if err := agree(got[row], want[row], sharedTolerance); err != nil {
			return fail(fmt.Errorf("a probe in shared and in copied buffers differs: %w", err))
		}
	}
	return nil
}

// probePadding compares a row that is padded, because the first row is longer,
// with the same row unpadded.
func probePadding(s *ort.Session, g *graph, o Options) error {
	prompts := make([][]int64, o.Batch)
	for row := range prompts {
		prompts[row] = []int64{g.probeID(row)}
	}
	o.MaxLen = probeLen
	want, err := g.probe(s, o, prompts)
	if err != nil {
		return err
	}
	prompts[0] = []int64{g.probeID(0), g.probeID(1)}
	got, err := g.probe(s, o, prompts)
	if err != nil {
		return err
	}
	for row := 1; row < len(prompts); row++ {
		if err := agree(got[row], want[row], paddingTolerance); err != nil {
			other := PadLeft
			if o.Padding == PadLeft {
				other = PadRight
			}
			return fmt.Errorf("decode: %s gives a row padded on the %s other logits than the same row alone: try padding on the %s, or a batch of 1: %w", g.name, o.Padding, other, err)
		}
	}
	return nil
}

// probeID spreads a probe's tokens over the vocabulary.
func (g *graph) probeID(i int) int64 { return int64((i*7919 + 1) % g.vocab) }

// probe runs a prefill and two steps and gives, for each row, the last token's
// logits of all three.
func (g *graph) probe(s *ort.Session, o Options, prompts [][]int64) ([][]float32, error) {
	m, err := newModel(s, g, o)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	out := make([][]float32, o.Batch)
	ids := make([]int64, o.Batch)
	for step := range 3 {
		if step == 0 {
			err = m.Prefill(prompts)
		} else {
			for row := range ids {
				ids[row] = g.probeID(row + 10*step)
			}
			err = m.Step(ids)
		}
		if err != nil {
			return nil, fmt.Errorf("probe: %w", err)
		}
		for row := range out {
			out[row] = append(out[row], m.Last(row)...)
		}
	}
	return out, nil
}

// agree compares logits with a tolerance relative to the largest.
func agree(got, want []float32, tolerance float64) error {
	var largest, worst float64
	at := 0
	for i, w := range want {
		d := math.Abs(float64(got[i]) - float64(w))
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return fmt.Errorf("logit %d is %v and %v", i, got[i], w)
		}
		if d > worst {
			worst, at = d, i
		}
		largest = math.Max(largest, math.Abs(float64(w)))
	}
	if worst > tolerance*largest {
		return fmt.Errorf("logit %d is %v and %v, the largest is %v", at, got[at], want[at], largest)
	}
	return nil
}
