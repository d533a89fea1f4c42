package arch

import "maps"

// Dialect says which operators attention, norms and activations are lowered to.
type Dialect string

const (
	Portable Dialect = "portable" // standard ONNX operators
	Fused    Dialect = "fused"    // com.microsoft operators (GroupQueryAttention, SkipLayerNormalization, FastGelu)
)

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
	Name    string            `json:"name" yaml:"name,omitempty"`
	Options map[string]string `json:"options,omitempty" yaml:"options,omitempty"`
}

// Build is how a Spec is lowered and run. The zero value is the documented
// default: fused, fp32, nothing quantized, the LM head as the linear layers, a tied
// embedding as the LM head, 1 thread, cpu.
type Build struct {
	Dialect   Dialect
	Float     FloatType // of all that is not quantized; "": FP32
	Precision Precision // of the linear layers
	Head      Precision // of the LM head; zero: as Precision
	Embed     Precision // of the token embedding; zero: see [Build.EmbedOf]
	Threads   int       // within one operator; 0: 1
	Provider  Provider
}

// Normalized returns b with every default filled in that no Spec decides, and no
// empty option map.
func (b Build) Normalized() Build {
	if b.Dialect == "" {
		b.Dialect = Fused
	}
	if b.Float == "" {
		b.Float = FP32
	}
	b.Precision = b.Precision.or(Precision{Type: Unquantized})
	b.Head = b.Head.or(b.Precision)
	b.Embed = b.Embed.or(Precision{})
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

// EmbedOf is the precision of s's token embedding. Where nothing is said, one that is
// tied to an LM head in blocks is that very matrix, stored once; any other is not
// quantized.
func (b Build) EmbedOf(s Spec) Precision {
	b = b.Normalized()
	return b.Embed.or(b.defaultEmbed(s))
}

// defaultEmbed is EmbedOf where nothing is said; b is normalized.
func (b Build) defaultEmbed(s Spec) Precision {
	if !s.Untied && b.Head.Blockwise() {
		return b.Head
	}
	return Precision{Type: Unquantized}
}

// For is b for s, where an embedding's precision that s has anyway is not said.
func (b Build) For(s Spec) Build {
	b = b.Normalized()
	if b.Embed == b.defaultEmbed(s) {
		b.Embed = Precision{}
	}
	return b
}

// QuantizesRuns reports whether activations are quantized when a graph runs, over all tokens
// of a run at once, in the layers or in the head (int8dyn): what comes of a token then
// depends a little on which others it is run with.
func (b Build) QuantizesRuns() bool {
	n := b.Normalized()
	return n.Precision.Type == Int8Dyn || n.Head.Type == Int8Dyn
}

// Equal reports whether b and o run a Spec in the same way.
func (b Build) Equal(o Build) bool {
	b, o = b.Normalized(), o.Normalized()
	return b.Dialect == o.Dialect && b.Float == o.Float && b.Precision == o.Precision && b.Head == o.Head && b.Embed == o.Embed &&
		b.Threads == o.Threads && b.Provider.Name == o.Provider.Name &&
		maps.Equal(b.Provider.Options, o.Provider.Options)
}
