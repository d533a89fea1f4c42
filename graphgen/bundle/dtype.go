package bundle

import (
	"fmt"
	"slices"
	"strings"

	"lathe/graphgen/arch"
)

// DType is a precision as transformers.js has it: the ending of a model's name says
// which it is.
type DType string

// The precisions that a bundle of ours may have.
const (
	FP32  DType = "fp32"
	FP16  DType = "fp16"
	Int8  DType = "int8"
	Q4    DType = "q4"
	Q4F16 DType = "q4f16" // q4, and all that is not quantized fp16
)

// DTypes are those, in the order in which a folder lists them: the first that it has
// is what a loader takes that is not told.
var DTypes = []DType{FP32, FP16, Int8, Q4, Q4F16}

// endings are those of model names. The ones that are not among DTypes are known from
// other programs' folders.
var endings = []struct {
	dtype  DType
	suffix string
}{
	{FP32, ""}, {FP16, "_fp16"}, {Int8, "_int8"}, {Q4, "_q4"}, {Q4F16, "_q4f16"},
	{"uint8", "_uint8"}, {"q8", "_quantized"}, {"bnb4", "_bnb4"},
	{"q2", "_q2"}, {"q2f16", "_q2f16"}, {"q1", "_q1"}, {"q1f16", "_q1f16"},
}

// Suffix is the ending of the name of a model in that precision.
func (d DType) Suffix() string {
	for _, e := range endings {
		if e.dtype == d {
			return e.suffix
		}
	}
	return "_" + string(d)
}

// dtypeOfStem is the precision that a model's name without .onnx says, "" where it says
// none.
func dtypeOfStem(stem string) DType {
	_, suffix, found := strings.Cut(stem, "_")
	if !found {
		return FP32
	}
	for _, e := range endings {
		if e.suffix == "_"+suffix {
			return e.dtype
		}
	}
	return ""
}

// Build gives b the precision; its dialect, threads and provider stay.
func (d DType) Build(b arch.Build) (arch.Build, error) {
	b.Float, b.Precision, b.Head, b.Embed = "", arch.Precision{}, arch.Precision{}, arch.Precision{}
	switch d {
	case FP32:
	case FP16:
		b.Float = arch.FP16
	case Int8:
		b.Precision = arch.Precision{Type: arch.Int8, Block: arch.DefaultBlock}
	case Q4, Q4F16:
		b.Precision = arch.Precision{Type: arch.Int4, Block: arch.DefaultBlock}
		if d == Q4F16 {
			b.Float = arch.FP16
		}
	default:
		return b, fmt.Errorf("bundle: unknown precision %q: known are %s", d, joinDTypes())
	}
	return b, nil
}

// DTypeOf is the precision that b's models are named by.
func DTypeOf(b arch.Build) DType {
	b = b.Normalized()
	half := b.Float == arch.FP16
	switch b.Precision.Type {
	case arch.Int4:
		if half {
			return Q4F16
		}
		return Q4
	case arch.Int8, arch.Int8Dyn:
		return Int8
	}
	if half {
		return FP16
	}
	return FP32
}

// ParseDTypes reads a list such as fp32,int8,q4: each once, in our order. int4 is q4.
func ParseDTypes(text string) ([]DType, error) {
	given := map[DType]bool{}
	for name := range strings.SplitSeq(text, ",") {
		d := DType(strings.TrimSpace(name))
		if d == arch.Int4 {
			d = Q4
		}
		if !slices.Contains(DTypes, d) {
			return nil, fmt.Errorf("bundle: unknown precision %q: known are %s", d, joinDTypes())
		}
		given[d] = true
	}
	var out []DType
	for _, d := range DTypes {
		if given[d] {
			out = append(out, d)
		}
	}
	return out, nil
}

func joinDTypes() string {
	names := make([]string, len(DTypes))
	for i, d := range DTypes {
		names[i] = string(d)
	}
	return strings.Join(names, ", ")
}
