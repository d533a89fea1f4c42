package train_test

import (
	"math"
	"math/rand/v2"

	"lathe/finetune/train"
)

// bigram is a model that is trained in a few lines: the logits of a token are a row of
// a matrix, that of the token before it. Its step is Adam.
type bigram struct {
	vocab          int
	w, m, v, g     []float32
	steps          int
	passes, applys int
	loss           func(step int, sum float64) float64 // what Accumulate says, or nil
	norm           func(step int, norm float64) float64
}

func newBigram(vocab int) *bigram {
	n := vocab * vocab
	b := &bigram{vocab: vocab, w: make([]float32, n), m: make([]float32, n), v: make([]float32, n), g: make([]float32, n)}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range b.w {
		b.w[i] = float32(rng.NormFloat64())
	}
	return b
}

// visit calls with each token's probabilities and label.
func (b *bigram) visit(ids, labels []int64, with func(row int, p []float64, label int)) (sum float64, n int) {
	p := make([]float64, b.vocab)
	for i, id := range ids {
		if labels[i] == train.NoLabel {
			continue
		}
		total := 0.0
		for j := range p {
			p[j] = math.Exp(float64(b.w[int(id)*b.vocab+j]))
			total += p[j]
		}
		for j := range p {
			p[j] /= total
		}
		sum -= math.Log(p[labels[i]])
		n++
		with(int(id), p, int(labels[i]))
	}
	return sum, n
}

func (b *bigram) Accumulate(ids, labels []int64, scale float32) (float64, int, error) {
	b.passes++
	sum, n := b.visit(ids, labels, func(row int, p []float64, label int) {
		for j, q := range p {
			if j == label {
				q--
			}
			b.g[row*b.vocab+j] += scale * float32(q)
		}
	})
	if b.loss != nil {
		sum = b.loss(b.steps+1, sum)
	}
	return sum, n, nil
}

func (b *bigram) Loss(ids, labels []int64) (float64, int, error) {
	sum, n := b.visit(ids, labels, func(int, []float64, int) {})
	return sum, n, nil
}

func (b *bigram) Apply(lr float64) (float64, error) {
	b.applys++
	b.steps++
	norm := 0.0
	c1, c2 := 1-math.Pow(0.9, float64(b.steps)), 1-math.Pow(0.95, float64(b.steps))
	for i, g := range b.g {
		norm += float64(g) * float64(g)
		b.m[i] = 0.9*b.m[i] + 0.1*g
		b.v[i] = 0.95*b.v[i] + 0.05*g*g
		b.w[i] -= float32(lr * float64(b.m[i]) / c1 / (math.Sqrt(float64(b.v[i])/c2) + 1e-8))
		b.g[i] = 0
	}
	norm = math.Sqrt(norm)
	if b.norm != nil {
		norm = b.norm(b.steps, norm)
	}
	return norm, nil
}

func (b *bigram) State() train.State {
	of := func(values []float32) []train.Tensor {
		half := b.vocab * (b.vocab / 2)
		return []train.Tensor{
			{Name: "upper", Shape: []int64{int64(b.vocab / 2), int64(b.vocab)}, Values: values[:half]},
			{Name: "lower", Shape: []int64{int64(len(values) - half)}, Values: values[half:]},
		}
	}
	return train.State{Parameters: of(b.w), First: of(b.m), Second: of(b.v)}
}

func (b *bigram) Stepped(n int) { b.steps = n }

// cycle is rows in which a token mostly follows the one before it by one: what a bigram
// can learn. Every seventh token does not count.
type cycle struct {
	vocab int
	seed  uint64
}

func (c cycle) Fill(k int, ids, labels []int64) error {
	rng := rand.New(rand.NewPCG(c.seed, uint64(k)))
	at := rng.IntN(c.vocab)
	for i := range ids {
		ids[i] = int64(at)
		at = (at + 1) % c.vocab
		if rng.IntN(10) == 0 {
			at = rng.IntN(c.vocab)
		}
		labels[i] = int64(at)
		if i%7 == 6 {
			labels[i] = train.NoLabel
		}
	}
	return nil
}
