package arch

import (
	"fmt"
	"slices"
)

// headDimMultiple is what GroupQueryAttention on the CPU provider asks of
// head_dim ("head_size must be a multiple of 8", ONNX Runtime 1.32.0). Sizes up
// to 496 have been run; no upper limit is known.
const headDimMultiple = 8

// CheckSpec reports why b cannot run s, which is valid in itself, and what to
// choose instead. It knows the kernels of ONNX Runtime 1.32.0; which providers
// this machine's library has is package ort's to say.
func (b Build) CheckSpec(s Spec) error {
	b = b.Normalized()
	if err := b.checkDynamic(); err != nil {
		return err
	}
	if i := slices.IndexFunc(s.Layers, func(l Layer) bool { return s.typeOf(l).Recurrent() }); i >= 0 && b.Float != FP32 {
		return fieldErrorf("float", "layer %d is %s, whose products and states are fp32 in this version: leave +%s out", i, s.TypeOf(i), b.Float)
	}
	if b.Dialect != Fused {
		return nil
	}
	switch {
	case b.Float != FP32: // what follows is about fp32
	case b.Provider.Name == CUDA:
		return fieldErrorf("provider", "fused on cuda: CUDA's GroupQueryAttention takes fp16 and bf16 only, and this is fp32: use +fp16+cuda, or +portable+cuda")
	case b.Provider.Name == TensorRT:
		return fieldErrorf("provider", "fused on tensorrt: TensorRT has no com.microsoft operators, and CUDA's GroupQueryAttention, which it leaves them to, takes fp16 and bf16 only, and this is fp32: use +fp16+tensorrt, or +portable+tensorrt")
	}
	// The other providers leave the operators that they lack to the CPU's
	// kernels, so the CPU's conditions hold for all of them.
	for i, l := range s.Layers {
		hd := s.HeadDimOf(i)
		if hd%headDimMultiple == 0 {
			continue
		}
		field := "n_head"
		if s.HeadDim != 0 {
			field = "head_dim"
		}
		problem := fmt.Sprintf("fused needs head_dim to be a multiple of %d (GroupQueryAttention on the CPU), got %d: use +portable%s",
			headDimMultiple, hd, s.insteadOfHeads(l.NHead))
		if field == "head_dim" {
			return fieldErrorf(field, "%s", problem)
		}
		return s.layerError(i, field, problem)
	}
	return nil
}

// checkDynamic refuses dynamic int8 where every product would leave the device for the
// CPU: CUDA has no kernel of DynamicQuantizeMatMul, and TensorRT leaves it to CUDA.
func (b Build) checkDynamic() error {
	if b.Provider.Name != CUDA && b.Provider.Name != TensorRT {
		return nil
	}
	for _, p := range []struct {
		field, name string
		Precision
	}{{"precision", "", b.Precision}, {"head", "head-", b.Head}} {
		if p.Type == Int8Dyn {
			return fieldErrorf(p.field, "int8dyn on %s: DynamicQuantizeMatMul has no kernel there: use +%sint8b32", b.Provider.Name, p.name)
		}
	}
	return nil
}

// insteadOfHeads suggests the head counts nearest to n whose head_dim the fused
// dialect takes, or a head_dim where the Spec gives one.
func (s Spec) insteadOfHeads(n int) string {
	if s.HeadDim != 0 {
		down := s.HeadDim / headDimMultiple * headDimMultiple
		return ", or head_dim " + orList(down, down+headDimMultiple)
	}
	if s.DModel%headDimMultiple != 0 {
		return ""
	}
	below, above := nearestDivisors(s.DModel/headDimMultiple, n)
	return ", or n_head " + orList(below, above)
}

// SpaceConstraints returns what a [Space] must also hold to for every one of its
// points to pass CheckSpec, as expressions to append to its Constraints. A Build
// that can run no Spec at all gets an error instead.
func (b Build) SpaceConstraints() ([]string, error) {
	// A Spec without layers meets every condition that depends on sizes.
	if err := b.CheckSpec(Spec{}); err != nil {
		return nil, err
	}
	if b.Normalized().Dialect == Fused {
		return []string{fmt.Sprintf("head_dim %% %d == 0", headDimMultiple)}, nil
	}
	return nil, nil
}
