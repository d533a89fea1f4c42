package finetune

import (
	"fmt"

	"lathe/graphgen/ir"
)

// Distill says how a model learns from a teacher besides the text (Hinton, Vinyals and
// Dean 2015). A token's loss is (1-Weight) times its cross entropy plus Weight times
// Temperature squared times KL(teacher || model), where both have their logits divided by
// Temperature.
//
// Of the teacher's distribution the Top likeliest tokens count one by one and all others
// as one: the divergence is that of Top+1 probabilities, never more than the whole one.
// What the teacher leaves to the others the model may share out among them as it likes.
// Tokens whose label is [Ignored] have no teacher either.
type Distill struct {
	Teacher     Teacher
	Weight      float64 // above 0, to 1; 0: 0.5
	Temperature float64 // 0: 2
	Top         int     // 0: 64, or the vocabulary where that is smaller
}

// Teacher says what it expects after each token of a batch.
type Teacher interface {
	// Expect writes, for each of ids, Batch*Sequence tokens row by row, the likeliest
	// tokens that follow and their probabilities at the temperature that it was made with:
	// len(tokens)/len(ids) of them, in any order.
	Expect(ids, tokens []int64, probabilities []float32) error
}

func (d Distill) withDefaults(vocab int) Distill {
	if d.Weight == 0 {
		d.Weight = 0.5
	}
	if d.Temperature == 0 {
		d.Temperature = 2
	}
	if d.Top == 0 {
		d.Top = min(64, vocab)
	}
	return d
}

func (d Distill) validate(vocab int) error {
	switch {
	case d.Teacher == nil:
		return fmt.Errorf("finetune: distillation without a teacher")
	case !(d.Weight > 0 && d.Weight <= 1):
		return fmt.Errorf("finetune: the teacher's weight is %g: want more than 0, at most 1", d.Weight)
	case !(d.Temperature >= 0.01 && d.Temperature <= 1000): // of logits by which floats do not overflow
		return fmt.Errorf("finetune: the temperature is %g: want 0.01 to 1000", d.Temperature)
	case d.Top < 1 || d.Top > vocab:
		return fmt.Errorf("finetune: %d tokens of the teacher, of a vocabulary of %d", d.Top, vocab)
	}
	return nil
}

// Names of what a teacher's batch goes through.
const (
	inExpected      = "teacher.tokens"        // int64 [tokens, top]
	inProbabilities = "teacher.probabilities" // float [tokens, top]
	outDivergences  = "divergences"           // float [tokens, 1]: KL of each token
)

// leastTail bounds the model's probability of all tokens but the teacher's likeliest from
// below, where it divides: it is 1 less a sum, which is off by some 1e-7.
const leastTail = 1e-6

// soft is a teacher's targets in a graph.
type soft struct {
	weight, temperature float32
	tokens, probs       []*ir.Value // by piece of rows
}

// newSoft declares the inputs; cut parts rows into pieces.
func newSoft(b *ir.Builder, d *Distill, rows int64, cut func(*ir.Value) []*ir.Value) *soft {
	if d == nil {
		return nil
	}
	top := ir.D(int64(d.Top))
	return &soft{
		weight: float32(d.Weight), temperature: float32(d.Temperature),
		tokens: cut(b.Input(inExpected, ir.Int64, ir.D(rows), top)),
		probs:  cut(b.Input(inProbabilities, ir.Float, ir.D(rows), top)),
	}
}

// emit writes the mixed loss of piece i: as [piece.emit], but over logits whose gradient
// is not the exponentials alone, and so in one block. It returns the gradient by the
// matrix, added to sum.
func (t *soft) emit(b products, p *piece, matrix, sum *ir.Value, i int) *ir.Value {
	logits := b.product(p.x, matrix, nil, false, true)
	probabilities := b.Softmax(logits)
	p.losses = b.Neg(logarithm(b.Builder, b.GatherElements(probabilities, p.label, 1)))
	g := t.gradient(b.Builder, p, logits, probabilities, i)
	p.hidden = b.Mul(b.product(g, matrix, nil, false, false), p.weight)
	return b.product(g, b.Mul(p.x, p.weight), sum, true, false)
}

// gradient is that of piece i's losses by the logits, whose softmax is probabilities.
//
// With the model's s and the teacher's p at the temperature, tails S and P, and u the
// logits over the temperature, KL's gradient by u is s-p at the teacher's tokens, and
// s(1-P/S) elsewhere. By the logits it is that over the temperature. So all is one
// product as wide as the vocabulary (two where the temperature is not 1), and one
// scatter of what is different at the teacher's tokens and at the label.
func (t *soft) gradient(b *ir.Builder, at *piece, logits, probabilities *ir.Value, i int) *ir.Value {
	scalar := func(v float32) *ir.Value { return b.Scalar(ir.Float, v) }
	one := scalar(1)
	s := probabilities
	if t.temperature != 1 {
		s = b.Softmax(b.Mul(logits, scalar(1/t.temperature)))
	}
	p := t.probs[i]
	top := b.GatherElements(s, t.tokens[i], 1)
	kl := b.SumOver(b.Mul(p, b.Sub(logarithm(b, p), logarithm(b, top))), true, 1)
	ratio := one // P/S; of no others it does not matter
	if t.tokens[i].Shape[1] != logits.Shape[1] {
		tail := b.Max(b.Sub(one, b.SumOver(top, true, 1)), scalar(leastTail))
		teacher := b.Max(b.Sub(one, b.SumOver(p, true, 1)), scalar(0))
		ratio = b.Div(teacher, tail)
		kl = b.Add(kl, b.Mul(teacher, b.Sub(logarithm(b, teacher), b.Log(tail))))
	}
	at.divergences = kl

	hard, pull := scalar(1-t.weight), scalar(t.weight*t.temperature)
	elsewhere := b.Mul(pull, b.Sub(one, ratio))
	var g *ir.Value
	if t.temperature == 1 {
		g = b.Mul(probabilities, b.Add(hard, elsewhere))
	} else {
		g = b.Add(b.Mul(probabilities, hard), b.Mul(s, elsewhere))
	}
	updates := b.Mul(pull, b.Sub(b.Mul(ratio, top), p))
	rows := at.label.Shape[0].N
	own := make([]float32, rows)
	for k := range own {
		own[k] = t.weight - 1
	}
	return b.ScatterElements(g, b.Join(1, t.tokens[i], at.label), b.Join(1, updates, b.Floats(ir.Float, "minus_hard", own, rows, 1)), 1)
}

// logarithm is that of a probability, which may be 0.
func logarithm(b *ir.Builder, p *ir.Value) *ir.Value {
	return b.Log(b.Max(p, b.Scalar(ir.Float, leastProbability)))
}
