package arch

import "maps"

// Dialect says which operators attention, norms and activations are lowered to.
type Dialect string

const (
	Portable Dialect = "portable" // standard ONNX operators
	Fused    Dialect = "fused"    // com.microsoft operators (GroupQueryAttention, SkipLayerNormalization, FastGelu)
)

// Types of weights. Activations are fp32 in both.
const (
	FP32 = "fp32"
	Int4 = "int4" // weight-only, MatMulNBits, symmetric, one fp32 scale a block
)

// DefaultBlock is the block size that int4 without one means.
const DefaultBlock = 32

// Precision is how a weight matrix is stored. The zero value is the default of
// the place where it stands.
type Precision struct {
	Type  string // FP32 or Int4
	Block int    // weights that share a scale, along K: 16, 32, 64 or 128 for int4 (0: 32), 0 for fp32
}

// Execution providers of ONNX Runtime that a Build can name.
const (
	CPU      = "cpu"
	CUDA     = "cuda"
	TensorRT = "tensorrt"
	OpenVINO = "openvino"
	CoreML   = "coreml"
	DirectML = "directml"
)

// Provider is an execution provider and the options it is given, unread by
// Lathe.
type Provider struct {
	Name    string            `json:"name"`
	Options map[string]string `json:"options,omitempty"`
}

// Build is how a Spec is lowered and run. The zero value is the documented
// default: fused, fp32, the LM head as the linear layers, 1 thread, cpu.
type Build struct {
	Dialect   Dialect   `json:"dialect,omitempty"`
	Precision Precision `json:"precision,omitzero"` // of the linear layers
	Head      Precision `json:"head,omitzero"`      // of the LM head; zero: as Precision
	Threads   int       `json:"threads,omitempty"`  // within one operator; 0: 1
	Provider  Provider  `json:"provider,omitzero"`
}

// Normalized returns b with every default filled in, and no empty option map.
func (b Build) Normalized() Build {
	if b.Dialect == "" {
		b.Dialect = Fused
	}
	b.Precision = b.Precision.or(Precision{Type: FP32})
	b.Head = b.Head.or(b.Precision)
	if b.Threads == 0 {
		b.Threads = 1
	}
	if b.Provider.Name == "" {
		b.Provider.Name = CPU
	}
	if len(b.Provider.Options) == 0 {
		b.Provider.Options = nil
	}
	return b
}

// or fills in a precision's block, or gives def for the zero value.
func (p Precision) or(def Precision) Precision {
	switch {
	case p == Precision{}:
		return def
	case p.Type == Int4 && p.Block == 0:
		p.Block = DefaultBlock
	}
	return p
}

// Equal reports whether b and o run a Spec in the same way.
func (b Build) Equal(o Build) bool {
	b, o = b.Normalized(), o.Normalized()
	return b.Dialect == o.Dialect && b.Precision == o.Precision && b.Head == o.Head &&
		b.Threads == o.Threads && b.Provider.Name == o.Provider.Name &&
		maps.Equal(b.Provider.Options, o.Provider.Options)
}
