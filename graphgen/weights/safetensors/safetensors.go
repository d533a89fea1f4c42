// Package safetensors reads and writes the file format that Hugging Face's
// libraries keep weights in: eight bytes of header length, a JSON header that
// names tensors and says where their bytes are, and the bytes.
//
// It knows files, not models: which tensors a model has, in which layout, and
// how a folder of several files hangs together stands in package hf. It opens
// nothing and holds no tensor: a [File] says where the bytes of each are, and
// [Write] streams them.
//
// Files come from strangers. A header is believed only where it describes the
// file that is there: every byte of data belongs to exactly one tensor, and every
// tensor has as many bytes as its shape and type take.
package safetensors

import (
	"math"
	"strconv"
	"strings"
)

// DType is the type of a tensor's elements, as the header spells it.
type DType string

// The types that the models of this program are stored in. Others are read in
// headers, where a tensor of them may be one that nobody needs.
const (
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
)

// sizes are the bytes of one element of all types that the format had when it
// was frozen, and of those of whole bytes that were added.
var sizes = map[DType]int64{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
	"U16": 2, "I16": 2, F16: 2, BF16: 2,
	"U32": 4, "I32": 4, F32: 4,
	"U64": 8, "I64": 8, "F64": 8, "C64": 8,
}

// Size is the bytes of one element, 0 of a type that is not known.
func (d DType) Size() int64 { return sizes[d] }

// Tensor is where one tensor's bytes are in its file: little-endian, row by row.
type Tensor struct {
	Name  string
	Type  DType
	Shape []int64 // empty for a scalar
	// Offset is that of the first byte, from the start of the file. Write sets it.
	Offset int64
}

// Elements is the number of a tensor's elements; ok is false if a dimension is
// negative or the product overflows.
func (t Tensor) Elements() (n int64, ok bool) {
	n = 1
	for _, d := range t.Shape {
		switch {
		case d < 0:
			return 0, false
		case d != 0 && n > math.MaxInt64/d:
			return 0, false
		}
		n *= d
	}
	return n, true
}

// Bytes is the size of a tensor's data, -1 where its type is not known or its
// shape overflows.
func (t Tensor) Bytes() int64 {
	n, ok := t.Elements()
	size := t.Type.Size()
	if !ok || size == 0 || n > math.MaxInt64/size {
		return -1
	}
	return n * size
}

// Dims is a shape as messages show it: [2, 3].
func Dims(shape []int64) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = strconv.FormatInt(d, 10)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
