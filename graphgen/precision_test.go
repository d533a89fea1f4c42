package graphgen_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
)

func build(t *testing.T, parts string) arch.Build {
	t.Helper()
	b, err := arch.ParseBuild(parts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPrecisionsStayNearFP32: with random weights, the hardest case for few bits,
// logits keep their direction; the bounds are this repository's promise, and those of
// both dialects are alike.
func TestPrecisionsStayNearFP32(t *testing.T) {
	promises := []promise{
		// The kernels round activations to int8 in blocks, so the dialects' tiny
		// differences may become a step of that rounding; a wider one where all
		// activations of a product share a scale.
		{parts: "+int4b32", minCosine: 0.95, maxRelative: 0.3, spread: 0.03},
		{parts: "+int4b32+embed-fp32", minCosine: 0.95, maxRelative: 0.3, spread: 0.03},
		{parts: "+int4b16asym", minCosine: 0.96, maxRelative: 0.3, spread: 0.03},
		{parts: "+int8b32", minCosine: 0.9995, maxRelative: 0.03, spread: 0.03},
		{parts: "+int8b128asym", minCosine: 0.9995, maxRelative: 0.03, spread: 0.03},
		{parts: "+int8dyn", minCosine: 0.995, maxRelative: 0.1, spread: 0.06},
		{parts: "+embed-int8b32", minCosine: 0.9999, maxRelative: 0.015, spread: 0.001},
		{parts: "+int4b32+fp16", minCosine: 0.95, maxRelative: 0.3, spread: 0.03},
		{parts: "+int8b64asym+fp16+head-fp16", minCosine: 0.9995, maxRelative: 0.03, spread: 0.03},
	}
	for i, s := range corpus() {
		rng := rand.New(rand.NewPCG(uint64(i), 3))
		prompts := tokens(rng, s.Vocab, 1, 6)
		all := decode.Options{MaxLen: 8, AllLogits: true}
		want := prefill(t, decoder(t, s, fused, all), prompts)
		for j := range promises {
			if j > 0 && i%(len(promises)-1) != j-1 {
				continue // the first is held over all of the corpus, the others over parts of it
			}
			p := &promises[j]
			b := build(t, p.parts)
			first := prefill(t, decoder(t, s, b, all), prompts)
			b.Dialect = arch.Portable
			p.hold(t, s, first, prefill(t, decoder(t, s, b, all), prompts), want)
		}
	}
	for _, p := range promises {
		t.Logf("%s: over %d specs, relative error of logits %.4f in the mean and %.4f at most, cosine at least %.5f; dialects differ by %.4f at most",
			p.parts, p.n, p.sum/float64(p.n), p.worst, 1-p.offCosine, p.worstSpread)
	}
}

// TestDynamicInt8OfCells: as far from fp32 are the logits of a prompt and of steps where
// recurrent cells, or the head alone, multiply in dynamic int8.
func TestDynamicInt8OfCells(t *testing.T) {
	promises := []promise{{parts: "+int8dyn", minCosine: 0.995, maxRelative: 0.1}, {parts: "+head-int8dyn", minCosine: 0.995, maxRelative: 0.1}}
	for i, s := range recurrentCorpus() {
		rng := rand.New(rand.NewPCG(uint64(i), 6))
		prompts, steps := tokens(rng, s.Vocab, 1, 6), tokens(rng, s.Vocab, 3, 1)
		logits := func(parts string) []float32 {
			m, err := decode.New(sessionOf(t, s, build(t, parts), graphgen.Cached, recurrentSource(11)), decode.Options{MaxLen: 16, AllLogits: true, NoProbe: true})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			out := prefill(t, m, prompts)
			for _, step := range steps {
				if err := m.Step(step); err != nil {
					t.Fatal(err)
				}
				out = append(out, m.Last(0)...)
			}
			return out
		}
		want := logits("+fp32")
		for j := range promises {
			got := logits(promises[j].parts)
			promises[j].hold(t, s, got, got, want)
		}
	}
	for _, p := range promises {
		t.Logf("%s: relative error of logits %.4f in the mean and %.4f at most, cosine at least %.5f", p.parts, p.sum/float64(p.n), p.worst, 1-p.offCosine)
	}
}

// promise is what a precision keeps of fp32's logits, and what was seen of it.
type promise struct {
	parts                          string
	minCosine, maxRelative, spread float64 // spread: between the dialects

	n                                  int
	sum, worst, offCosine, worstSpread float64
}

func (p *promise) hold(t *testing.T, s arch.Spec, fused, portable, want []float32) {
	t.Helper()
	for _, got := range [][]float32{fused, portable} {
		cosine, relative := compare(got, want)
		if !(cosine >= p.minCosine && relative <= p.maxRelative) {
			t.Errorf("%s%s: cosine %.5f, relative error %.4f; promised %g and %g", s.Name(), p.parts, cosine, relative, p.minCosine, p.maxRelative)
		}
		p.worst, p.offCosine = max(p.worst, relative), max(p.offCosine, 1-cosine)
	}
	_, relative := compare(fused, want)
	_, between := compare(portable, fused)
	p.n, p.sum, p.worstSpread = p.n+1, p.sum+relative, max(p.worstSpread, between)
	if !(between <= p.spread) {
		t.Errorf("%s: %s in both dialects differs by %.4f", s.Name(), p.parts, between)
	}
}

// TestQuantizedOperators: products and gathers of every scheme are those of the weight
// that the codes stand for, which is worked out here. K is no multiple of a block, and
// rows of zero points are no whole bytes.
func TestQuantizedOperators(t *testing.T) {
	const k, n, rows = 72, 9, 5
	for _, scheme := range []ir.Quant{
		{Bits: 4, Block: 32}, {Bits: 4, Block: 16, Asym: true}, {Bits: 8, Block: 32}, {Bits: 8, Block: 16, Asym: true}, {Bits: 8},
	} {
		q := scheme
		q.Weight, q.K, q.N, q.Transposed = "w", k, n, true
		rng := rand.New(rand.NewPCG(uint64(q.Bits), uint64(q.Block)))
		values, parts := randomWeight(rng, q)

		b := ir.NewBuilder("one")
		w := b.QuantParam("w", ir.Init{}, q)
		x := b.Input("x", ir.Float, ir.S("rows"), ir.D(k))
		biases := floats(rng, n)
		bias := b.Floats(ir.Float, "bias", biases, n)
		ids := b.Input("ids", ir.Int64, ir.S("ids"))
		if q.Block == 0 {
			b.Output("y", b.DynamicQuantizeMatMul(x, w, bias))
			b.Output("g", b.Gather(b.Floats(ir.Float, "rows", values, n, k), ids))
		} else {
			b.Output("y", b.MatMulNBits(x, w, bias, 0))
			q.Flat = true
			f := b.QuantParam("f", ir.Init{}, q)
			b.Output("g", b.Slice(b.GatherBlockQuantized(f, ids), 1, 0, k))
		}
		g, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		model, err := ir.Encode(g, given(parts))
		if err != nil {
			t.Fatal(err)
		}
		sess, err := env.NewSession(model, "", ort.Options{})
		if err != nil {
			t.Fatalf("%+v: %v", scheme, err)
		}
		// Whole numbers from 0 to 255 with both extremes: dynamic quantization keeps them.
		in := make([]float32, rows*k)
		for i := range in {
			in[i] = float32(rng.IntN(256))
		}
		in[3], in[5] = 0, 255
		xt, err1 := ort.NewTensor([]int64{rows, k}, in)
		it, err2 := ort.NewTensor([]int64{3}, []int64{n - 1, 0, 4})
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		out, err := sess.Run(map[string]*ort.Tensor{"x": xt, "ids": it}, "y", "g")
		if err != nil {
			t.Fatalf("%+v: %v", scheme, err)
		}
		y := ort.Data[float32](out["y"])
		for r := range rows {
			for j := range n {
				want := float64(biases[j])
				for i := range k {
					want += float64(in[r*k+i]) * float64(values[j*k+i])
				}
				if got := float64(y[r*n+j]); !(math.Abs(got-want) <= 2e-3) {
					t.Errorf("%+v: row %d, output %d is %g, want %g", scheme, r, j, got, want)
				}
			}
		}
		for r, id := range []int{n - 1, 0, 4} {
			if d := worst(ort.Data[float32](out["g"])[r*k:(r+1)*k], values[id*k:(id+1)*k]); d > 1e-6 {
				t.Errorf("%+v: row %d is gathered %g away", scheme, id, d)
			}
		}
		for _, v := range []*ort.Tensor{xt, it, out["y"], out["g"]} {
			v.Close()
		}
		sess.Close()
	}
}

// TestProductsDoNotSaturate: where weights and activations are all as large as they get
// and of one sign, so that sums of products are, they are exact on any processor: those
// without VNNI add pairs of products in 16 bits.
func TestProductsDoNotSaturate(t *testing.T) {
	const k, n = 72, 18
	var bits []byte
	for i := range n * k { // outputs of one sign, of the other, and of both
		v := []float32{1, -1, float32(1 - i%2*2)}[i/k%3]
		bits = binary.LittleEndian.AppendUint32(bits, math.Float32bits(v))
	}
	stored := &weights.Stored{Data: bytes.NewReader(bits), Type: weights.Float32, Rows: n, Cols: k}
	for _, scheme := range []ir.Quant{
		{Bits: 8}, {Bits: 8, Block: 32}, {Bits: 8, Block: 32, Asym: true}, {Bits: 4, Block: 32}, {Bits: 4, Block: 32, Asym: true},
	} {
		q := scheme
		q.Weight, q.K, q.N, q.Transposed = "w", k, n, true
		b := ir.NewBuilder("one")
		w := b.QuantParam("w", ir.Init{}, q)
		x := b.Input("x", ir.Float, ir.S("rows"), ir.D(k))
		if q.Block == 0 {
			b.Output("y", b.DynamicQuantizeMatMul(x, w, nil))
		} else {
			b.Output("y", b.MatMulNBits(x, w, nil, 4))
		}
		g, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		model, err := ir.Encode(g, inline{&weights.Given{Tensors: map[string]weights.Matrix{"w": stored}}})
		if err != nil {
			t.Fatal(err)
		}
		sess, err := env.NewSession(model, "", ort.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, rows := range []int64{1, 2, 64} { // kernels differ by how many there are
			in := make([]float32, rows*k)
			for i := range in {
				in[i] = 255
			}
			xt, err := ort.NewTensor([]int64{rows, k}, in)
			if err != nil {
				t.Fatal(err)
			}
			out, err := sess.Run(map[string]*ort.Tensor{"x": xt}, "y")
			if err != nil {
				t.Fatalf("%+v: %v", scheme, err)
			}
			for i, got := range ort.Data[float32](out["y"]) {
				want := []float64{255 * k, -255 * k, 0}[i%n%3]
				if !(math.Abs(float64(got)-want) <= 1e-5*255*k) {
					t.Errorf("%+v: output %d of %d rows is %g, want %g", scheme, i, rows, got, want)
				}
			}
			xt.Close()
			out["y"].Close()
		}
		sess.Close()
	}
}

// TestSharedMatrixIsStoredOnce: a tied embedding in its head's precision is one set of
// parameters, and the graph that has it gives the logits of one that has it twice.
func TestSharedMatrixIsStoredOnce(t *testing.T) {
	s := arch.NewSpec(arch.GPT2, 2, 40, 64, 5) // blocks fill 40 up
	s.Vocab, s.Positions = 90, 32
	rng := rand.New(rand.NewPCG(7, 7))
	prompts := tokens(rng, s.Vocab, 1, 6)
	all := decode.Options{MaxLen: 8, AllLogits: true}
	for _, p := range []string{"int4b32", "int4b16asym", "int8b32", "int8b64asym"} {
		one := build(t, "+head-"+p)
		g, err := graphgen.Lower(arch.Candidate{Spec: s, Build: one}, graphgen.Cached)
		if err != nil {
			t.Fatal(err)
		}
		tensors := 0
		for _, param := range g.Params {
			if q := param.Quant; q != nil && q.Weight == "transformer.wte.weight" {
				tensors++
			} else if param.Name == "transformer.wte.weight" {
				t.Errorf("%s: the embedding is there in fp32 too", p)
			}
		}
		if want := 2 + map[bool]int{true: 1}[one.Head.Asym]; tensors != want {
			t.Errorf("%s: %d tensors of the embedding, want %d", p, tensors, want)
		}
		// The same codes, gathered from a file that holds them twice, and in fp32.
		shared := prefill(t, decoder(t, s, one, all), prompts)
		exact := prefill(t, decoder(t, s, build(t, "+embed-"+p), all), prompts)
		if _, relative := compare(shared, exact); !(relative < map[int]float64{4: 0.2, 8: 0.02}[one.Head.Bits()]) {
			t.Errorf("%s: the quantized head is %g from the exact one on the same embedding", p, relative)
		}
	}
}
