package verify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"lathe/runtime/decode"
)

// generated is how many tokens are compared behind each prompt.
const generated = 16

// promptLens are the lengths of prompts that are drawn: of different length, for what is
// padded, and one of a single token.
var promptLens = []int{12, 5, 1}

// trace is what a model computed: Logits[i] follow prompt and the first i of then.
type trace struct {
	prompt, then []int64
	logits       [][]float32
}

func largest(row []float32) (best int) {
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}

// draw makes prompts of a vocabulary, that leave room for at least a token each.
func draw(r *rand.Rand, vocab, positions int) (out [][]int64) {
	for _, n := range promptLens {
		p := make([]int64, max(1, min(n, positions-generated)))
		for i := range p {
			p[i] = r.Int64N(int64(vocab))
		}
		out = append(out, p)
	}
	return out
}

// steps is how many logits are compared behind a prompt, of a model with so many
// positions (0: not known).
func steps(prompt []int64, positions int) int {
	if positions <= 0 {
		return generated
	}
	return max(1, min(generated, positions-len(prompt)+1))
}

// generate runs the model behind a prompt, and feeds it the tokens of then, or if that
// is nil the likeliest, so that there are n rows of logits.
func generate(ctx context.Context, m *decode.Model, prompt, then []int64, n int) (*trace, error) {
	t := &trace{prompt: prompt}
	m.Reset()
	err := m.Prefill([][]int64{prompt})
	for err == nil {
		if err = finite(m.Last(0)); err != nil {
			return nil, err
		}
		t.logits = append(t.logits, append([]float32(nil), m.Last(0)...))
		i := len(t.logits)
		if i == n {
			return t, nil
		}
		next := int64(largest(t.logits[i-1]))
		if then != nil {
			next = then[i-1]
		}
		t.then = append(t.then, next)
		err = errors.Join(ctx.Err(), m.Step([]int64{next}))
	}
	return nil, err
}

// whole is the logits of the same tokens by one prefill, of a model that has those of
// all rows computed.
func whole(m *decode.Model, t *trace) (*trace, error) {
	ids := append(append([]int64(nil), t.prompt...), t.then...)
	m.Reset()
	if err := m.Prefill([][]int64{ids}); err != nil {
		return nil, err
	}
	out := &trace{prompt: t.prompt, then: t.then}
	for i := range t.logits {
		row := m.Back(0, len(t.logits)-1-i)
		if row == nil {
			return nil, fmt.Errorf("a prefill of %d tokens has no logits of the one at %d", len(ids), len(ids)-len(t.logits)+i)
		}
		out.logits = append(out.logits, append([]float32(nil), row...))
	}
	return out, nil
}

// together runs all traces' tokens as the rows of one batch.
func together(ctx context.Context, m *decode.Model, of []*trace) ([]*trace, error) {
	prompts, out := make([][]int64, len(of)), make([]*trace, len(of))
	n := len(of[0].logits)
	for i, t := range of {
		prompts[i], out[i] = t.prompt, &trace{prompt: t.prompt, then: t.then}
		n = min(n, len(t.logits))
	}
	m.Reset()
	err := m.Prefill(prompts)
	ids := make([]int64, len(of))
	for j := range n {
		if err != nil {
			return nil, err
		}
		for i := range of {
			out[i].logits = append(out[i].logits, append([]float32(nil), m.Last(i)...))
			if j < n-1 {
				ids[i] = of[i].then[j]
			}
		}
		if j < n-1 {
			err = errors.Join(ctx.Err(), m.Step(ids))
		}
	}
	return out, nil
}

// furthest is the greatest difference of two logits over the greatest of want; +Inf
// where one is no number.
func furthest(got, want []*trace) float64 {
	worst, most := 0.0, 0.0
	for i := range got {
		for j, row := range got[i].logits {
			for k, v := range row {
				w := float64(want[i].logits[j][k])
				d := math.Abs(float64(v) - w)
				if math.IsNaN(d) {
					return math.Inf(1)
				}
				worst, most = max(worst, d), max(most, math.Abs(w))
			}
		}
	}
	if worst == 0 {
		return 0
	}
	return worst / most
}

// finite reports logits that are no numbers.
func finite(row []float32) error {
	for i, v := range row {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("logit %d is %v", i, v)
		}
	}
	return nil
}
