package weights

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lathe/graphgen/ir"
)

func drawScheme(t *rapid.T) ir.Quant {
	q := ir.Quant{Weight: "w", Bits: 8, Transposed: true}
	if rapid.Bool().Draw(t, "by column") {
		return q
	}
	q.Bits = rapid.SampledFrom([]int{4, 8}).Draw(t, "bits")
	q.Block = rapid.SampledFrom([]int64{16, 32, 64, 128}).Draw(t, "block")
	q.Asym = rapid.Bool().Draw(t, "zero points")
	q.Scale = rapid.SampledFrom([]ir.DType{ir.Float, ir.Float16}).Draw(t, "scales")
	return q
}

// readBack is the weight as [Dequantized] reads its parts, which is how others' files
// are read, or [DequantizedColumns].
func readBack(t interface{ Fatal(...any) }, o *quantized) []float32 {
	q := o.quant
	out := make([]float32, q.N*q.K)
	if q.Block == 0 {
		d := &DequantizedColumns{N: q.N, K: q.K, Data: bytes.NewReader(o.data), Scales: stored(Float32, 1, q.N, o.scales)}
		if err := d.Read(out, 0, q.N, 0, q.K); err != nil {
			t.Fatal(err)
		}
		return out
	}
	d := &Dequantized{N: q.N, K: q.K, Block: q.Block, Bits: q.Bits, Data: bytes.NewReader(o.data), Scales: stored(Float32, q.N, q.Blocks(), o.scales)}
	if q.Asym {
		d.Zeros = bytes.NewReader(o.zeros)
	}
	if err := d.Read(out, 0, q.N, 0, q.K); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSchemesKeepWithinHalfAStep: in every scheme a value is within half a step of what
// it was, 0 stays 0, what fills a block up is 0, and the error that is reported is the
// one that there is.
func TestSchemesKeepWithinHalfAStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := drawScheme(t)
		q.N, q.K = int64(rapid.IntRange(1, 5).Draw(t, "n")), int64(rapid.IntRange(1, 200).Draw(t, "k"))
		vals := rapid.SliceOfN(rapid.OneOf(rapid.Float32Range(-1e4, 1e4), rapid.Just[float32](0)), int(q.N*q.K), int(q.N*q.K)).Draw(t, "weight")
		o, err := newQuantized(q)
		if err != nil {
			t.Fatal(err)
		}
		var sums errorSums
		own := make([]float32, q.K)
		for n := range q.N {
			row := vals[n*q.K : (n+1)*q.K]
			o.put(n, row)
			o.measure(&sums, n, row, own)
		}
		holdsPairs(t, o)
		back := readBack(t, o)
		var ww, dd, worst, largest float64
		for i, v := range vals {
			block := q.Block
			if block == 0 {
				block = q.K
			}
			n, k := int64(i)/q.K, int64(i)%q.K
			scale := float64(o.scales[n*((q.K+block-1)/block)+k/block])
			d := math.Abs(float64(back[i]) - float64(v))
			limit := 0.5*scale + 1e-6*math.Abs(float64(v))
			if scale == 0 {
				limit = 255 * minScale
			}
			if d > limit || v == 0 && back[i] != 0 {
				t.Fatalf("value %d: %g came back as %g, %g away; half a step is %g", i, v, back[i], d, scale/2)
			}
			ww, dd, worst, largest = ww+float64(v)*float64(v), dd+d*d, math.Max(worst, d), math.Max(largest, math.Abs(float64(v)))
		}
		e := sums.quality("w")
		if want := math.Sqrt(dd / ww); ww > 0 && math.Abs(e.Relative-want) > 1e-5*(1+want) || math.Abs(e.MaxAbs-worst) > 1e-6*largest {
			t.Fatalf("error is said to be %g, worst %g, and is %g, worst %g", e.Relative, e.MaxAbs, want, worst)
		}
		if q.Block == 0 {
			return
		}
		whole := q
		whole.K = q.Blocks() * q.Block
		filled := *o
		filled.quant = whole
		all := readBack(t, &filled)
		for n := range q.N {
			for k := q.K; k < whole.K; k++ {
				if v := all[n*whole.K+k]; v != 0 {
					t.Fatalf("output %d is filled up with %g at %d", n, v, k)
				}
			}
		}
	})
}

// holdsPairs: products of neighbours with uint8 fit in 16 bits and a sign.
func holdsPairs(t interface{ Fatalf(string, ...any) }, o *quantized) {
	q := o.quant
	for i := q.N; q.Block == 0 && i < q.N*q.K; i++ {
		a, b := int(int8(o.data[i-q.N])), int(int8(o.data[i]))
		if sum := 255 * (a + b); i/q.N%2 == 1 && int(int16(sum)) != sum {
			t.Fatalf("codes %d and %d of inputs %d and %d make %d", a, b, i/q.N-1, i/q.N, sum)
		}
	}
}

