package recover

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"lathe/graphgen/weights"
)

// publisher gives the file's weights the names and layouts of Hugging Face's.
type publisher struct {
	m    *Model
	w    *walker
	errs []error
	seen map[string]bool // tensors of the file that are listed

	quantized, made []string
}

// matrix publishes a weight of a product.
func (p *publisher) matrix(name string, w weight, x weights.Matrix) {
	p.m.Tensors[name] = x
	p.list(name, w.name, w.stored)
	if w.bits != 0 {
		p.quantized = append(p.quantized, name)
	}
}

// list names a tensor of the file, once.
func (p *publisher) list(name, tensor string, m weights.Matrix) {
	p.w.g.used[tensor] = true
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	if !p.seen[tensor] {
		p.seen[tensor] = true
		p.m.named = append(p.m.named, weights.Named{Name: name, Stored: weights.AsStored(m)})
	}
}

// vector publishes n values from a place of a constant on; where it is "", as many of
// the value that stands for none.
func (p *publisher) vector(name, constant string, from, n int64, none float32) {
	if constant == "" {
		p.made = append(p.made, name)
		p.m.Tensors[name] = constantRow(n, none)
		return
	}
	t := p.w.g.tensor(constant)
	s, err := stored(p.w.g.file, t)
	if err != nil {
		p.errs = append(p.errs, err)
		return
	}
	s.Rows, s.Cols = 1, s.Rows*s.Cols
	if t.Name == "" {
		t.Name = constant
	}
	p.w.g.used[constant] = true
	p.list(name, t.Name, s)
	p.m.Tensors[name] = weights.Cut(s, 0, 1, from, from+n)
}

// constantRow is a row of one value.
func constantRow(n int64, v float32) weights.Matrix {
	raw := []byte{0, 0, 0, 0}
	if v == 1 {
		raw = []byte{0, 0, 0x80, 0x3f}
	}
	return &weights.Stored{Data: bytes.NewReader(bytes.Repeat(raw, int(n))), Type: weights.Float32, Rows: 1, Cols: n}
}

func (p *publisher) norm(name string, n norm) {
	p.vector(name+".weight", n.gain, 0, p.w.dModel, 1)
	if !n.rms {
		p.vector(name+".bias", n.bias, 0, p.w.dModel, 0)
	}
}

// embedding publishes a table. Words that are tied to an LM head of more bits are what
// the head has of them.
func (p *publisher) embedding(name string, e *embedding) {
	head := p.w.head.weight
	if e == p.w.words && e.table.bits != 0 && !p.m.Spec.Untied && (head.bits == 0 || head.bits > e.table.bits) {
		p.w.g.used[e.table.name] = true
		p.matrix(name, head, head.perOutput())
		return
	}
	p.matrix(name, e.table, e.table.stored)
}

func (p *publisher) head() {
	p.w.g.used[p.w.head.weight.name] = true // where it is tied
	if p.m.Spec.Untied {
		p.matrix("lm_head.weight", p.w.head.weight, p.w.head.weight.perOutput())
	}
}

// part is the rows of a product's weight that a part is.
func (r rows) part() weights.Matrix {
	return weights.Cut(r.product.weight.perOutput(), r.from, r.to, 0, r.product.k)
}

// gpt2 publishes linear layers [in, out].
func (p *publisher) gpt2(layers []layer, last norm) {
	p.embedding("transformer.wte.weight", p.w.words)
	p.embedding("transformer.wpe.weight", p.w.places)
	linear := func(name string, x *product, bias string) {
		p.matrix(name+".weight", x.weight, weights.Turn(x.weight.perOutput()))
		p.vector(name+".bias", bias, 0, x.n, 0)
	}
	for i, l := range layers {
		prefix := fmt.Sprintf("transformer.h.%d.", i)
		a := l.attention
		p.norm(prefix+"ln_1", a.norm)
		p.joined(prefix+"attn.c_attn", a)
		linear(prefix+"attn.c_proj", a.out, a.outBias)
		p.norm(prefix+"ln_2", l.mlp.norm)
		linear(prefix+"mlp.c_fc", l.mlp.up, l.mlp.upBias)
		linear(prefix+"mlp.c_proj", l.mlp.down, l.mlp.downBias)
	}
	p.norm("transformer.ln_f", last)
	p.head()
}

// joined publishes queries, keys and values as one, in columns.
func (p *publisher) joined(name string, a *attention) {
	if a.q.product == a.k.product {
		p.matrix(name+".weight", a.q.product.weight, weights.Turn(a.q.product.weight.perOutput()))
		p.vector(name+".bias", a.q.bias, 0, a.q.product.n, 0)
		return
	}
	var all, biases []weights.Matrix
	for i, r := range []rows{a.q, a.k, a.v} {
		kind := "qkv"[i : i+1]
		p.matrix(name+"."+kind+".weight", r.product.weight, r.part())
		p.vector(name+"."+kind+".bias", r.bias, 0, r.to-r.from, 0)
		all = append(all, p.m.Tensors[name+"."+kind+".weight"])
		if b := p.m.Tensors[name+"."+kind+".bias"]; b != nil {
			biases = append(biases, weights.Turn(b))
		}
		delete(p.m.Tensors, name+"."+kind+".weight")
		delete(p.m.Tensors, name+"."+kind+".bias")
	}
	p.m.Tensors[name+".weight"] = weights.Turn(weights.Stack(all...))
	p.m.Tensors[name+".bias"] = weights.Turn(weights.Stack(biases...))
}

// llama publishes linear layers [out, in].
func (p *publisher) llama(layers []layer, last norm) {
	p.embedding("model.embed_tokens.weight", p.w.words)
	linear := func(name string, x *product) { p.matrix(name+".weight", x.weight, x.weight.perOutput()) }
	for i, l := range layers {
		prefix := fmt.Sprintf("model.layers.%d.", i)
		a := l.attention
		p.norm(prefix+"input_layernorm", a.norm)
		for j, r := range []rows{a.q, a.k, a.v} {
			name := prefix + "self_attn." + "qkv"[j:j+1] + "_proj"
			p.matrix(name+".weight", r.product.weight, r.part())
			if r.bias != "" {
				p.vector(name+".bias", r.bias, r.from, r.to-r.from, 0)
			}
		}
		linear(prefix+"self_attn.o_proj", a.out)
		p.norm(prefix+"post_attention_layernorm", l.mlp.norm)
		linear(prefix+"mlp.gate_proj", l.mlp.gate)
		linear(prefix+"mlp.up_proj", l.mlp.up)
		linear(prefix+"mlp.down_proj", l.mlp.down)
	}
	p.norm("model.norm", last)
	p.head()
}

// finish notes what the weights are not.
func (p *publisher) finish() error {
	if len(p.quantized) > 0 {
		p.m.note("%d weights are quantized in the file; they are what the codes stand for, not what they were before: %s", len(p.quantized), strings.Join(few(p.quantized), ", "))
	}
	if len(p.made) > 0 {
		p.m.note("%d vectors are not in the file, where they would be zeros, or ones for a gain: %s", len(p.made), strings.Join(few(p.made), ", "))
	}
	return errors.Join(p.errs...)
}
