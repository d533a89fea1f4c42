package decode_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"lathe/graphgen/half"
	"lathe/runtime/ort"
)

// toy is a decoder of one attention layer, small enough that logits computes
// the same in Go. Its fields say how the graph is made, not what it computes.
type toy struct {
	fused     bool   // GroupQueryAttention, else Concat and Softmax
	keep      bool   // has num_logits_to_keep
	noMask    bool   // no attention_mask
	noPos     bool   // no position_ids: positions are columns
	bias      string // fused: "" none, "columns" left padding right, "wrong" lengths from the mask as well
	peeks     bool   // fused: positions come from the shape of the past
	int32     bool
	half      bool // caches, attention and logits are float16
	batch     any  // of the declared shapes: a symbol, or a number
	askVocab  bool
	presentKV bool // outputs are called present_key_values
	combined  bool // not fused: keys and values are one cache
}

const (
	toyVocab, toyHeads, toyDim, toyPositions = 13, 2, 8, 64
	toyModel                                 = toyHeads * toyDim
)

// weights of all toys.
var toyE, toyP, toyQ, toyK, toyV = weights(toyVocab), weights(toyPositions), weights(toyModel), weights(toyModel), weights(toyModel)

var toyRand = rand.New(rand.NewPCG(1, 2))

func weights(rows int) []float32 {
	w := make([]float32, rows*toyModel)
	for i := range w {
		w[i] = float32(toyRand.NormFloat64()) / 3
	}
	return w
}

func (c toy) model() []byte {
	g := &graph{}
	whole := ort.Int64
	if c.int32 {
		whole = ort.Int32
	}
	batch := c.batch
	if batch == nil {
		batch = "batch_size"
	}
	long := func(name string) string {
		if c.int32 {
			return g.op("Cast", []string{name}, attr{"to", []int64{int64(ort.Int64)}, false})
		}
		return name
	}
	cast := func(name string, to ort.Type) string {
		return g.op("Cast", []string{name}, attr{"to", []int64{int64(to)}, false})
	}
	size := func(name string, axis int64) string { // scalar int64
		return g.op("Gather", []string{g.op("Shape", []string{name}), g.scalar(axis)})
	}
	ids := long(g.input("input_ids", whole, batch, "sequence_length"))
	var mask string
	if !c.noMask {
		mask = long(g.input("attention_mask", whole, batch, "total_length"))
	}
	typ := ort.Float32
	if c.half {
		typ = ort.Float16
	}
	var pastK, pastV string
	if c.combined {
		both := g.input("past_0", typ, 2, batch, toyHeads, "past_length", toyDim)
		pastK = g.op("Gather", []string{both, g.scalar(0)})
		pastV = g.op("Gather", []string{both, g.scalar(1)})
	} else {
		pastK = g.input("past_key_values.0.key", typ, batch, toyHeads, "past_length", toyDim)
		pastV = g.input("past_key_values.0.value", typ, batch, toyHeads, "past_length", toyDim)
	}
	seq := size(ids, 1)
	var past, total string
	if c.noMask || c.peeks {
		past = size(pastK, 2)
		total = g.op("Add", []string{past, seq})
	} else {
		total = size(mask, 1)
		past = g.op("Sub", []string{total, seq})
	}
	columns := g.op("Range", []string{past, total, g.scalar(1)})
	pos := columns
	if c.noPos {
		pos = g.op("Unsqueeze", []string{columns, g.ints(0)})
	} else {
		pos = long(g.input("position_ids", whole, batch, "sequence_length"))
	}
	if c.peeks { // adds nothing where the past is as long as it should be
		wrong := g.op("Sub", []string{past, g.op("Sub", []string{size(mask, 1), seq})})
		pos = g.op("Add", []string{pos, wrong})
	}
	embed := g.floats([]int64{toyVocab, toyModel}, toyE)
	x := g.op("Add", []string{g.op("Gather", []string{embed, ids}), g.op("Gather", []string{g.floats([]int64{toyPositions, toyModel}, toyP), pos})})
	var qkv []string
	for _, w := range [][]float32{toyQ, toyK, toyV} {
		qkv = append(qkv, cast(g.op("MatMul", []string{x, g.floats([]int64{toyModel, toyModel}, w)}), typ))
	}
	presentK, presentV := "present.0.key", "present.0.value"
	if c.presentKV {
		presentK, presentV = "present_key_values.0.key", "present_key_values.0.value"
	}
	var y string
	if c.fused {
		valid := g.op("ReduceSum", []string{mask, g.ints(1)}, attr{"keepdims", []int64{0}, false})
		if c.bias == "columns" {
			valid = g.op("Expand", []string{total, g.op("Shape", []string{valid})})
		}
		in := append(qkv, pastK, pastV, cast(g.op("Sub", []string{valid, g.scalar(1)}), ort.Int32), cast(total, ort.Int32))
		if c.bias != "" {
			in = append(in, "", "", "", cast(c.attentionBias(g, mask, columns, total, cast), typ))
		}
		y = g.fresh()
		g.node("GroupQueryAttention", "com.microsoft", in, []string{y, presentK, presentV},
			attr{"num_heads", []int64{toyHeads}, false}, attr{"kv_num_heads", []int64{toyHeads}, false})
	} else {
		for i, name := range qkv {
			h := g.op("Reshape", []string{name, g.ints(0, 0, toyHeads, toyDim)})
			qkv[i] = g.op("Transpose", []string{h}, attr{"perm", []int64{0, 2, 1, 3}, true})
		}
		g.node("Concat", "", []string{pastK, qkv[1]}, []string{presentK}, attr{"axis", []int64{2}, false})
		g.node("Concat", "", []string{pastV, qkv[2]}, []string{presentV}, attr{"axis", []int64{2}, false})
		scores := g.op("MatMul", []string{qkv[0], g.op("Transpose", []string{presentK}, attr{"perm", []int64{0, 1, 3, 2}, true})})
		scores = g.op("Mul", []string{cast(scores, ort.Float32), g.floats(nil, []float32{float32(1 / math.Sqrt(toyDim))})})
		scores = g.op("Add", []string{scores, c.attentionBias(g, mask, columns, total, cast)})
		y = g.op("MatMul", []string{cast(g.op("Softmax", []string{scores}, attr{"axis", []int64{-1}, false}), typ), presentV})
		y = g.op("Reshape", []string{g.op("Transpose", []string{y}, attr{"perm", []int64{0, 2, 1, 3}, true}), g.ints(0, 0, toyModel)})
	}
	y = g.op("Add", []string{x, cast(y, ort.Float32)})
	if c.keep {
		keep := g.input("num_logits_to_keep", ort.Int64)
		g.tensor(keep, ort.Int64, nil, binary.LittleEndian.AppendUint64(nil, 0))
		start := g.op("Unsqueeze", []string{g.op("Neg", []string{keep}), g.ints(0)})
		y = g.op("Slice", []string{y, start, g.ints(math.MaxInt64), g.ints(1)})
	}
	y = g.op("MatMul", []string{y, g.op("Transpose", []string{embed}, attr{"perm", []int64{1, 0}, true})})
	g.node("Cast", "", []string{y}, []string{"logits"}, attr{"to", []int64{int64(typ)}, false})
	vocab := any(toyVocab)
	if c.askVocab {
		vocab = "vocabulary"
	}
	g.output("logits", typ, batch, "kept", vocab)
	if c.combined {
		g.node("Concat", "", []string{g.op("Unsqueeze", []string{presentK, g.ints(0)}), g.op("Unsqueeze", []string{presentV, g.ints(0)})},
			[]string{"present_0"}, attr{"axis", []int64{0}, false})
		g.output("present_0", typ, 2, batch, toyHeads, "total_length", toyDim)
		return g.model("toy")
	}
	g.output(presentK, typ, batch, toyHeads, "total_length", toyDim)
	g.output(presentV, typ, batch, toyHeads, "total_length", toyDim)
	return g.model("toy")
}

