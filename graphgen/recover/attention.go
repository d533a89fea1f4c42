package recover

import (
	"math"
	"slices"
	"strings"

	"lathe/graphgen"
	"lathe/graphgen/evaluate"
	"lathe/graphgen/onnxpb"
)

// attention is a layer's first half.
type attention struct {
	heads, kvHeads, headDim int
	q, k, v                 rows
	out                     *product
	outBias                 string
	norm                    norm
	freqs                   []float64 // of the rotary embedding, in radians; nil: none

	cone      *cone
	key       string // input: the cache of keys, or of keys and values in one
	value     string // "": in one
	presents  [2]string
	positions int // that the rotary tables have; 0: there is no bound
}

// rows are the outputs of a product that queries, keys or values are.
type rows struct {
	product  *product
	from, to int64
	bias     string // of the whole product
}

// attention recognises what lies between one norm and the product of a branch.
func (w *walker) attention(b *branch) (*attention, error) {
	a := &attention{out: b.product, outBias: b.bias, cone: w.g.cone(b.product.x)}
	if err := w.caches(a); err != nil {
		return nil, err
	}
	if err := w.heads(a, b); err != nil {
		return nil, err
	}
	for i, p := range a.cone.products {
		n, err := w.norm(p.x, b.before)
		if err != nil {
			return nil, err
		}
		if i > 0 && n != a.norm {
			return nil, notDecoder("products %s and %s take other norms of the same stream", a.cone.products[0].node.Name, p.node.Name)
		}
		a.norm = n
	}
	if err := w.queriesKeysValues(a); err != nil {
		return nil, err
	}
	if a.key != "" {
		if err := w.frequencies(a, b); err != nil {
			return nil, err
		}
	}
	err := w.attends(a, b, padded)
	if err != nil {
		if err = w.attends(a, b, full); err == nil && !a.cone.has("GroupQueryAttention") {
			w.note("padding on the left is not what the graph takes")
		}
	}
	if err != nil {
		return nil, err
	}
	for _, n := range w.distances(a.cone) {
		if err := w.attends(a, b, scene{batch: 1, past: n + 4, rows: 1}); err != nil {
			return nil, notDecoder("attention that reaches over %d positions, such as through a sliding window: %w", n, err)
		}
	}
	return a, nil
}

// distances are numbers that attention's mask is computed with and that the scenes are
// too small for: a window would begin there.
func (w *walker) distances(c *cone) (all []int) {
	for _, n := range c.nodes {
		switch n.OpType {
		case "Add", "Sub", "Less", "LessOrEqual", "Greater", "GreaterOrEqual":
		default:
			continue
		}
		for _, in := range n.Input {
			t := w.g.tensor(in)
			if t == nil || t.DataType != int32(onnxpb.TensorProto_INT64) && t.DataType != int32(onnxpb.TensorProto_INT32) {
				continue
			}
			v, err := w.g.load(t, nil)
			if err != nil || len(v.Data) != 1 {
				continue
			}
			if d := math.Abs(v.Data[0]); d >= float64(padded.past) && d < 1<<30 && !slices.Contains(all, int(d)) {
				all = append(all, int(d))
			}
		}
	}
	const most = 4 // others say nothing of a window
	return all[:min(most, len(all))]
}

// caches finds a layer's inputs and what they become.
func (w *walker) caches(a *attention) error {
	for _, name := range a.cone.inputs {
		switch name {
		case graphgen.InputIDs, graphgen.AttentionMask, graphgen.PositionIDs, cacheBranch:
			continue
		}
		if _, err := w.g.pastShape(name, full); err != nil {
			return err
		}
		switch {
		case a.key == "":
			a.key = name
		case a.value == "":
			a.value = name
		default:
			return notDecoder("attention of %s takes %q, %q and %q; a cache is two inputs, or one", w.g.describe(a.out.x), a.key, a.value, name)
		}
	}
	if strings.HasSuffix(a.key, "value") {
		a.key, a.value = a.value, a.key
	}
	for i, past := range []string{a.key, a.value} {
		if past == "" {
			continue
		}
		present := strings.Replace(strings.Replace(past, "past_key_values", "present", 1), "past", "present", 1)
		if !slices.Contains(w.g.outputs, present) {
			return notDecoder("no output %q continues the cache %q", present, past)
		}
		a.presents[i] = present
	}
	return nil
}

// heads counts heads, by the cache's shape or, without one, by the scores'.
func (w *walker) heads(a *attention, b *branch) error {
	if a.key != "" {
		shape, err := w.g.pastShape(a.key, full)
		if err != nil {
			return err
		}
		if combined := len(shape) == 5; combined != (a.value == "") {
			return notDecoder("the cache %q is %v, and %q beside it", a.key, shape, a.value)
		}
		a.kvHeads, a.headDim = shape[len(shape)-3], shape[len(shape)-1]
		if b.product.k%int64(a.headDim) != 0 {
			return notDecoder("product %s takes %d, which is no number of heads of %d", b.product.node.Name, b.product.k, a.headDim)
		}
		a.heads = int(b.product.k) / a.headDim
		return nil
	}
	r, err := w.g.start(full)
	if err != nil {
		return err
	}
	r.bind(b.before, evaluate.Zeros(full.batch, full.rows, int(w.dModel)))
	for _, n := range a.cone.nodes {
		if n.OpType != "Softmax" {
			continue
		}
		scores, err := r.value(n.Output[0])
		if err != nil {
			return notDecoder("the attention of %s: %w", b.product.node.Name, err)
		}
		a.heads = len(scores.Data) / (full.batch * full.rows * full.rows) // without a cache
	}
	if a.heads < 1 || b.product.k%int64(a.heads) != 0 {
		return notDecoder("attention of %s has %d heads for %d values", b.product.node.Name, a.heads, b.product.k)
	}
	a.kvHeads, a.headDim = a.heads, int(b.product.k)/a.heads
	return nil
}

