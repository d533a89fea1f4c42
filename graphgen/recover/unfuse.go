package recover

import (
	"slices"

	"lathe/graphgen/evaluate"
	"lathe/graphgen/ir"
	"lathe/graphgen/onnxpb"
)

// unfuse writes out those of ONNX Runtime's operators that hide a product, a bias or a
// sum of the residual stream, so that all graphs are walked alike.
func (g *graph) unfuse() error {
	for _, n := range slices.Clone(g.nodes) {
		switch {
		case output(n, 0) == "" || len(n.Input) < 2: // then there is nothing to take apart
		case plainDomain(n.Domain) == ir.DomainONNX && n.OpType == "Gemm":
			g.unfuseGemm(n)
		case n.Domain != ir.DomainMS:
		case n.OpType == matMulNBits:
			g.takeBias(n, 5)
		case n.OpType == dynamicQuantizeMatMul:
			g.takeBias(n, 4)
		case n.OpType == gatherBlockQuantized:
			if err := g.unfuseGather(n); err != nil {
				return err
			}
		case (n.OpType == "FastGelu" || n.OpType == "BiasGelu") && n.Input[1] != "":
			sum := g.fresh(n.Output[0] + "/biased")
			g.insert(call("Add", sum, n.Input[0], n.Input[1]))
			n.Input = []string{sum}
		case n.OpType == "SkipLayerNormalization":
			g.unfuseSkip(n, "LayerNormalization", 5)
		case n.OpType == "SkipSimplifiedLayerNormalization":
			g.unfuseSkip(n, "SimplifiedLayerNormalization", 4)
		case n.OpType == "EmbedLayerNormalization":
			g.unfuseEmbedding(n)
		case n.OpType == "Attention":
			g.unfuseAttention(n)
		}
	}
	return nil
}

// fresh is a name that no value of the graph has.
func (g *graph) fresh(name string) string {
	for g.producer[name] != nil || g.consts[name] != nil || g.inputs[name] != nil {
		name += "'"
	}
	return name
}

func (g *graph) insert(n *onnxpb.NodeProto) {
	g.nodes = append(g.nodes, n)
	g.producer[n.Output[0]] = n
}

// takeBias makes a sum of an operator's bias.
func (g *graph) takeBias(n *onnxpb.NodeProto, i int) {
	bias := input(n, i)
	if bias == "" {
		return
	}
	out := n.Output[0]
	n.Input[i] = ""
	n.Output[0] = g.fresh(out + "/product")
	g.producer[n.Output[0]] = n
	g.insert(call("Add", out, n.Output[0], bias))
}

func (g *graph) unfuseGemm(n *onnxpb.NodeProto) {
	if float(n, "alpha", 1) == 1 && float(n, "beta", 1) == 1 && integer(n, "transA", 0) == 0 {
		g.takeBias(n, 2)
	}
}

// unfuseSkip: two operands, gain, for LayerNorm its bias, and a bias of the sum, which
// is that of the operand that a product gives.
func (g *graph) unfuseSkip(n *onnxpb.NodeProto, norm string, biasAt int) {
	sum := output(n, 3)
	if sum == "" {
		sum = g.fresh(n.Output[0] + "/sum")
	}
	x, skip := input(n, 0), input(n, 1)
	if g.fromProduct(skip) && !g.fromProduct(x) {
		x, skip = skip, x
	}
	if bias := input(n, biasAt-1); bias != "" {
		biased := g.fresh(n.Output[0] + "/biased")
		g.insert(call("Add", biased, x, bias))
		x = biased
	}
	g.insert(call("Add", sum, x, skip))
	into := call(norm, n.Output[0], append([]string{sum}, n.Input[2:min(biasAt-1, len(n.Input))]...)...)
	into.Attribute = n.Attribute
	g.replace(n, into)
}

// fromProduct reports whether a value is a product, but for its shape.
func (g *graph) fromProduct(name string) bool {
	for range 8 {
		n := g.producer[name]
		switch {
		case n == nil:
			return false
		case slices.Contains([]string{"MatMul", "Gemm", "FusedMatMul", matMulNBits, dynamicQuantizeMatMul}, n.OpType):
			return true
		case len(n.Input) == 0 || !slices.Contains(unchanged, n.OpType) && n.OpType != "Slice":
			return false
		}
		name = n.Input[0]
	}
	return false
}

// replace puts a node in another's place.
func (g *graph) replace(old, by *onnxpb.NodeProto) {
	for _, out := range old.Output {
		if g.producer[out] == old {
			delete(g.producer, out)
		}
	}
	g.nodes = slices.DeleteFunc(g.nodes, func(n *onnxpb.NodeProto) bool { return n == old })
	g.insert(by)
	for _, out := range by.Output[1:] {
		g.producer[out] = by
	}
}

// unfuseEmbedding: ids, segment ids, tables of words, positions and segments, gain,
// bias, a mask, positions. The sum of the embeddings is the third output.
func (g *graph) unfuseEmbedding(n *onnxpb.NodeProto) {
	positions := input(n, 8)
	if input(n, 1) != "" || input(n, 4) != "" || positions == "" {
		return // segments, or positions that nobody gives
	}
	sum := output(n, 2)
	if sum == "" {
		sum = g.fresh(n.Output[0] + "/sum")
	}
	words, places := g.fresh(n.Output[0]+"/words"), g.fresh(n.Output[0]+"/places")
	g.insert(call("Gather", words, input(n, 2), input(n, 0)))
	g.insert(call("Gather", places, input(n, 3), positions))
	g.insert(call("Add", sum, words, places))
	norm := call("LayerNormalization", n.Output[0], sum, input(n, 5), input(n, 6))
	for _, a := range n.Attribute {
		if a.Name == "epsilon" {
			norm.Attribute = append(norm.Attribute, a)
		}
	}
	g.replace(n, norm)
}

// unfuseAttention: input, weight, bias, a mask, the past.
func (g *graph) unfuseAttention(n *onnxpb.NodeProto) {
	for _, i := range []int{5, 6} { // a bias of the scores, a buffer for both caches
		if input(n, i) != "" {
			return
		}
	}
	if a := attribute(n, "qkv_hidden_sizes"); a != nil || integer(n, "do_rotary", 0) != 0 || integer(n, "past_present_share_buffer", 0) != 0 {
		return
	}
	out := n.Output[0]
	qkv := g.fresh(out + "/product")
	g.insert(call("MatMul", qkv, input(n, 0), input(n, 1)))
	if bias := input(n, 2); bias != "" {
		biased := g.fresh(out + "/biased")
		g.insert(call("Add", biased, qkv, bias))
		qkv = biased
	}
	into := call(evaluate.PackedAttention, out, qkv, input(n, 3), input(n, 4))
	into.Domain, into.Attribute, into.Output = evaluate.OwnDomain, n.Attribute, n.Output
	g.replace(n, into)
}
