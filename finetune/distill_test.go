package finetune

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/runtime/ort"
)

// given is a teacher that expects the same after every batch.
type given struct {
	tokens        []int64
	probabilities []float32
}

func (g given) Expect(_, tokens []int64, probabilities []float32) error {
	copy(tokens, g.tokens)
	copy(probabilities, g.probabilities)
	return nil
}

// expecting draws a teacher's targets: top different tokens for each of rows, whose
// probabilities leave something for others.
func expecting(rows, top, vocab int) (g given) {
	rng := rand.New(rand.NewPCG(11, 1))
	for range rows {
		sum := 0.0
		if top < vocab {
			sum = rng.ExpFloat64() // of all others
		}
		each := make([]float64, top)
		for k, id := range rng.Perm(vocab)[:top] {
			g.tokens = append(g.tokens, int64(id))
			each[k] = rng.ExpFloat64()
			sum += each[k]
		}
		for _, p := range each {
			g.probabilities = append(g.probabilities, float32(p/sum))
		}
	}
	return g
}

// distilled are ways to learn from a teacher, by name.
var distilled = map[string]Distill{
	"mixed":       {Weight: 0.3, Temperature: 2, Top: 7},
	"cold":        {Weight: 0.6, Temperature: 0.7, Top: 1},
	"one":         {Weight: 0.5, Temperature: 1, Top: 9},
	"one, all":    {Weight: 0.5, Temperature: 1, Top: 61},
	"alone":       {Weight: 1, Temperature: 3, Top: 5},
	"alone, all":  {Weight: 1, Temperature: 3, Top: 61},
	"alone, once": {Weight: 1, Temperature: 1, Top: 20},
}

// TestDistillLoss holds loss and divergence to their definitions, computed from the
// logits in float64.
func TestDistillLoss(t *testing.T) {
	for name, d := range distilled {
		for _, chunks := range []int{1, 4} {
			o := StepOptions{Spec: spec(t, small["gpt2"]), Batch: 3, Sequence: 7, HeadChunks: chunks}
			g := expecting(21, d.Top, 61)
			d.Teacher, o.Distill = g, &d
			m := made(t, o)
			ids, labels := batch(o, 1)
			ce, n, err := m.Accumulate(ids, labels, 1)
			if err != nil {
				t.Fatal(err)
			}
			var wantCE, wantKL float64
			counted := 0
			logits := logitsOf(t, m, ids)
			for i, label := range labels {
				if label == Ignored {
					continue
				}
				counted++
				row := logits[i*61:][:61]
				wantCE -= logSoftmax(row, 1)[label]
				student := logSoftmax(row, d.Temperature)
				rest := 1.0
				p, left := 1.0, 0.0
				seen := map[int64]bool{}
				for k := range d.Top {
					token, q := g.tokens[i*d.Top+k], float64(g.probabilities[i*d.Top+k])
					wantKL += q * (math.Log(q) - student[token])
					seen[token] = true
					p -= q
					rest -= math.Exp(student[token])
				}
				for token, s := range student {
					if !seen[int64(token)] {
						left += math.Exp(s)
					}
				}
				if d.Top < 61 {
					wantKL += p * math.Log(p/left)
				}
			}
			if n != counted || math.Abs(ce-wantCE) > 1e-4*wantCE || math.Abs(m.Divergence()-wantKL) > 1e-4*math.Abs(wantKL)+1e-4 {
				t.Errorf("%s, %d chunks: cross entropy %g and divergence %g over %d tokens, want %g and %g over %d", name, chunks, ce, m.Divergence(), n, wantCE, wantKL, counted)
			}
		}
	}
}

func logSoftmax(row []float32, temperature float64) []float64 {
	var total float64
	for _, v := range row {
		total += math.Exp(float64(v) / temperature)
	}
	out := make([]float64, len(row))
	for i, v := range row {
		out[i] = float64(v)/temperature - math.Log(total)
	}
	return out
}

