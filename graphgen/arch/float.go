package arch

import (
	"fmt"
	"slices"
)

// FloatType is the type of activations, of the cache, and of all weights that are not
// quantized; a quantized weight's scales have it too.
type FloatType string

// The types of floats.
const (
	FP32 FloatType = "fp32"
	FP16 FloatType = "fp16"
)

// floatNames are in the order that messages list them.
var floatNames = []string{string(FP32), string(FP16)}

// Bytes is the size of one value.
func (f FloatType) Bytes() int64 {
	if f == FP16 {
		return 2
	}
	return 4
}

func (f FloatType) problem() string {
	if !slices.Contains(floatNames, string(f)) {
		return fmt.Sprintf("unknown type of floats %q: %s", f, didYouMean(string(f), floatNames))
	}
	return ""
}

// saidFloat is the type of floats that the parts of a written Build have named so far:
// a matrix that is not quantized goes by it too, as in head-fp16.
type saidFloat struct{ FloatType }

// unlessDefault is what was said; where that is only the default, and key, which says
// nothing but that, is empty, it stays so.
func (s saidFloat) unlessDefault(key FloatType) FloatType {
	if key == "" && s.FloatType == FP32 {
		return ""
	}
	return s.FloatType
}

// say notes f, unless it is empty; all that is said has to agree.
func (s *saidFloat) say(f FloatType) (problem string) {
	if s.FloatType == "" {
		s.FloatType = f
	}
	if f != "" && f != s.FloatType {
		return fmt.Sprintf("%s, and %s elsewhere: a build's activations, cache and weights that are not quantized have one type of floats", f, s.FloatType)
	}
	return ""
}