// queriesKeysValues says which products, or which of a product's outputs, are what.
func (w *walker) queriesKeysValues(a *attention) error {
	inner, shared := int64(a.heads*a.headDim), int64(a.kvHeads*a.headDim)
	products := a.cone.products
	biases := map[*product]string{}
	for _, p := range products {
		bias, err := w.g.bias(a.cone, p)
		if err != nil {
			return err
		}
		biases[p] = bias
	}
	if len(products) == 1 && products[0].n == inner+2*shared {
		p := products[0]
		a.q = rows{p, 0, inner, biases[p]}
		a.k = rows{p, inner, inner + shared, biases[p]}
		a.v = rows{p, inner + shared, inner + 2*shared, biases[p]}
		return nil
	}
	// Products that are apart are told by the caches that they extend.
	only := func(name string) *product {
		if c := w.g.cone(name); len(c.products) == 1 {
			return c.products[0]
		}
		return nil
	}
	if len(products) == 3 && a.value != "" {
		k, v := only(a.presents[0]), only(a.presents[1])
		i := slices.IndexFunc(products, func(p *product) bool { return p != k && p != v })
		if i >= 0 && k != nil && v != nil && k != v && products[i].n == inner && k.n == shared && v.n == shared {
			a.q, a.k, a.v = rows{products[i], 0, inner, biases[products[i]]}, rows{k, 0, shared, biases[k]}, rows{v, 0, shared, biases[v]}
			return nil
		}
	}
	var sizes []int64
	for _, p := range products {
		sizes = append(sizes, p.n)
	}
	return notDecoder("attention of %s, with %d heads of %d and %d of keys, comes from products of %v: queries, keys and values are one product, or three with a cache",
		a.out.node.Name, a.heads, a.headDim, a.kvHeads, sizes)
}

// parts are queries, keys and values as a run's products give them.
type parts struct{ q, k, v *evaluate.Tensor }

// stands binds a layer's products and returns what heads see of them, biases added.
func (w *walker) stands(a *attention, r *run) (out parts, err error) {
	made := map[*product]*evaluate.Tensor{}
	take := func(part rows, seed uint64) *evaluate.Tensor {
		x := made[part.product]
		if x == nil && err == nil {
			if x, err = r.stand(part.product, seed, 1); err == nil {
				x, err = w.g.plus(x, part.bias)
			}
			made[part.product] = x
		}
		if err != nil {
			return nil
		}
		return columns(x, part)
	}
	out.q, out.k, out.v = take(a.q, 30), take(a.k, 31), take(a.v, 32)
	return out, err
}

// columns are those of a product's outputs that a part is.
func columns(x *evaluate.Tensor, part rows) *evaluate.Tensor {
	n, width := int(part.product.n), int(part.to-part.from)
	count := len(x.Data) / n
	out := evaluate.Zeros(count, width)
	for i := range count {
		copy(out.Data[i*width:(i+1)*width], x.Data[i*n+int(part.from):])
	}
	return out
}

// attends holds a layer's attention, and the caches that it leaves, against what ours
// would be.
func (w *walker) attends(a *attention, b *branch, s scene) error {
	r, err := w.g.start(s)
	if err != nil {
		return err
	}
	r.bind(b.before, noise(0, 1, s.batch, s.rows, int(w.dModel)))
	p, err := w.stands(a, r)
	if err != nil {
		return notDecoder("the attention of %s: %w", a.out.node.Name, err)
	}
	want, err := w.reference(a, r, p)
	if err != nil {
		return err
	}
	y, err := r.value(a.out.x)
	if err != nil {
		return notDecoder("the attention of %s: %w", a.out.node.Name, err)
	}
	if apart(y.Data, want.y) > w.g.same() {
		return notDecoder("what comes to product %s is not causal attention of %d heads of %d, %d of keys, scaled by the root of head_dim%s, with queries, keys and values in that order",
			a.out.node.Name, a.heads, a.headDim, a.kvHeads, map[bool]string{true: ", with the mask given", false: ""}[s.pad > 0])
	}
	for i, name := range a.presents {
		if name == "" {
			continue
		}
		present, err := r.value(name)
		if err != nil {
			return notDecoder("the cache %q: %w", name, err)
		}
		cache := want.caches[i]
		if a.value == "" {
			cache = append(slices.Clone(want.caches[0]), want.caches[1]...)
		}
		if apart(present.Data, cache) > w.g.same() {
			return notDecoder("%q is not the cache %q with the new tokens behind it", name, []string{a.key, a.value}[i])
		}
	}
	return w.added(b, r)
}
