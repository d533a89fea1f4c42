package recover

import (
	"math"

	"lathe/graphgen/evaluate"
)

// frequencies finds the angles that keys are turned by, by turning one: a key of ones in
// a head's first half and zeros in its second becomes the cosines and the sines of the
// angles, at position 1 of the frequencies themselves.
func (w *walker) frequencies(a *attention, b *branch) error {
	r, err := w.g.start(single)
	if err != nil {
		return err
	}
	r.bind(b.before, noise(0, 1, single.batch, single.rows, int(w.dModel)))
	if _, err := w.stands(a, r); err != nil {
		return notDecoder("the attention of %s: %w", a.out.node.Name, err)
	}
	half := a.headDim / 2
	x := r.values[a.k.product.out]
	probe := evaluate.Zeros(x.Shape...)
	for i := a.k.from; i < a.k.to; i++ {
		if (int(i-a.k.from) % a.headDim) < half {
			probe.Data[i] = 1
		}
	}
	if a.k.bias != "" { // the sum is to be what is probed with
		bias, err := w.g.load(w.g.tensor(a.k.bias), nil)
		if err != nil {
			return err
		}
		for i := range probe.Data {
			probe.Data[i] -= bias.Data[i]
		}
	}
	r.bind(a.k.product.out, probe)
	key, err := r.value(a.presents[0])
	if err != nil {
		return notDecoder("the cache %q: %w", a.presents[0], err)
	}
	if want := a.kvHeads * (single.past + single.rows) * a.headDim; len(key.Data) < want {
		return notDecoder("the cache %q has %d values, want %d", a.presents[0], len(key.Data), want)
	}
	at := key.Data[single.past*a.headDim:][:a.headDim] // of the first head, behind the cache
	still := true
	freqs := make([]float64, half)
	for j := range freqs {
		cos, sin := at[j], at[j+half]
		if math.Abs(math.Hypot(cos, sin)-1) > 1e-3 {
			return notDecoder("keys of %q are not turned as a whole, in pairs of a head's halves", a.presents[0])
		}
		freqs[j] = math.Atan2(sin, cos)
		still = still && math.Abs(freqs[j]) < 1e-9
	}
	if still {
		return nil
	}
	a.freqs = freqs
	a.positions = w.tables(a, w.g.cone(a.presents[0]))
	return nil
}

// tables is how many positions the tables of a layer's rotary embedding have, where it
// has them.
func (w *walker) tables(a *attention, c *cone) (positions int) {
	count := func(name string) {
		t := w.g.consts[name]
		if t == nil || len(t.Dims) < 2 {
			return
		}
		if last := t.Dims[len(t.Dims)-1]; last != int64(a.headDim) && last != int64(a.headDim/2) {
			return
		}
		n := int64(1) // positions are the dimension that is not 1, before the last
		for _, d := range t.Dims[:len(t.Dims)-1] {
			n = max(n, d)
		}
		if n > 1 && (positions == 0 || n < int64(positions)) {
			positions = int(min(n, 1<<30))
		}
	}
	for _, n := range c.nodes {
		switch n.OpType {
		case "GroupQueryAttention":
			count(input(n, 7))
		case "RotaryEmbedding":
			count(input(n, 2))
		case "Gather", "Slice":
			count(input(n, 0))
		}
	}
	return positions
}
