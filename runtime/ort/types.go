package ort

import (
	"fmt"
	"strconv"

	ortgo "github.com/yalue/onnxruntime_go"
)

// Type is an element type, with ONNX's own numbers (TensorProto.DataType).
type Type int32

// The element types that tensors can have here. Strings, complex numbers and
// the packed 4-bit and 8-bit floats are not among them.
const (
	Undefined Type = 0
	Float32   Type = 1
	Uint8     Type = 2
	Int8      Type = 3
	Uint16    Type = 4
	Int16     Type = 5
	Int32     Type = 6
	Int64     Type = 7
	Bool      Type = 9
	Float16   Type = 10
	Float64   Type = 11
	Uint32    Type = 12
	Uint64    Type = 13
	BFloat16  Type = 16
)

var typeNames = map[Type]string{
	Undefined: "undefined", Float32: "float32", Uint8: "uint8", Int8: "int8", Uint16: "uint16", Int16: "int16",
	Int32: "int32", Int64: "int64", Bool: "bool", Float16: "float16", Float64: "float64", Uint32: "uint32",
	Uint64: "uint64", BFloat16: "bfloat16",
	8: "string", 14: "complex64", 15: "complex128", 17: "float8e4m3fn", 18: "float8e4m3fnuz", 19: "float8e5m2",
	20: "float8e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4e2m1",
}

func (t Type) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return "type " + strconv.Itoa(int(t))
}

// Size is the bytes an element takes, 0 for a type that tensors cannot have.
func (t Type) Size() int {
	switch t {
	case Uint8, Int8, Bool:
		return 1
	case Uint16, Int16, Float16, BFloat16:
		return 2
	case Float32, Int32, Uint32:
		return 4
	case Float64, Int64, Uint64:
		return 8
	}
	return 0
}

// Half is a 16-bit float's bits, for Float16 and BFloat16 alike: Go has no
// such type, and nothing here computes with them.
type Half uint16

// Element is the Go types of elements. Half stands for Float16 where a type is
// taken from it.
type Element interface {
	float32 | float64 | int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64 | bool | Half
}

// TypeOf is the element type of a Go type.
func TypeOf[T Element]() Type {
	switch any(*new(T)).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int8:
		return Int8
	case uint8:
		return Uint8
	case int16:
		return Int16
	case uint16:
		return Uint16
	case int32:
		return Int32
	case uint32:
		return Uint32
	case int64:
		return Int64
	case uint64:
		return Uint64
	case bool:
		return Bool
	}
	return Float16
}

// holds reports whether []T may look at elements of type t.
func holds[T Element](t Type) bool {
	own := TypeOf[T]()
	return own == t || own == Float16 && t == BFloat16
}

// Shape is the dimensions of a tensor, outermost first; empty for a scalar.
type Shape []int64

// Elements is the number of elements, 1 for a scalar. It fails for a negative
// dimension and for a product that no memory can hold.
func (s Shape) Elements() (int, error) {
	n := int64(1)
	for i, d := range s {
		if d < 0 {
			return 0, fmt.Errorf("ort: dimension %d of shape %v is negative", i, []int64(s))
		}
		if d != 0 && n > maxBytes/d {
			return 0, &Error{Op: "allocate", Subject: fmt.Sprintf("shape %v", []int64(s)), Kind: ErrOutOfMemory, Message: "no machine has that much"}
		}
		n *= d
	}
	return int(n), nil
}

// value is what the binding takes.
type value = ortgo.Value
