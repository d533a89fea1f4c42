package recover

import (
	"fmt"
	"math"
	"strings"

	"lathe/graphgen/evaluate"
)

// mlp is a layer's second half.
type mlp struct {
	gate, up, down             *product // gate is nil where nothing is gated
	upBias, gateBias, downBias string
	norm                       norm
}

// activations are those that are told apart, by name.
var activations = []struct {
	name string
	of   func(float64) float64
}{
	{geluTanh, evaluate.GeluTanh},
	{"GELU by erf", evaluate.GeluErf},
	{"GELU by a sigmoid", func(x float64) float64 { return x * evaluate.Sigmoid(1.702*x) }},
	{silu, func(x float64) float64 { return x * evaluate.Sigmoid(x) }},
	{"ReLU", func(x float64) float64 { return max(x, 0) }},
	{"ReLU squared", func(x float64) float64 { return max(x, 0) * max(x, 0) }},
	{"tanh", math.Tanh},
}

const (
	geluTanh = "GELU by tanh"
	silu     = "SiLU"
)

// alike is how far an activation may be from the one that it is taken for: constants in
// float16 are off by 2e-4, and the two GELUs lie 5e-4 apart, so the nearest is taken.
const alike = 1e-3

// mlp recognises what lies between one norm and the product of a branch.
func (w *walker) mlp(b *branch) (*mlp, error) {
	c := w.g.cone(b.product.x)
	m := &mlp{down: b.product, downBias: b.bias}
	switch len(c.products) {
	case 1:
		m.up = c.products[0]
	case 2:
		m.gate, m.up = c.products[0], c.products[1]
	default:
		return nil, notDecoder("%s comes from %d products; an MLP has one, or two where it is gated", w.g.describe(b.product.x), len(c.products))
	}
	for _, p := range c.products {
		n, err := w.norm(p.x, b.before)
		if err != nil {
			return nil, err
		}
		if p != c.products[0] && n != m.norm {
			return nil, notDecoder("products %s and %s take other norms of the same stream", c.products[0].node.Name, p.node.Name)
		}
		m.norm = n
		if p.n != b.product.k {
			return nil, notDecoder("product %s gives %d, and %s takes %d", p.node.Name, p.n, b.product.node.Name, b.product.k)
		}
	}
	r, err := w.g.start(padded)
	if err != nil {
		return nil, err
	}
	r.bind(b.before, noise(0, 1, padded.batch, padded.rows, int(w.dModel)))
	var stands [2]*evaluate.Tensor
	var biases [2]string
	for i, p := range c.products {
		if stands[i], err = r.stand(p, uint64(10+i), 2); err != nil {
			return nil, notDecoder("the MLP of %s: %w", b.product.node.Name, err)
		}
		if biases[i], err = w.g.bias(c, p); err != nil {
			return nil, err
		}
		if stands[i], err = w.g.plus(stands[i], biases[i]); err != nil {
			return nil, err
		}
	}
	y, err := r.value(b.product.x)
	if err != nil {
		return nil, notDecoder("the MLP of %s: %w", b.product.node.Name, err)
	}
	if m.gate == nil {
		m.upBias = biases[0]
		err = activation(y, stands[0], nil, geluTanh)
	} else {
		m.gateBias, m.upBias = biases[0], biases[1]
		if err = activation(y, stands[0], stands[1], silu); err != nil {
			m.gate, m.up, m.gateBias, m.upBias = m.up, m.gate, m.upBias, m.gateBias
			if swapped := activation(y, stands[1], stands[0], silu); swapped == nil {
				err = nil
			}
		}
	}
	if err != nil {
		return nil, notDecoder("the MLP of %s: %w", b.product.node.Name, err)
	}
	return m, w.added(b, r)
}

// activation holds y against functions of x, times up if that is not nil; the nearest
// has to be the one that is wanted.
func activation(y, x, up *evaluate.Tensor, want string) error {
	nearest, far := "", math.Inf(1)
	values := make([]float64, len(x.Data))
	for _, a := range activations {
		for i, v := range x.Data {
			values[i] = a.of(v)
			if up != nil {
				values[i] *= up.Data[i]
			}
		}
		if d := apart(y.Data, values); d < far {
			nearest, far = a.name, d
		}
	}
	switch {
	case far > alike:
		var names []string
		for _, a := range activations {
			names = append(names, a.name)
		}
		return fmt.Errorf("its activation is none of %s", strings.Join(names, ", "))
	case nearest != want:
		return fmt.Errorf("its activation is %s, and that of the family is %s", nearest, want)
	}
	return nil
}

// added checks that a branch is added to the stream as it is, by running that.
func (w *walker) added(b *branch, r *run) error {
	before, err := r.value(b.before)
	if err != nil {
		return err
	}
	p, err := r.stand(b.product, 20, 1)
	if err != nil {
		return notDecoder("product %s: %w", b.product.node.Name, err)
	}
	if p, err = w.g.plus(p, b.bias); err != nil {
		return err
	}
	after, err := r.value(b.after)
	if err != nil {
		return notDecoder("the residual stream behind %s: %w", b.product.node.Name, err)
	}
	want := make([]float64, len(before.Data))
	if len(p.Data) != len(want) {
		return notDecoder("product %s is %v, and the residual stream %v", b.product.node.Name, p.Shape, before.Shape)
	}
	for i := range want {
		want[i] = before.Data[i] + p.Data[i]
	}
	if apart(after.Data, want) > w.g.same() {
		return notDecoder("%s is not the sum of the residual stream and product %s", w.g.describe(b.after), b.product.node.Name)
	}
	return nil
}
