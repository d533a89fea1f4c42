// Package ir is Lathe's graph builder: a small, typed, in-memory form of an ONNX
// graph with emitters for the operators that the lowerings use, shape inference
// as each node is emitted, a sanity check, a readable printer and an encoder.
//
// It knows operators, not models: what a decoder is stands in package graphgen.
// It knows that parameters exist and how they are initialised, not where their
// bytes are: that is decided when the graph is encoded (see [Encode]), so that
// one graph serves timing from the shared pool, export with real weights, and
// training with parameters as inputs.
//
// Values are identified by pointer, never by name. Names are unique within a
// graph, deterministic, and there for people.
package ir

import (
	"fmt"
	"strings"
)

// Versions of what is emitted. Opset 21 and IR version 10 are read by ONNX
// Runtime 1.18 and later, by transformers.js 3 and by onnxruntime-genai.
const (
	IRVersion  = 10
	OpsetONNX  = 21
	OpsetMS    = 1
	DomainONNX = ""              // the standard operators
	DomainMS   = "com.microsoft" // ONNX Runtime's contributed operators
	producer   = "lathe"
)

// DType is a tensor element type, numbered as ONNX numbers it.
type DType int32

// The element types that the lowerings use.
const (
	Float   DType = 1
	Uint8   DType = 2
	Int8    DType = 3
	Int32   DType = 6
	Int64   DType = 7
	Bool    DType = 9
	Float16 DType = 10
	// BFloat16 is the upper half of a float: its range, and 8 bits of its fraction.
	BFloat16 DType = 16
)

// Size is the number of bytes of one element.
func (t DType) Size() int64 {
	switch t {
	case Uint8, Int8, Bool:
		return 1
	case Float16, BFloat16:
		return 2
	case Float, Int32:
		return 4
	case Int64:
		return 8
	}
	return 0
}

// Floats reports whether t is a type of floats.
func (t DType) Floats() bool { return t == Float || t.Reduced() }

// Reduced reports whether t is a type of floats of 16 bits.
func (t DType) Reduced() bool { return t == Float16 || t == BFloat16 }

func (t DType) String() string {
	switch t {
	case Float:
		return "float"
	case Uint8:
		return "uint8"
	case Int8:
		return "int8"
	case Int32:
		return "int32"
	case Int64:
		return "int64"
	case Bool:
		return "bool"
	case Float16:
		return "float16"
	case BFloat16:
		return "bfloat16"
	}
	return fmt.Sprintf("dtype(%d)", int32(t))
}

// Dim is one dimension: a number, or a symbol that is known when the graph runs.
type Dim struct {
	N   int64
	Sym string // non-empty: symbolic, and N is meaningless
}

// D is a dimension of known size.
func D(n int64) Dim { return Dim{N: n} }

// S is a symbolic dimension.
func S(sym string) Dim { return Dim{Sym: sym} }

func (d Dim) String() string {
	if d.Sym != "" {
		return d.Sym
	}
	return fmt.Sprint(d.N)
}

// Shape is a list of dimensions; the empty shape is a scalar.
type Shape []Dim

// Fixed is a shape of known sizes.
func Fixed(dims ...int64) Shape {
	s := make(Shape, len(dims))
	for i, n := range dims {
		s[i] = D(n)
	}
	return s
}

// Elements is the number of elements; ok is false if a dimension is symbolic.
func (s Shape) Elements() (n int64, ok bool) {
	n = 1
	for _, d := range s {
		if d.Sym != "" {
			return 0, false
		}
		n *= d.N
	}
	return n, true
}

func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = d.String()
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (s Shape) equal(t Shape) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// Value is a tensor in a graph: an input, a parameter, a constant or a node's
// output.
type Value struct {
	Name  string
	Type  DType
	Shape Shape

	def  *Node // nil for inputs, parameters and constants
	kind valueKind
	held *Const // of a constant
}

// Def is the node that v is an output of; nil for an input, a parameter or a constant.
func (v *Value) Def() *Node { return v.def }

// Const is what v holds if it is a constant, else nil.
func (v *Value) Const() *Const { return v.held }

// IsParameter reports whether v is a trained tensor.
func (v *Value) IsParameter() bool { return v.kind == parameter }

type valueKind uint8

const (
	nodeOutput valueKind = iota
	graphInput
	parameter
	constant
)

// Attr is a node's attribute; Value is an int64, a float32, a string, a []int64 or a
// *Body.
type Attr struct {
	Name  string
	Value any
}

// Node is one operator call. A nil input or output is an optional one left out.
type Node struct {
	Op, Domain, Name string
	Inputs, Outputs  []*Value
	Attrs            []Attr
}

// Int, Real, Text and List are the attribute of that name, or def where there is none.
func (n *Node) Int(name string, def int64) int64       { return attribute(n, name, def) }
func (n *Node) Real(name string, def float32) float32  { return attribute(n, name, def) }
func (n *Node) Text(name string, def string) string    { return attribute(n, name, def) }
func (n *Node) List(name string, def ...int64) []int64 { return attribute(n, name, def) }

func attribute[T any](n *Node, name string, def T) T {
	for _, a := range n.Attrs {
		if v, ok := a.Value.(T); ok && a.Name == name {
			return v
		}
	}
	return def
}

// Const is a small tensor stored in the graph itself, little-endian.
type Const struct {
	*Value
	Data []byte
	// Input marks a constant that is the default of a graph input of the same
	// name, which the caller may override.
	Input bool
}

// Graph is a finished graph. Nodes are in an order in which they can run.
type Graph struct {
	Name    string
	Inputs  []*Value
	Outputs []*Value
	Params  []*Param
	Consts  []*Const
	Nodes   []*Node
	// Meta is written as the model's metadata, in this order.
	Meta []Meta
}

// Meta is one entry of a model's metadata.
type Meta struct{ Key, Value string }
