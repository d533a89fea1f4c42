package ir

// QuantPart says which tensor of a quantized weight a parameter is.
type QuantPart uint8

// The tensors of a quantized weight; [Quant] has their shapes.
const (
	QuantData QuantPart = iota
	QuantScales
	QuantZeros // where the weight is asymmetric
)

// Quant says that a parameter is one part of the quantized form of a float weight,
// y[N] = W x[K].
//
// In blocks along K, which MatMulNBits and GatherBlockQuantized take, data is uint8
// [N, blocks, block*bits/8], the earlier of two 4-bit codes in the low nibble; scales
// are floats [N, blocks]; a value is (code - zero) * scale, and zero is half of the
// codes' range unless there are zero points, uint8 [N, ceil(blocks*bits/8)], packed as
// the codes are. Blocks fill K up with zeros.
//
// By column, which DynamicQuantizeMatMul takes, data is int8 [K, N], scales are
// floats [N], and a value is code * scale. Codes of inputs 2i and 2i+1 add up to at most
// 128 in magnitude: some processors' products saturate beyond that.
type Quant struct {
	Part   QuantPart
	Weight string // name of the float weight, as Hugging Face names it
	K, N   int64  // the weight's inner and outer size
	Block  int64  // weights that share a scale; 0: by column
	Bits   int
	Asym   bool  // there are zero points
	Scale  DType // of the scales: Float, which zero means too, or Float16
	// Flat: data is [N, blocks*block*bits/8], the same bytes, as a gather takes it.
	Flat bool
	// Transposed: the float weight is stored [N, K] (an embedding used as LM
	// head), not [K, N] (as GPT-2 stores its linear layers).
	Transposed bool
}

// Blocks is the number of quantization blocks in one row of K.
func (q *Quant) Blocks() int64 { return (q.K + q.Block - 1) / q.Block }

// RowBytes is the size of the codes of one row of K in blocks.
func (q *Quant) RowBytes() int64 { return q.Blocks() * q.Block * int64(q.Bits) / 8 }

// ZeroBytes is the size of the zero points of one row.
func (q *Quant) ZeroBytes() int64 { return (q.Blocks()*int64(q.Bits) + 7) / 8 }

// tensor is the type and shape of a part.
func (q *Quant) tensor(part QuantPart) (DType, Shape) {
	switch {
	case part == QuantData && q.Block == 0:
		return Int8, Fixed(q.K, q.N)
	case part == QuantData && q.Flat:
		return Uint8, Fixed(q.N, q.RowBytes())
	case part == QuantData:
		return Uint8, Fixed(q.N, q.Blocks(), q.Block*int64(q.Bits)/8)
	case part == QuantZeros:
		return Uint8, Fixed(q.N, q.ZeroBytes())
	}
	t := q.Scale
	if t == 0 {
		t = Float
	}
	if q.Block == 0 {
		return t, Fixed(q.N)
	}
	return t, Fixed(q.N, q.Blocks())
}

// QuantWeight is a quantized weight in a graph.
type QuantWeight struct {
	Quant
	Data, Scales, Zeros *Value // Zeros is nil where the weight is symmetric
}

// QuantParam declares the tensors of the quantized form of q.Weight, which is stacked
// from parts if there are any; their names begin with name. Declared again, it is the
// same weight.
func (b *Builder) QuantParam(name string, init Init, q Quant, parts ...Part) QuantWeight {
	declare := func(part QuantPart, suffix string) *Value {
		own := q
		own.Part = part
		t, shape := q.tensor(part)
		return b.param(Param{Init: init, Quant: &own, Parts: parts}, name+suffix, t, shape)
	}
	w := QuantWeight{Quant: q}
	w.Data = declare(QuantData, [...]string{4: "_Q4", 8: "_Q8"}[q.Bits])
	w.Scales = declare(QuantScales, "_scales")
	if q.Asym {
		w.Zeros = declare(QuantZeros, "_zero_points")
	}
	return w
}