// TestPairsBetweenSteps: pairs that are the largest of their column and halves of steps,
// where rounding adds most, do not saturate.
func TestPairsBetweenSteps(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 20000 {
		o, err := newQuantized(ir.Quant{Bits: 8, N: 1, K: 4})
		if err != nil {
			t.Fatal(err)
		}
		scale, a := rng.Float32(), float32(rng.IntN(127))
		x, y := scale*(a+0.5), scale*(127.5-a)
		for range rng.IntN(4) {
			x = math.Nextafter32(x, 1000)
		}
		row := []float32{x, y, -y, -x}
		o.put(0, row)
		holdsPairs(t, o)
		for k, v := range readBack(t, o) {
			if d := math.Abs(float64(v) - float64(row[k])); d > 0.5001*float64(o.scales[0]) {
				t.Fatalf("%v came back %g away at %d; a step is %g", row, d, k, o.scales[0])
			}
		}
	}
}

// TestSchemesByHand: codes of values whose steps are whole numbers.
func TestSchemesByHand(t *testing.T) {
	for _, c := range []struct {
		q      ir.Quant
		row    []float32
		data   []byte // its beginning
		scale  float32
		zeros  []byte
		stored int
	}{
		{ir.Quant{Bits: 8, Block: 16}, []float32{-127, 127, 0, 1, -1}, []byte{1, 255, 128, 129, 127, 128}, 1, nil, 16},
		{ir.Quant{Bits: 8}, []float32{-127, 127, 0, 1, -1}, []byte{129, 127, 0, 1, 255}, 1, nil, 5},
		{ir.Quant{Bits: 8}, []float32{-127, 0, 0, -127, 127}, []byte{129, 0, 0, 129, 127}, 1, nil, 5}, // no pair of them
		{ir.Quant{Bits: 8}, []float32{-128, -128, 64, 64, 0}, []byte{192, 192, 32, 32, 0}, 256 / float32(pairSteps), nil, 5},
		{ir.Quant{Bits: 4, Block: 16, Asym: true}, []float32{-3, 12, 0, 1, -1}, []byte{0xf0, 0x43, 0x32, 0x33}, 1, []byte{3}, 8},
		{ir.Quant{Bits: 4, Block: 16, Asym: true}, []float32{3, 15, 5}, []byte{0xf3, 0x05, 0}, 1, []byte{0}, 8},
		{ir.Quant{Bits: 4, Block: 16, Asym: true}, []float32{-15, -3}, []byte{0xc0, 0xff}, 1, []byte{15}, 8},
		{ir.Quant{Bits: 8, Block: 16, Asym: true}, []float32{-55, 200, 0}, []byte{0, 255, 55, 55}, 1, []byte{55}, 16},
		{ir.Quant{Bits: 8, Block: 16, Asym: true}, []float32{0, 0}, []byte{128, 128}, 0, []byte{128}, 16},
		// Scales of float16 are rounded up: 1.0001 to 1 + 2^-10, 1e-8/7 to 2^-24.
		{ir.Quant{Bits: 4, Block: 16, Scale: ir.Float16}, []float32{7.0007, -7.0007, 3.6, 0}, []byte{0x1f, 0x8c, 0x88}, 1 + 0x1p-10, nil, 8},
		{ir.Quant{Bits: 4, Block: 16, Scale: ir.Float16}, []float32{1e-8, 0}, []byte{0x88}, 0x1p-24, nil, 8},
		{ir.Quant{Bits: 8, Block: 16, Asym: true, Scale: ir.Float16}, []float32{-55.01, 200, 0}, []byte{0, 255, 55, 55}, 1 + 0x1p-10, []byte{55}, 16},
	} {
		c.q.N, c.q.K = 1, int64(len(c.row))
		o, err := newQuantized(c.q)
		if err != nil {
			t.Fatal(err)
		}
		o.put(0, c.row)
		if !bytes.HasPrefix(o.data, c.data) || len(o.data) != c.stored || o.scales[0] != c.scale || !bytes.Equal(o.zeros, c.zeros) {
			t.Errorf("%+v of %v: data %x, scale %g, zeros %x; want %x, %g, %x", c.q, c.row, o.data, o.scales[0], o.zeros, c.data, c.scale, c.zeros)
		}
	}
}

