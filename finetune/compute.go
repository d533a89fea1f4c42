package finetune

import (
	"fmt"
	"slices"

	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

// Compute is the type of floats that products, and what goes between them, are computed
// in. Parameters, gradients, moments, losses and whatever needs range or precision are
// fp32 in each (see graphgen.Training).
type Compute string

// The types. The zero value is FP32.
const (
	FP32 Compute = "fp32"
	// FP16 has 11 bits of precision and ends at 65504: losses are scaled, see [Scaling].
	FP16 Compute = "fp16"
	// BF16 has fp32's range and 8 bits of precision.
	BF16 Compute = "bf16"
)

// Computes are all types, in the order that messages list them.
var Computes = []Compute{FP32, FP16, BF16}

var computeTypes = map[Compute]ir.DType{FP32: ir.Float, FP16: ir.Float16, BF16: ir.BFloat16}

// Reduced reports whether it is a type of 16 bits.
func (c Compute) Reduced() bool { return computeTypes[c].Reduced() }

func (c Compute) validate() error {
	if !slices.Contains(Computes, c) {
		return fmt.Errorf("finetune: computing in %q: want one of %v", c, Computes)
	}
	return nil
}

// ready is a graph as a provider runs it: the CPU's has no kernels of 16 bits.
func ready(g *ir.Graph, provider string) error {
	if provider != "" && provider != string(arch.CPU) {
		return nil
	}
	if err := g.Rounded(); err != nil {
		return fmt.Errorf("finetune: %w", err)
	}
	return nil
}
