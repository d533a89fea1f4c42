package latmodel

import (
	"math"

	"lathe/graphgen/arch"
)

// step is one run of the graph: rows tokens go in, with past tokens in the cache,
// and the logits of the last row come out.
type step struct {
	rows float64
	past float64 // a mean over steps, so not always whole
}

// geometry counts what the graph of one build does in one step. Its counts are
// those of graphgen's lowering in the cached mode, for a batch of one and one row
// of logits; a test holds the two equal. They are float64, exact below 2^53, since
// all they are for is multiplication by weights.
type geometry struct {
	step
	fused        bool
	float        float64 // bytes of activations and of what is not quantized
	linear, head precision
	embeds       [2]precision // of the token embedding where it is tied, and where not
	sharesHead   bool         // a tied embedding is the LM head's matrix
}

// layer is the sizes of one layer.
type layer struct {
	dModel, nHead, headDim, dInner float64
	nKVHead                        float64
	rotary                         bool // of the LLaMA family
	qkvBias                        bool // which in GPT-2 all products have
	cell                           cell
	// last: after its attention or recurrence only the row whose logits are wanted goes on, as
	// later tokens need nothing else of the other rows than what they left behind.
	last bool
}

// outside is the sizes of what surrounds the layers.
type outside struct {
	dModel, vocab float64
	rotary        bool    // of the LLaMA family
	headDims      float64 // how many sizes of heads there are
	shared        bool    // heads share keys and values in some layer
	stack         bool    // of recurrent layers and nothing else
	recurrent     bool    // some layer is
	attention     bool    // some layer is none
	untied        bool    // the LM head is a matrix of its own
}

func newGeometry(b arch.Build, s step) geometry {
	b = b.Normalized()
	g := geometry{step: s, fused: b.Dialect == arch.Fused, linear: newPrecision(b.Precision, b.Float), head: newPrecision(b.Head, b.Float), float: float64(b.Float.Bytes())}
	for i, untied := range []bool{false, true} {
		g.embeds[i] = newPrecision(b.EmbedOf(arch.Spec{Untied: untied}), b.Float)
	}
	g.sharesHead = arch.Spec{}.SharesHead(b)
	return g
}

// embed is how the token embedding is stored.
func (g *geometry) embed(o outside) precision {
	if o.untied {
		return g.embeds[1]
	}
	return g.embeds[0]
}

// cacheLine is a cache line's bytes, on every CPU that ONNX Runtime's int4 kernels
// are written for.
const cacheLine = 64

// split reports whether rows of k int4 weights are no whole cache lines, which
// for the usual blocks means that k is no multiple of 128: the kernel's loads of
// 64 bytes then straddle two lines.
//
// Measured with MatMulNBits alone (accuracy level 4, block 32, AVX-512 and VNNI,
// ONNX Runtime 1.32.0): the time a weight at k = 1088, 1216 and 1344 is 9 to 18 %
// more than at 1024, 1152, 1280, 1408 and 1536 for one row, 5 to 9 % for 64. With 8
// bits (1024 to 1280 in steps of 32, one row) nothing of the kind is seen.
func (p precision) split(k float64) bool {
	return p.bits == 4 && int(math.Ceil(k/p.block)*p.block/2)%cacheLine != 0
}

// splitLines is from how many whole cache lines on a split row costs a step of one
// row of activations anything.
//
// Measured with MatMulNBits alone (as above, one row): at k = 928 to 1984 an output
// whose row is split takes 5 to 8 ns more than its neighbours of whole lines, about
// the same at every k; at 576, 704, 832 and 864, with 4 to 6 whole lines, it takes
// nothing more. Of 96 candidates, the error of TL on those that were held out of 30
// fell from 3.7 to 1.0 % with outputs counted in place of the rows' bytes.
const splitLines = 7

// splitOutputs is how many of the n outputs of a matrix of one row are computed
// from split rows that are long enough to cost.
func (p precision) splitOutputs(k, n float64) float64 {
	if p.split(k) && int(math.Ceil(k/p.block)*p.block/2)/cacheLine >= splitLines {
		return n
	}
	return 0
}

// hidden is the width of a layer's attention.
func (l layer) hidden() float64 { return l.nHead * l.headDim }

// qkv is the width of queries, keys and values, which are one product.
func (l layer) qkv() float64 { return (l.nHead + 2*l.nKVHead) * l.headDim }

// ups is how many matrices [d_model, d_inner] the MLP has: SwiGLU has two.
func (l layer) ups() float64 {
	if l.rotary {
		return 2
	}
	return 1
}

// tailRows is how many rows a layer's output projection and MLP work on.
func (g *geometry) tailRows(l layer) float64 {
	if l.last {
		return 1
	}
	return g.rows
}

