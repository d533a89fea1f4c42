package ir

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"lathe/graphgen/half"
)

// Builder makes a [Graph] node by node. It keeps the first error, after which
// every emitter returns a placeholder, and Build returns that error; a lowering
// reads straight through without error handling at each step.
type Builder struct {
	g      Graph
	err    error
	scope  []string
	used   map[string]int
	consts map[string]*Value // equal constants are stored once
	shared map[string]*Node  // by what they compute; nil outside [Builder.Shared]
}

// NewBuilder starts a graph.
func NewBuilder(name string) *Builder {
	return &Builder{g: Graph{Name: name}, used: map[string]int{}, consts: map[string]*Value{}}
}

// Scoped runs f with the names of nodes prefixed by scope.
func (b *Builder) Scoped(scope string, f func()) {
	b.scope = append(b.scope, scope)
	f()
	b.scope = b.scope[:len(b.scope)-1]
}

// Meta adds an entry to the model's metadata.
func (b *Builder) Meta(key, value string) { b.g.Meta = append(b.g.Meta, Meta{key, value}) }

func (b *Builder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf("ir: "+strings.Join(append(b.scope, ""), "/")+" "+format, args...)
	}
}

// unique makes a name that no other value or node has: base, base_1, base_2.
func (b *Builder) unique(base string) string {
	n := b.used[base]
	b.used[base] = n + 1
	if n == 0 {
		return base
	}
	return b.unique(fmt.Sprintf("%s_%d", base, n))
}

// exact claims a name that must be free: of inputs, outputs and parameters.
func (b *Builder) exact(name string) string {
	if b.used[name] > 0 {
		b.fail("the name %q is taken", name)
	}
	b.used[name]++
	return name
}

// Input declares a graph input.
func (b *Builder) Input(name string, t DType, shape ...Dim) *Value {
	v := &Value{Name: b.exact(name), Type: t, Shape: shape, kind: graphInput}
	b.g.Inputs = append(b.g.Inputs, v)
	return v
}

// InputWithDefault declares an int64 scalar input that need not be fed.
func (b *Builder) InputWithDefault(name string, def int64) *Value {
	v := &Value{Name: b.exact(name), Type: Int64, Shape: Shape{}, kind: graphInput}
	b.g.Inputs = append(b.g.Inputs, v)
	b.g.Consts = append(b.g.Consts, &Const{Value: v, Data: int64Bytes(def), Input: true})
	return v
}

// Param declares a parameter, or returns the one of that name if its shape and
// type agree: a tied matrix is one parameter.
func (b *Builder) Param(name string, t DType, init Init, dims ...int64) *Value {
	return b.param(Param{Init: init}, name, t, Fixed(dims...))
}

// StackedParam is Param for a tensor that is stacked from parts along its first
// dimension.
func (b *Builder) StackedParam(name string, t DType, init Init, parts []Part, dims ...int64) *Value {
	return b.param(Param{Init: init, Parts: parts}, name, t, Fixed(dims...))
}

// TurnedParam is StackedParam for a matrix [k, n] whose parts, if it has any, or
// itself are published as [n, k].
func (b *Builder) TurnedParam(name string, t DType, init Init, parts []Part, k, n int64) *Value {
	return b.param(Param{Init: init, Parts: parts, Turned: true}, name, t, Fixed(k, n))
}

func (b *Builder) param(p Param, name string, t DType, shape Shape) *Value {
	for _, have := range b.g.Params {
		if have.Name == name {
			if have.Type != t || !have.Shape.equal(shape) || have.Turned != p.Turned || !sameQuant(have.Quant, p.Quant) {
				b.fail("parameter %s is %v%v and %v%v", name, have.Type, have.Shape, t, shape)
			}
			return have.Value
		}
	}
	p.Value = &Value{Name: b.exact(name), Type: t, Shape: shape, kind: parameter}
	b.g.Params = append(b.g.Params, &p)
	return p.Value
}

func sameQuant(a, b *Quant) bool { return a == b || a != nil && b != nil && *a == *b }

// Int64s is a constant vector of int64.
func (b *Builder) Int64s(vals ...int64) *Value {
	return b.constant(Int64, Fixed(int64(len(vals))), int64Bytes(vals...))
}

// Int64 is a constant int64 scalar.
func (b *Builder) Int64(val int64) *Value { return b.constant(Int64, Shape{}, int64Bytes(val)) }

// Int32 is a constant int32 scalar.
func (b *Builder) Int32(val int32) *Value {
	return b.constant(Int32, Shape{}, binary.LittleEndian.AppendUint32(nil, uint32(val)))
}

// Scalar is a constant scalar of t, a type of floats, to which val is rounded.
func (b *Builder) Scalar(t DType, val float32) *Value {
	return b.constant(t, Shape{}, b.floatBytes(t, val))
}

