package finetune

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

var env *ort.Env

func TestMain(m *testing.M) {
	provisiontest.Main(m, func(path string) (err error) {
		env, err = ort.Open(path)
		return err
	})
}

// small are specs of every family, with what families can have.
var small = map[string]string{
	"gpt2":         "gpt2-l2-d32-f48-h2-v61-p16",
	"gpt2-untied":  "gpt2-l1-d24-f40-h3-v53-p12-untied",
	"gpt2-blocks":  "gpt2-l1-d16-f24-h2-v2101-p12", // a vocabulary of several of the head's
	"llama":        "llama-l2-d32-f48-h4-v61-p16",
	"llama-shared": "llama-l1-d32-f40-h4-kv2-v53-p16-tied",
	"lstm":         "lstm-l2-d24-hs32-v61",
	"lstm-plain":   "lstm-l1-d24-v53",
	"gru":          "gru-l2-d24-hs32-v61",
	"mixed":        "{family: mixed, d_model: 24, vocab: 61, positions: 16, layers: [{type: lstm, hidden: 32}, {n_head: 3, d_inner: 40}, {type: gru}]}",
}

func spec(t testing.TB, text string) arch.Spec {
	t.Helper()
	c, err := arch.ParseCandidate(text)
	if text[0] == '{' {
		c, err = arch.ParseYAML("spec", []byte(text))
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.Spec
}

// made is a model with weights drawn by its family's rules, and all vectors too.
func made(t testing.TB, o StepOptions) *Model {
	t.Helper()
	m, err := New(context.Background(), env, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if err := m.Load(t.Context(), &weights.Random{Seed: 3}); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 4))
	for _, p := range m.State().Parameters {
		for i := range p.Values {
			switch {
			case decays(p.Param):
				p.Values[i] *= 4 // so that attention is not the same for all
			case p.Param.Init.Kind == ir.Ones:
				p.Values[i] = 1 + 0.2*float32(rng.NormFloat64())
			default:
				p.Values[i] = 0.2 * float32(rng.NormFloat64())
			}
		}
	}
	return m
}

// batch is random tokens, and labels some of which do not count.
func batch(o StepOptions, seed uint64) (ids, labels []int64) {
	rng := rand.New(rand.NewPCG(seed, 5))
	for range o.Batch * o.Sequence {
		ids = append(ids, rng.Int64N(int64(o.Spec.Vocab)))
		labels = append(labels, rng.Int64N(int64(o.Spec.Vocab)))
		if rng.IntN(5) == 0 {
			labels[len(labels)-1] = Ignored
		}
	}
	return ids, labels
}

// TestGradients holds every parameter's gradient to differences of the loss: along the
// gradient itself, and along random halves of it, so that no part can stand for
// another. The differences are of fourth order, so that steps can be long enough for
// the loss to change by much more than its rounding.
func TestGradients(t *testing.T) {
	for name, text := range small {
		for way, change := range map[string]func(o *StepOptions){
			"whole":      func(*StepOptions) {},
			"chunks":     func(o *StepOptions) { o.HeadChunks = 3 },
			"checkpoint": func(o *StepOptions) { o.Checkpoint = true },
			"parts":      func(o *StepOptions) { o.Parts, o.Dropout, o.Seed = 3, 0.1, 8 },
			"dropout":    func(o *StepOptions) { o.Dropout, o.Checkpoint, o.Seed = 0.2, name == "gpt2", 9 },
		} {
			if way != "whole" && (name == "gpt2-untied" || name == "llama-shared" || name == "lstm-plain") {
				continue
			}
			t.Run(name+"/"+way, func(t *testing.T) {
				o := StepOptions{Spec: spec(t, text), Batch: 3, Sequence: 7}
				change(&o)
				checkGradients(t, made(t, o), func(ce float64) float64 { return ce })
			})
		}
	}
}

// checkGradients holds a model's to the differences of what is made of its cross entropy.
func checkGradients(t *testing.T, m *Model, objective func(ce float64) float64) {
	ids, labels := batch(m.opts, 1)
	const scale = 0.5
	loss := func() float64 {
		m.Discard() // and so the same masks
		sum, _, err := m.Accumulate(ids, labels, scale)
		if err != nil {
			t.Fatal(err)
		}
		return scale * objective(sum)
	}
	loss()
	grads := make([][]float32, len(m.places))
	for i, g := range m.Gradients() {
		grads[i] = append([]float32(nil), g.Values...)
	}
	rng := rand.New(rand.NewPCG(6, 6))
	for i, p := range m.State().Parameters {
		for try := range 3 {
			direction, slope := make([]float64, len(p.Values)), 0.0
			var square float64
			for k, g := range grads[i] {
				if try == 0 || rng.IntN(2) == 0 {
					direction[k] = float64(g)
					square += float64(g) * float64(g)
				}
			}
			if square == 0 {
				t.Errorf("%s has no gradient", p.Param.Name)
				break
			}
			length := math.Sqrt(square)
			before := append([]float32(nil), p.Values...)
			at := func(step float64) float64 {
				for k := range p.Values {
					p.Values[k] = before[k] + float32(step*direction[k]/length)
				}
				return loss()
			}
			// The loss is to change by some tenths.
			h := math.Min(0.1/length, 0.05)
			slope = (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
			copy(p.Values, before)
			if off := math.Abs(slope-length) / length; off > 2e-3 {
				t.Errorf("%s, direction %d: the loss changes by %g, the gradient says %g (%.2g off)", p.Param.Name, try, slope, length, off)
			}
		}
	}
}