// Numbers of operators, as graphgen emits them.
const (
	// fused: two norms, c_attn, attention, attn.c_proj, c_fc, GELU, mlp.c_proj.
	fusedLayerOps = 8
	// portable: 17 for attention itself (split, 3 x reshape and transpose, 2
	// concatenations, transposed key, scores, scale, mask, softmax, product,
	// transpose, reshape), two norms of 3 (bias, residual sum, norm), c_attn,
	// attn.c_proj, c_fc, its bias, GELU, mlp.c_proj.
	portableLayerOps = 17 + 2*3 + 6
	// fused: two embeddings, the final norm, the head; with attention lengths from the
	// mask.
	fusedOutsideOps, fusedMaskOps = 2 + 1 + 1, 6
	// portable: two embeddings, 3 for the final norm, the head; one less, since no bias
	// waits for the first norm; with attention the mask.
	portableOutsideOps, portableMaskOps = 2 + 3 + 1 - 1, 14
	// LLaMA, fused: two norms, qkv_proj, attention, o_proj, gate_proj, up_proj, SiLU, its
	// product with the other, down_proj.
	fusedRotaryOps = 10
	// Where GroupQueryAttention does not turn heads of that size itself: split, and two
	// rotary embeddings.
	turnedHeads = 3
	rotaryHeads = 16 // it turns heads of multiples of this size
	// LLaMA, portable: 22 for attention (split, reshape, 5 for the rotary embedding,
	// split, two transposed, values reshaped and transposed, 2 concatenations,
	// transposed key, scores, scale, mask, softmax, product, transpose, reshape), two
	// norms of 7 (residual sum, square, mean, epsilon, root, quotient, gain), qkv_proj,
	// o_proj, gate_proj, up_proj, 2 for SiLU, the product, down_proj.
	portableRotaryOps = 22 + 2*7 + 8
	// Portable, heads that share keys and values: queries reshaped, keys and values
	// given a dimension to broadcast along.
	sharedHeadsOps = 3
	// LLaMA, fused: the embedding, 6 for lengths, the final norm, the head.
	fusedRotaryOutsideOps = 1 + 6 + 1 + 1
	// LLaMA, portable: the embedding, 14 for the mask, 7 for the final norm, the head;
	// one less, since nothing waits for the first norm. Then a row of cosines and one of
	// sines for each size of heads.
	portableRotaryOutsideOps = 1 + 14 + 7 + 1 - 1
	rotaryTableOps           = 2
	// Portable, in float16: scores to float32, probabilities back; and the same about each
	// RMSNorm.
	wideOps = 2
	// The wanted row of attention and of the residual stream: negate, unsqueeze,
	// and a slice of each.
	sliceOps = 4
)

// half reports whether floats are float16.
func (g *geometry) half() bool { return g.float == 2 }

func (g *geometry) layerOps(l layer) (n float64) {
	if l.cell.gates > 0 {
		return g.cellOps(l)
	}
	switch {
	case g.fused && l.rotary:
		n = fusedRotaryOps
		if math.Mod(l.headDim, rotaryHeads) != 0 {
			n += turnedHeads
		}
	case g.fused:
		n = fusedLayerOps
	case l.rotary:
		n = portableRotaryOps
		if l.nKVHead != l.nHead {
			n += sharedHeadsOps
		}
	default:
		n = portableLayerOps
	}
	if !g.fused && g.half() {
		n += wideOps
		if l.rotary {
			n += 2 * wideOps
		}
	}
	if g.linear.bits == 0 && (l.qkvBias || !l.rotary) {
		n++ // the bias of queries, keys and values, which quantized products add themselves
	}
	return n
}

func (g *geometry) outsideOps(o outside) float64 {
	n := g.embeddingOps(o)
	if o.recurrent {
		n += g.recurrentOutsideOps(o)
	}
	switch {
	case o.stack:
		return n
	case g.fused && o.rotary:
		return n + fusedRotaryOutsideOps + sliceOps
	case g.fused:
		n += fusedOutsideOps + sliceOps
		if o.attention {
			n += fusedMaskOps
		}
		return n
	case o.rotary:
		n += portableRotaryOutsideOps + sliceOps + rotaryTableOps*o.headDims
		if o.shared {
			n++ // the mask, with a dimension more
		}
		if g.half() {
			n += wideOps
		}
	default:
		n += portableOutsideOps + sliceOps
		if o.attention {
			n += portableMaskOps
		}
	}
	if g.head.bits == 0 {
		n++ // the head's matrix, transposed
	}
	return n
}