// TestSchemesRefuse: no scheme takes what is not finite, whatever the value, and takes
// all that is.
func TestSchemesRefuse(t *testing.T) {
	for _, q := range []ir.Quant{{Bits: 8}, {Bits: 8, Block: 16}, {Bits: 8, Block: 16, Asym: true}, {Bits: 4, Block: 16}, {Bits: 4, Block: 16, Asym: true}} {
		q.Weight, q.N, q.K, q.Transposed = "w", 1, 20, true
		for _, v := range []float32{math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())} {
			vals := make([]float32, 20)
			vals[17], vals[18] = v, -v
			_, _, err := (&Given{Tensors: map[string]Matrix{"w": stored(Float32, 1, 20, vals)}}).quantize(context.Background(), &ir.Param{Value: &ir.Value{}, Quant: &q})
			if finite := v == math.MaxFloat32; finite != (err == nil) || !finite && (!errors.Is(err, ErrNotFinite) || !strings.Contains(err.Error(), "input 17")) {
				t.Errorf("%+v of %g: %v", q, v, err)
			}
		}
	}
	for _, q := range []ir.Quant{{Bits: 8, Block: 16}, {Bits: 4, Block: 16}, {Bits: 4, Block: 16, Asym: true}} {
		q.Weight, q.N, q.K, q.Transposed, q.Scale = "w", 1, 20, true, ir.Float16
		vals := make([]float32, 20)
		vals[17] = 1e9
		_, _, err := (&Given{Tensors: map[string]Matrix{"w": stored(Float32, 1, 20, vals)}}).quantize(context.Background(), &ir.Param{Value: &ir.Value{}, Quant: &q})
		if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "weight w: the scale of a block of output 0") {
			t.Errorf("%+v of %g: %v", q, vals[17], err)
		}
	}
	for _, q := range []ir.Quant{{Bits: 2, Block: 16}, {Bits: 4}, {Bits: 8, Asym: true}} {
		q.N, q.K = 1, 1
		if _, err := newQuantized(q); err == nil {
			t.Errorf("%+v is taken", q)
		}
	}
}

// TestRandomAndGivenQuantizeAlike: the parts of a weight that is drawn are those of the
// same weight that is given, in every scheme and both layouts.
func TestRandomAndGivenQuantizeAlike(t *testing.T) {
	const k, n = 40, 9
	for _, q := range []ir.Quant{{Bits: 8}, {Bits: 8, Block: 16}, {Bits: 8, Block: 32, Asym: true}, {Bits: 4, Block: 16}, {Bits: 4, Block: 16, Asym: true}, {Bits: 4, Block: 16, Asym: true, Scale: ir.Float16}} {
		for _, q.Transposed = range []bool{false, true} {
			q.Weight, q.N, q.K = "w", n, k
			rows, cols := int64(k), int64(n)
			if q.Transposed {
				rows, cols = n, k
			}
			init := ir.Init{Kind: ir.Normal, Std: 0.02}
			b := ir.NewBuilder("one")
			plain := b.Param("w", ir.Float, init, rows, cols)
			w := b.QuantParam("w", init, q)
			x := b.Input("x", w.Scales.Type, ir.S("n"), ir.D(k))
			y := b.Input("y", ir.Float, ir.S("n"), ir.D(rows))
			b.Output("z", b.MatMul(y, plain))
			if q.Block == 0 {
				b.Output("p", b.DynamicQuantizeMatMul(x, w, nil))
			} else {
				b.Output("p", b.MatMulNBits(x, w, nil, 0))
			}
			g, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			random := &Random{Seed: 3}
			vals := make([]float32, rows*cols)
			if err := binary.Read(bytes.NewReader(write(t, random, g.Params[0])), binary.LittleEndian, vals); err != nil {
				t.Fatal(err)
			}
			given := &Given{Tensors: map[string]Matrix{"w": stored(Float32, rows, cols, vals)}}
			for _, p := range g.Params[1:] {
				if a, b := write(t, random, p), write(t, given, p); !bytes.Equal(a, b) || int64(len(a)) != p.Bytes() {
					t.Errorf("%+v: %s is %d bytes drawn and %d given, of %d, or differs", q, p.Name, len(a), len(b), p.Bytes())
				}
			}
			if len(given.Errors) != 1 || !(given.Errors[0].Relative > 0.001 && given.Errors[0].Relative < 0.15 && given.Errors[0].Cosine > 0.98) {
				t.Errorf("%+v: errors %+v", q, given.Errors)
			}
		}
	}
}

// BenchmarkSchemes prints what rows of 1024 take in each scheme.
func BenchmarkSchemes(b *testing.B) {
	const k, n = 1024, 256
	rng := rand.New(rand.NewPCG(1, 1))
	vals := make([]float32, k*n)
	for i := range vals {
		vals[i] = normal(rng, 0.02)
	}
	for name, q := range map[string]ir.Quant{
		"int8dyn": {Bits: 8}, "int8b32": {Bits: 8, Block: 32}, "int8b32asym": {Bits: 8, Block: 32, Asym: true},
		"int4b32": {Bits: 4, Block: 32}, "int4b32asym": {Bits: 4, Block: 32, Asym: true},
	} {
		b.Run(name, func(b *testing.B) {
			q.K, q.N = k, n
			o, err := newQuantized(q)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(4 * k * n)
			for b.Loop() {
				for i := range int64(n) {
					o.put(i, vals[i*k:(i+1)*k])
				}
			}
		})
	}
}