// logitsOf are a model's, by a frozen one with its weights.
func logitsOf(t testing.TB, m *Model, ids []int64) []float32 {
	t.Helper()
	f, err := NewFrozen(t.Context(), env, FrozenOptions{Spec: m.opts.Spec, Batch: m.opts.Batch, Sequence: m.opts.Sequence}, m.Source(),
		func(b *ir.Builder, f *graphgen.Forward) { b.Output("logits", f.Logits(f.Hidden)) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	if err := f.Run(ids); err != nil {
		t.Fatal(err)
	}
	return ort.Data[float32](f.Output("logits"))
}

// TestDistillGradients holds gradients of the mixed loss to its differences.
func TestDistillGradients(t *testing.T) {
	for name, d := range distilled {
		t.Run(name, func(t *testing.T) {
			o := StepOptions{Spec: spec(t, small["gpt2"]), Batch: 3, Sequence: 7}
			if name == "mixed" {
				o.HeadChunks, o.Checkpoint = 4, true
			}
			if name == "one" {
				o.Parts = 3
			}
			d.Teacher, o.Distill = expecting(21, d.Top, 61), &d
			m := made(t, o)
			checkGradients(t, m, func(ce float64) float64 {
				return (1-d.Weight)*ce + d.Weight*d.Temperature*d.Temperature*m.Divergence()
			})
		})
	}
}

// TestTeacher: what a model expects is the softmax of its logits; a student with its
// teacher's weights has nothing to learn from it.
func TestTeacher(t *testing.T) {
	for name, text := range small {
		for _, d := range []Distill{{Weight: 1, Temperature: 2, Top: 8}, {Weight: 1, Temperature: 1, Top: 53}} {
			o := StepOptions{Spec: spec(t, text), Batch: 2, Sequence: 6}
			src := made(t, o).Source()
			teacher, err := NewTeacher(t.Context(), env, FrozenOptions{Spec: o.Spec, Batch: 2, Sequence: 6}, d, src)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(teacher.Close)
			d.Teacher, o.Distill = teacher, &d
			m := made(t, o)
			ids, labels := batch(o, 3)
			for i := range labels {
				labels[i] = max(labels[i], 0)
			}
			if _, _, err := m.Accumulate(ids, labels, 1); err != nil {
				t.Fatal(err)
			}
			logits := logitsOf(t, m, ids)
			tokens, probabilities := make([]int64, d.Top*len(ids)), make([]float32, d.Top*len(ids))
			if err := teacher.Expect(ids, tokens, probabilities); err != nil {
				t.Fatal(err)
			}
			vocab := o.Spec.Vocab
			for i := range ids {
				want := logSoftmax(logits[i*vocab:][:vocab], d.Temperature)
				for k, token := range tokens[i*d.Top:][:d.Top] {
					if p := float64(probabilities[i*d.Top+k]); math.Abs(p-math.Exp(want[token])) > 1e-5 {
						t.Fatalf("%s: token %d after %d has %g, want %g", name, token, i, p, math.Exp(want[token]))
					}
				}
				order := append([]float64(nil), want...)
				slices.Sort(order)
				if last := math.Log(float64(probabilities[(i+1)*d.Top-1])); math.Abs(last-order[vocab-d.Top]) > 1e-4 {
					t.Fatalf("%s: the least expected of %d has %g, want %g", name, d.Top, last, order[vocab-d.Top])
				}
			}
			if math.Abs(m.Divergence()) > 1e-4 {
				t.Errorf("%s: the divergence of equals is %g", name, m.Divergence())
			}
			if norm, err := m.GradNorm(); err != nil || norm > 1e-3 {
				t.Errorf("%s: the gradient of equals is %g, %v", name, norm, err)
			}
		}
	}
}

// TestTeacherInParts: a vocabulary so large that the rows go through the head in parts.
func TestTeacherInParts(t *testing.T) {
	o := StepOptions{Spec: spec(t, "gpt2-l1-d8-f8-h1-v40000-p256"), Batch: 2, Sequence: 256}
	m := made(t, o)
	d := Distill{Temperature: 1, Top: 3}
	teacher, err := NewTeacher(t.Context(), env, FrozenOptions{Spec: o.Spec, Batch: 2, Sequence: 256}, d, m.Source())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(teacher.Close)
	if len(teacher.parts) < 2 {
		t.Fatalf("%d parts", len(teacher.parts))
	}
	ids, _ := batch(o, 2)
	tokens, probabilities := make([]int64, 3*len(ids)), make([]float32, 3*len(ids))
	if err := teacher.Expect(ids, tokens, probabilities); err != nil {
		t.Fatal(err)
	}
	logits := logitsOf(t, m, ids)
	for i := range ids {
		row := logits[i*40000:][:40000]
		want := slices.Max(row)
		if got := row[tokens[3*i]]; math.Abs(float64(got-want)) > 1e-5 {
			t.Fatalf("after token %d the likeliest has the logit %g, want %g", i, got, want)
		}
	}
}

func TestDistillRefuses(t *testing.T) {
	good := StepOptions{Spec: spec(t, small["gpt2"]), Batch: 1, Sequence: 4}
	for want, d := range map[string]Distill{
		"without a teacher":                   {},
		"weight is 1.5":                       {Teacher: given{}, Weight: 1.5},
		"weight is -1":                        {Teacher: given{}, Weight: -1},
		"temperature is -2":                   {Teacher: given{}, Temperature: -2},
		"temperature is NaN":                  {Teacher: given{}, Temperature: math.NaN()},
		"62 tokens of the teacher, of a voca": {Teacher: given{}, Top: 62},
	} {
		o := good
		o.Distill = &d
		if m, err := New(t.Context(), env, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, it should say %q", err, want)
			if m != nil {
				m.Close()
			}
		}
	}
	for want, g := range map[string]given{
		"the teacher expects token 61, the vocabulary has 61": {[]int64{61}, []float32{1}},
		"with the probability NaN":                            {[]int64{6}, []float32{float32(math.NaN())}},
	} {
		o := good
		o.Distill = &Distill{Teacher: g}
		m := made(t, o)
		ids, labels := batch(o, 1)
		_, _, err := m.Accumulate(ids, labels, 1)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(want, "NaN") != errors.Is(err, ErrNotFinite) {
			t.Errorf("error %v, it should say %q", err, want)
		}
	}
	if _, err := NewTeacher(t.Context(), env, FrozenOptions{Spec: good.Spec, Batch: 1, Sequence: 17}, Distill{}, &weights.Random{}); err == nil || !strings.Contains(err.Error(), "16 positions") {
		t.Error(err)
	}
}
