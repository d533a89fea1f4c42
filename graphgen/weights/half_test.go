package weights

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"lathe/graphgen/half"
	"lathe/graphgen/ir"
)

// halfParams are those of params, in float16.
func halfParams(t *testing.T) map[string]*ir.Param {
	t.Helper()
	out := params(t)
	for _, p := range out {
		value := *p.Value
		if value.Type == ir.Float {
			value.Type = ir.Float16
		}
		p.Value = &value
		if p.Quant != nil {
			quant := *p.Quant
			quant.Scale = ir.Float16
			p.Quant = &quant
		}
	}
	return out
}

// rounded is float32 bytes as float16 ones.
func rounded(wide []byte) (narrow []byte) {
	for ; len(wide) > 0; wide = wide[4:] {
		narrow = binary.LittleEndian.AppendUint16(narrow, half.From(math.Float32frombits(binary.LittleEndian.Uint32(wide))))
	}
	return narrow
}

// TestFloat16IsFloat32Rounded: parameters of float16 hold what the same of float32
// hold, rounded: drawn, given, and given in any type.
func TestFloat16IsFloat32Rounded(t *testing.T) {
	wide, narrow := params(t), halfParams(t)
	given := map[FloatType]*Given{}
	for _, typ := range []FloatType{Float32, Float16, BFloat16} {
		tensors := map[string]Matrix{}
		for name, size := range map[string][2]int64{"plain": {6, 8}, "turned": {8, 6}, "q": {4, 6}, "k": {2, 6}, "v": {2, 6}, "q.bias": {1, 4}, "k.bias": {1, 2}, "v.bias": {1, 2}} {
			vals := make([]float32, size[0]*size[1])
			for i := range vals {
				vals[i] = float32(i-7) * 0.02 * (1 + float32(len(name))/64)
				if typ == Float16 {
					vals[i] = half.To(half.From(vals[i]))
				}
			}
			tensors[name] = stored(typ, size[0], size[1], vals)
		}
		given[typ] = &Given{Tensors: tensors}
	}
	for name, p := range wide {
		if p.Quant != nil {
			continue
		}
		sources := map[string]Source{"drawn": &Random{Seed: 3}, "float32": given[Float32], "float16": given[Float16], "bfloat16": given[BFloat16]}
		for kind, src := range sources {
			if got, want := write(t, src, narrow[name]), rounded(write(t, src, p)); !bytes.Equal(got, want) {
				t.Errorf("%s %s: %x, want %x", kind, name, got, want)
			}
		}
		for _, part := range p.Published() {
			var got, want bytes.Buffer
			r := &Random{Seed: 3}
			if err := errors.Join(r.WritePublished(context.Background(), &got, narrow[name], part.Name), r.WritePublished(context.Background(), &want, p, part.Name)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), rounded(want.Bytes())) {
				t.Errorf("%s: what is published as %s is not rounded", name, part.Name)
			}
		}
	}
}

// TestFloat16BitsAreKept: what is stored in float16 is copied: no number, infinite,
// subnormal.
func TestFloat16BitsAreKept(t *testing.T) {
	var raw []byte
	for _, h := range []uint16{0x7c01, 0xfe45, 0x8000, 1, 0x83ff, 0x7bff, 0x7c00, 0xfc00} {
		raw = binary.LittleEndian.AppendUint16(raw, h)
	}
	var out bytes.Buffer
	m := &Stored{Data: bytes.NewReader(raw), Type: Float16, Rows: 2, Cols: 4}
	if err := WriteMatrix(context.Background(), &out, m, Float16); err != nil || !bytes.Equal(out.Bytes(), raw) {
		t.Errorf("%x came out as %x, %v", raw, out.Bytes(), err)
	}
}

// TestFloat16Overflow: a value that float16 cannot hold is refused by its place; what
// was infinite before is not.
func TestFloat16Overflow(t *testing.T) {
	vals := counted(48)
	vals[11], vals[13] = float32(math.Inf(1)), -65519
	p := halfParams(t)["plain"]
	if got := write(t, &Given{Tensors: map[string]Matrix{"plain": stored(Float32, 6, 8, vals)}}, p); binary.LittleEndian.Uint16(got[22:]) != 0x7c00 || binary.LittleEndian.Uint16(got[26:]) != 0xfbff {
		t.Errorf("%x", got)
	}
	vals[13] = -65520
	err := (&Given{Tensors: map[string]Matrix{"plain": stored(Float32, 6, 8, vals)}}).WriteParam(context.Background(), &bytes.Buffer{}, p)
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "value -65520 of row 1, column 5") || !strings.Contains(err.Error(), "use a build with fp32") {
		t.Error(err)
	}
}

// TestPoolOfFloat16: weights and scales are finite, never denormal, and distributed as
// those of float32.
func TestPoolOfFloat16(t *testing.T) {
	for kind, wide := range map[poolKind]poolKind{halves: floats, halfScales: scales, halfScales8: scales8} {
		b, w := make([]byte, poolBlock), make([]byte, 2*poolBlock)
		kind.fill(b, 5)
		wide.fill(w, 5)
		var sum, squares, wideSquares float64
		for i := 0; i < len(b); i += 2 {
			h := binary.LittleEndian.Uint16(b[i:])
			v := float64(half.To(h))
			if !half.Finite(h) || math.Abs(v) < half.MinNormal || kind != halves && v < 0 {
				t.Fatalf("%s holds %g at byte %d", kind.file(), v, i)
			}
			wideV := float64(math.Float32frombits(binary.LittleEndian.Uint32(w[2*i:])))
			sum, squares, wideSquares = sum+v, squares+v*v, wideSquares+wideV*wideV
		}
		n := float64(len(b) / 2)
		if kind == halves && math.Abs(sum/n) > 1e-4 || math.Abs(math.Sqrt(squares/wideSquares)-1) > 0.01 {
			t.Errorf("%s: mean %g, root mean square %g, and %g in float32", kind.file(), sum/n, math.Sqrt(squares/n), math.Sqrt(wideSquares/n))
		}
	}
}
