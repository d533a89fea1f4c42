package main

import (
	"lathe/graphgen/arch"
	"lathe/profiler/record"
)

// halfOnCPU is what has to be said of a build of float16 on the CPU provider; "" of any
// other. Of the operators that decoders are made of, ONNX Runtime 1.32.0 has float16
// kernels there for norms, attention, MatMulNBits, gathers, and what moves values; not
// for float products, activations, sums and softmax, around which it puts conversions.
func halfOnCPU(b arch.Build) string {
	b = b.Normalized()
	if b.Float != arch.FP16 || b.Provider.Name != arch.CPU {
		return ""
	}
	return "fp16 on the cpu provider: it computes most of it in fp32 and converts in between, which takes a few per cent more time than fp32 and, where weights are not quantized, up to 1.8 times the memory; fp16 is for a GPU, as in +fp16+cuda"
}

// checkFloat says so, once, where a session is opened.
func (a *app) checkFloat(s record.Subject) {
	c, own := s.Own()
	if !own || a.halved {
		return
	}
	if w := halfOnCPU(c.Build); w != "" {
		a.halved = true
		a.note("warning: %s", w)
	}
}