// attentionBias is 0 where a query may look and the lowest value elsewhere, as float
// [batch, 1, sequence, total].
func (c toy) attentionBias(g *graph, mask, columns, total string, cast func(string, ort.Type) string) string {
	key := g.op("Unsqueeze", []string{g.op("Range", []string{g.scalar(0), total, g.scalar(1)}), g.ints(0)})
	seen := g.op("LessOrEqual", []string{key, g.op("Unsqueeze", []string{columns, g.ints(1)})})
	seen = g.op("Unsqueeze", []string{seen, g.ints(0, 1)})
	if !c.noMask {
		seen = g.op("And", []string{seen, g.op("Unsqueeze", []string{cast(mask, ort.Bool), g.ints(1, 2)})})
	}
	lowest := float32(-math.MaxFloat32)
	if c.half {
		lowest = -half.Max
	}
	return g.op("Where", []string{seen, g.floats(nil, []float32{0}), g.floats(nil, []float32{lowest})})
}

// toyLogits computes what the last of the tokens gives.
func toyLogits(tokens []int64) []float32 {
	row := func(w []float32, i int) []float32 { return w[i*toyModel : (i+1)*toyModel] }
	times := func(x, w []float32) []float32 {
		y := make([]float32, toyModel)
		for i, xi := range x {
			for j := range y {
				y[j] += xi * w[i*toyModel+j]
			}
		}
		return y
	}
	var xs, ks, vs [][]float32
	for pos, id := range tokens {
		x := make([]float32, toyModel)
		for i := range x {
			x[i] = row(toyE, int(id))[i] + row(toyP, pos)[i]
		}
		xs, ks, vs = append(xs, x), append(ks, times(x, toyK)), append(vs, times(x, toyV))
	}
	x := xs[len(xs)-1]
	q := times(x, toyQ)
	y := append([]float32{}, x...)
	for h := range toyHeads {
		part := func(v []float32) []float32 { return v[h*toyDim : (h+1)*toyDim] }
		var sum float64
		probs := make([]float64, len(tokens))
		for t := range tokens {
			var dot float64
			for i := range toyDim {
				dot += float64(part(q)[i]) * float64(part(ks[t])[i])
			}
			probs[t] = math.Exp(dot / math.Sqrt(toyDim))
			sum += probs[t]
		}
		for t := range tokens {
			for i := range toyDim {
				part(y)[i] += float32(probs[t] / sum * float64(part(vs[t])[i]))
			}
		}
	}
	out := make([]float32, toyVocab)
	for id := range out {
		for i := range y {
			out[id] += y[i] * row(toyE, id)[i]
		}
	}
	return out
}
