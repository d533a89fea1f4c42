package onnxfile

import (
	"fmt"
	"math"
	"math/bits"
)

// elementTypes are ONNX's element types by number, up to IR version 13, with the
// bits that one element takes where it is packed. A string has no size.
var elementTypes = map[int32]struct {
	name string
	bits uint64
}{
	1: {"float", 32}, 2: {"uint8", 8}, 3: {"int8", 8}, 4: {"uint16", 16}, 5: {"int16", 16},
	6: {"int32", 32}, 7: {"int64", 64}, 8: {"string", 0}, 9: {"bool", 8}, 10: {"float16", 16},
	11: {"double", 64}, 12: {"uint32", 32}, 13: {"uint64", 64}, 14: {"complex64", 64},
	15: {"complex128", 128}, 16: {"bfloat16", 16}, 17: {"float8e4m3fn", 8}, 18: {"float8e4m3fnuz", 8},
	19: {"float8e5m2", 8}, 20: {"float8e5m2fnuz", 8}, 21: {"uint4", 4}, 22: {"int4", 4},
	23: {"float4e2m1", 4}, 24: {"float8e8m0", 8}, 25: {"uint2", 2}, 26: {"int2", 2},
}

// String is the element type of texts, which have no size.
const String = 8

// TypeName is an element type as people call it.
func TypeName(t int32) string {
	if e, ok := elementTypes[t]; ok {
		return e.name
	}
	return fmt.Sprintf("type %d", t)
}

// Bits is what one element of a type takes where it is packed; 0 where that is not
// known.
func Bits(t int32) uint64 { return elementTypes[t].bits }

// Elements is the product of dims; ok is false where that is no size.
func Elements(dims []int64) (n int64, ok bool) {
	n = 1
	for _, d := range dims {
		if d < 0 {
			return 0, false
		}
		hi, lo := bits.Mul64(uint64(n), uint64(d))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, false
		}
		n = int64(lo)
	}
	return n, true
}

// PackedBytes is what n elements of a type take; ok is false where that is not
// known or too much to be a size.
func PackedBytes(t int32, n int64) (size int64, ok bool) {
	e, known := elementTypes[t]
	if !known || t == String {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(n), e.bits)
	if hi != 0 || lo > math.MaxInt64-7 {
		return 0, false
	}
	return int64((lo + 7) / 8), true
}
