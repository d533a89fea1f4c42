package graphgen

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// The oldest ONNX Runtime that was found to run what is emitted, with the logits
// of the newest to 1e-6: 1.17 knows no opset 21, 1.18 no bias in MatMulNBits, 1.21 no 8
// bits in it and no positions in GroupQueryAttention, and 1.22 no bytes in
// GatherBlockQuantized. In float16, whose logits agree to 1e-2 of their norm where products
// are in int8 and to 6e-4 elsewhere, MatMulNBits gives other values on a CPU in 1.19, and
// with zero points up to 1.22.
const (
	minLibraryFP32      = "1.18.1" // and int8dyn
	minLibraryInt4      = "1.19.2"
	minLibraryInt4FP16  = "1.20.1"
	minLibraryAsymFP16  = "1.23.0"
	minLibraryInt8      = "1.22.0"
	minLibraryRotary    = "1.22.0"
	minLibraryEmbedding = "1.23.0"
)

// MinLibrary is the oldest ONNX Runtime that runs a candidate's graphs. Every file
// records it in its metadata.
func MinLibrary(c arch.Candidate) string {
	b := c.Build.Normalized()
	need := minLibraryFP32
	for _, p := range []arch.Precision{b.Precision, b.Head} {
		switch p.Type {
		case arch.Int4:
			need = later(need, minLibraryInt4)
			if b.Float == arch.FP16 {
				need = later(need, minLibraryInt4FP16)
			}
		case arch.Int8:
			need = later(need, minLibraryInt8)
		}
		if p.Asym && b.Float == arch.FP16 {
			need = later(need, minLibraryAsymFP16)
		}
	}
	if b.EmbedOf(c.Spec).Blockwise() {
		need = later(need, minLibraryEmbedding)
	}
	for i := range c.Spec.Layers {
		if c.Spec.Rotary() && b.Dialect == arch.Fused && c.Spec.HeadDimOf(i)%ir.RotaryHeadDims == 0 {
			need = later(need, minLibraryRotary)
		}
	}
	return need
}

// later is the greater of two versions.
func later(a, b string) string {
	numbers := func(v string) (out []int) {
		for part := range strings.SplitSeq(v, ".") {
			n, _ := strconv.Atoi(part) // the versions above
			out = append(out, n)
		}
		return out
	}
	if slices.CompareFunc(numbers(a), numbers(b), cmp.Compare[int]) < 0 {
		return b
	}
	return a
}