// Floats is a constant tensor of t, a type of floats, such as a table; name is
// what it is called.
func (b *Builder) Floats(t DType, name string, vals []float32, dims ...int64) *Value {
	return b.hold(&Value{Name: b.unique(name), Type: t, Shape: Fixed(dims...), kind: constant}, b.floatBytes(t, vals...))
}

func (b *Builder) hold(v *Value, data []byte) *Value {
	v.held = &Const{Value: v, Data: data}
	b.g.Consts = append(b.g.Consts, v.held)
	return v
}

// floatBytes rounds vals to t. A value beyond it fails: no constant is meant to be
// infinite.
func (b *Builder) floatBytes(t DType, vals ...float32) []byte {
	data := make([]byte, 0, t.Size()*int64(len(vals)))
	for _, v := range vals {
		switch t {
		case Float:
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		case Float16:
			h := half.From(v)
			if !half.Finite(h) {
				b.fail("constant %g is beyond float16, whose largest is %d", v, half.Max)
			}
			data = binary.LittleEndian.AppendUint16(data, h)
		case BFloat16:
			data = binary.LittleEndian.AppendUint16(data, half.FromB(v))
		default:
			b.fail("constant %g of type %v, which is none of floats", v, t)
		}
	}
	return data
}

func (b *Builder) constant(t DType, shape Shape, data []byte) *Value {
	key := fmt.Sprintf("%v%v%x", t, shape, data)
	if v, ok := b.consts[key]; ok {
		return v
	}
	v := b.hold(&Value{Name: b.unique(fmt.Sprintf("const_%d", len(b.consts))), Type: t, Shape: shape, kind: constant}, data)
	b.consts[key] = v
	return v
}

func int64Bytes(vals ...int64) []byte {
	var out []byte
	for _, v := range vals {
		out = binary.LittleEndian.AppendUint64(out, uint64(v))
	}
	return out
}

// Err is the first error so far, or nil.
func (b *Builder) Err() error { return b.err }

// Nodes are those so far, in order: of the graph, or of the body that is being built.
// The caller must not change the list.
func (b *Builder) Nodes() []*Node { return b.g.Nodes }

// Params are the parameters declared so far, in order. The caller must not change the
// list.
func (b *Builder) Params() []*Param { return b.g.Params }

// DropUnused leaves out the parameters that no node takes so far: of a part of a model,
// such as one without its head.
func (b *Builder) DropUnused() {
	used := map[*Value]bool{}
	b.g.Walk(func(n, _ *Node) {
		for _, v := range n.Inputs {
			used[v] = true
		}
	})
	b.g.Params = slices.DeleteFunc(b.g.Params, func(p *Param) bool { return !used[p.Value] })
}

// Output makes v a graph output under name. A node's output is renamed; what is
// an input, a parameter or an output already passes through an Identity.
func (b *Builder) Output(name string, v *Value) {
	if b.err != nil {
		return
	}
	taken := v.kind != nodeOutput
	for _, o := range b.g.Outputs {
		taken = taken || o == v
	}
	if taken {
		v = b.node("Identity", DomainONNX, nil, []*Value{v}, out{v.Type, v.Shape})[0]
	}
	v.Name = b.exact(name)
	b.g.Outputs = append(b.g.Outputs, v)
}

// Build returns the finished and checked graph, or the first error.
func (b *Builder) Build() (*Graph, error) {
	if b.err != nil {
		return nil, b.err
	}
	if err := b.g.Check(); err != nil {
		return nil, err
	}
	return &b.g, nil
}

// out describes one output of a node; a zero DType is an optional output left
// out.
type out struct {
	t DType
	s Shape
}

// node appends a node. Its outputs are made even after an error, so that
// emitters can go on without looking.
func (b *Builder) node(op, domain string, attrs []Attr, inputs []*Value, outs ...out) []*Value {
	key := ""
	if b.shared != nil {
		key = computation(op, domain, attrs, inputs)
		if n := b.shared[key]; n != nil && len(n.Outputs) == len(outs) {
			return n.Outputs
		}
	}
	name := b.unique(strings.Join(append(b.scope[:len(b.scope):len(b.scope)], op), "/"))
	n := &Node{Op: op, Domain: domain, Name: name, Inputs: inputs, Attrs: attrs}
	for i, o := range outs {
		if o.t == 0 {
			n.Outputs = append(n.Outputs, nil)
			continue
		}
		vn := name + ":0"
		if i > 0 {
			vn = fmt.Sprintf("%s:%d", name, i)
		}
		n.Outputs = append(n.Outputs, &Value{Name: vn, Type: o.t, Shape: o.s, def: n})
	}
	if b.err == nil {
		b.g.Nodes = append(b.g.Nodes, n)
		if b.shared != nil && n.Body() == nil {
			b.shared[key] = n
		}
	}
	return n.Outputs
}