// embeddingOps is what a quantized embedding takes beside the gather.
func (g *geometry) embeddingOps(o outside) (n float64) {
	p := g.embed(o)
	if p.bits == 0 {
		return 0
	}
	if math.Mod(o.dModel, p.block) != 0 {
		n++ // a slice of what fills blocks up
	}
	if g.sharesHead && !o.untied {
		n++ // its matrix, in the head's shape
	}
	return n
}

// layerBytes is the layer's parameters: matrices as they are stored, biases and
// two norms as floats.
func (g *geometry) layerBytes(l layer) float64 {
	if l.cell.gates > 0 {
		return g.cellBytes(l)
	}
	d := l.dModel
	vectors := l.qkv() + d + l.dInner + d + 4*d
	if l.rotary {
		vectors = 2 * d
		if l.qkvBias {
			vectors += l.qkv()
		}
	}
	return g.linear.bytes(d, l.qkv()) + g.tailBytes(l) + g.float*vectors
}

// tailBytes is the matrices of the output projection and the MLP.
func (g *geometry) tailBytes(l layer) float64 {
	return g.linear.bytes(l.hidden(), l.dModel) + l.ups()*g.linear.bytes(l.dModel, l.dInner) + g.linear.bytes(l.dInner, l.dModel)
}

func (g *geometry) headBytes(o outside) float64 { return g.head.bytes(o.dModel, o.vocab) }

// outsideBytes is what a step of one row reads outside the layers: the LM head,
// the final norm, and one row of each embedding. A stack has no norm and no positions.
func (g *geometry) outsideBytes(o outside) float64 {
	row := g.embed(o).bytes(o.dModel, 1)
	switch {
	case o.stack:
		return g.headBytes(o) + row
	case o.rotary:
		return g.headBytes(o) + row + g.float*o.dModel
	}
	return g.headBytes(o) + row + g.float*(2*o.dModel+o.dModel)
}

// layerFlops is 2 for each multiply-add of the layer's products with weights, but for
// those of a recurrent layer's state.
func (g *geometry) layerFlops(l layer) float64 {
	if l.cell.gates > 0 {
		return g.cellFlops(l)
	}
	d, hidden := l.dModel, l.hidden()
	return 2 * (g.rows*d*l.qkv() + g.tailRows(l)*(hidden*d+(l.ups()+1)*d*l.dInner))
}

// oneRowBytes is the layer's matrices that meet a single row in a prefill: each
// weight is read for one multiplication, so memory sets the time, not arithmetic.
func (g *geometry) oneRowBytes(l layer) float64 {
	switch {
	case !l.last:
		return 0
	case l.cell.gates > 0:
		return g.projectionBytes(l)
	}
	return g.tailBytes(l)
}

// layerSplitOutputs and headSplitOutputs are a decode step's outputs of products
// with rows that are no whole cache lines.
func (g *geometry) layerSplitOutputs(l layer) float64 {
	if l.cell.gates > 0 {
		return g.cellSplitOutputs(l)
	}
	d, hidden := l.dModel, l.hidden()
	return g.linear.splitOutputs(d, l.qkv()+l.ups()*l.dInner) + g.linear.splitOutputs(hidden, d) + g.linear.splitOutputs(l.dInner, d)
}

func (g *geometry) headSplitOutputs(o outside) float64 { return g.head.splitOutputs(o.dModel, o.vocab) }

// layerSplitFlops is the part of layerFlops that is with weights in split rows.
func (g *geometry) layerSplitFlops(l layer) (flops float64) {
	if l.cell.gates > 0 {
		return g.cellSplitFlops(l)
	}
	d, hidden, tail := l.dModel, l.hidden(), g.tailRows(l)
	if g.linear.split(d) {
		flops += g.rows*d*l.qkv() + tail*d*l.ups()*l.dInner
	}
	if g.linear.split(hidden) {
		flops += tail * hidden * d
	}
	if g.linear.split(l.dInner) {
		flops += tail * l.dInner * d
	}
	return 2 * flops
}

// kvBytes is the layer's cache after the step, keys and values, all of
// which attention reads.
func (g *geometry) kvBytes(l layer) float64 {
	return 2 * g.float * l.nKVHead * l.headDim * (g.past + g.rows)
}

// scores is the elements of the layer's attention matrices.
func (g *geometry) scores(l layer) float64 { return l.nHead * g.rows * (g.past + g.rows) }

// attentionFlops is 2 for each multiply-add of queries with keys and of
// probabilities with values.
func (g *geometry) attentionFlops(l layer) float64 { return 4 * l.headDim * g.scores(l) }

// gelus is the elements that pass through the layer's GELU or SiLU.
func (g *geometry) gelus(l layer) float64 { return g.tailRows(l) * l.dInner }
