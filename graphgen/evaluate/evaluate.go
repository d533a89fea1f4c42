// Package evaluate runs ONNX operators on small tensors, Plain, in float64.
//
// It is for finding out what a part of a graph computes, by running it on numbers:
// package recover holds norms, attention and activations of unknown graphs against what
// they should be. It is not a runtime: nothing is fast, nothing is rounded to the types
// that tensors have, and the operators are those that decoders are made of, in all
// versions from opset 11 on. Results are bounded (see [Budget]), since graphs come from
// strangers.
package evaluate

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"lathe/graphgen/onnxpb"
)

// Tensor is a tensor of any type as float64, row by row: integers are exact up to 2^53,
// booleans are 0 and 1.
type Tensor struct {
	Type  onnxpb.TensorProto_DataType
	Shape []int
	Data  []float64
}

// New is a float tensor.
func New(data []float64, shape ...int) *Tensor {
	return &Tensor{onnxpb.TensorProto_FLOAT, shape, data}
}

// Ints is an int64 tensor.
func Ints(data []float64, shape ...int) *Tensor {
	return &Tensor{onnxpb.TensorProto_INT64, shape, data}
}

// Zeros is a float tensor of zeros.
func Zeros(shape ...int) *Tensor { return New(make([]float64, size(shape)), shape...) }

func (t *Tensor) integer() bool {
	switch t.Type {
	case onnxpb.TensorProto_FLOAT, onnxpb.TensorProto_FLOAT16, onnxpb.TensorProto_BFLOAT16, onnxpb.TensorProto_DOUBLE:
		return false
	}
	return true
}

// Budget is how many elements may be made, in all; nil is no bound.
type Budget struct{ Left int }

// ErrBudget marks what would take more than the budget.
var ErrBudget = errors.New("too much to evaluate")

// most is how many elements one tensor may have: 128 MB of them.
const most = 1 << 24

// take counts n elements that are to be made.
func (b *Budget) take(n int) error {
	if n < 0 || n > most {
		return fmt.Errorf("a tensor of more than %d elements: %w", most, ErrBudget)
	}
	if b == nil {
		return nil
	}
	if b.Left -= n; b.Left < 0 {
		return ErrBudget
	}
	return nil
}

// ErrOperator marks an operator that is not known, or is not in this form.
var ErrOperator = errors.New("operator not known")

// call is one operator's call. What goes wrong first is kept.
type call struct {
	node   *onnxpb.NodeProto
	in     []*Tensor // nil: an optional input left out
	opset  int64     // of the standard operators
	budget *Budget
	err    error
}

// Known reports whether there is such an operator here.
func Known(domain, op string) bool { return operators[key(domain, op)] != nil }

func key(domain, op string) string {
	if domain == "" || domain == "ai.onnx" {
		return op
	}
	return domain + "." + op
}

// Run is the outputs of a node, as many as it can have, of inputs that are nil where an
// optional one is left out. opset is that of the standard operators.
func Run(n *onnxpb.NodeProto, opset int64, in []*Tensor, b *Budget) (out []*Tensor, err error) {
	f := operators[key(n.Domain, n.OpType)]
	if f == nil {
		return nil, fmt.Errorf("evaluate: %s: %w", key(n.Domain, n.OpType), ErrOperator)
	}
	c := &call{node: n, in: in, opset: opset, budget: b}
	out = f(c)
	if c.err != nil {
		return nil, fmt.Errorf("evaluate: %s %s: %w", n.OpType, n.Name, c.err)
	}
	return out, nil
}

// operators are all that are known; each file of operators adds its own.
var operators = map[string]func(*call) []*Tensor{}

func register(all map[string]func(*call) []*Tensor) {
	for name, f := range all {
		operators[name] = f
	}
}

func (c *call) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// one is a result of one output.
func one(t *Tensor) []*Tensor { return []*Tensor{t} }

// arg is an input that must be there. Where it is not, an empty one stands for it, and
// the call fails.
func (c *call) arg(i int) *Tensor {
	if i < len(c.in) && c.in[i] != nil {
		return c.in[i]
	}
	c.fail("input %d is missing", i)
	return Zeros(0)
}

// option is an input that may be left out: nil.
func (c *call) option(i int) *Tensor {
	if i < len(c.in) {
		return c.in[i]
	}
	return nil
}

// blank is a new tensor of zeros; it counts against the budget.
func (c *call) blank(t onnxpb.TensorProto_DataType, shape ...int) *Tensor {
	n, ok := sizeOf(shape)
	if !ok {
		c.fail("%v is no shape", shape)
		return &Tensor{t, []int{0}, nil}
	}
	if c.err == nil {
		c.err = c.budget.take(n)
	}
	if c.err != nil {
		return &Tensor{t, []int{0}, nil}
	}
	return &Tensor{t, slices.Clone(shape), make([]float64, n)}
}

func (c *call) attr(name string) *onnxpb.AttributeProto {
	for _, a := range c.node.Attribute {
		if a.Name == name {
			return a
		}
	}
	return nil
}

func (c *call) integer(name string, def int64) int64 {
	if a := c.attr(name); a != nil {
		return a.GetI()
	}
	return def
}

func (c *call) float(name string, def float64) float64 {
	if a := c.attr(name); a != nil {
		return float64(a.GetF())
	}
	return def
}

func (c *call) text(name, def string) string {
	if a := c.attr(name); a != nil {
		return string(a.GetS())
	}
	return def
}

// axis is a dimension's number, counted from the end where it is negative.
func (c *call) axis(a int64, rank int) int {
	if a < 0 {
		a += int64(rank)
	}
	if a < 0 || a >= int64(max(rank, 1)) {
		c.fail("axis %d of %d dimensions", a, rank)
		return 0
	}
	return int(a)
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// sizeOf is size, where it is one, and not far beyond what may be made.
func sizeOf(shape []int) (n int, ok bool) {
	n = 1
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		if n *= min(d, most+1); n > most {
			n = most + 1
		}
	}
	if slices.Contains(shape, 0) {
		n = 0
	}
	return n, true
}

// Operators are the names of all that are known, those of other domains than ONNX's
// with theirs, in order.
func Operators() []string { return slices.Sorted(maps.Keys(operators)) }

// Bounded is a float tensor of zeros, if the budget allows it.
func Bounded(b *Budget, shape ...int) (*Tensor, error) {
	c := &call{budget: b}
	t := c.blank(onnxpb.TensorProto_FLOAT, shape...)
	return t, c.err
}
