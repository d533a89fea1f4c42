package weights

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lathe/graphgen/half"
	"lathe/graphgen/ir"
)

// stored is a tensor in memory.
func stored(t FloatType, rows, cols int64, vals []float32) *Stored {
	var b []byte
	for _, v := range vals {
		switch t {
		case Float32:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		case BFloat16:
			b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(v)>>16))
		case Float16:
			b = binary.LittleEndian.AppendUint16(b, half.From(v))
		}
	}
	return &Stored{Data: bytes.NewReader(b), Type: t, Rows: rows, Cols: cols}
}

func counted(n int64) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(i) - 3
	}
	return out
}

// TestViews: any rectangle of stored, turned, stacked and reordered matrices holds
// what it should.
func TestViews(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, cols := rapid.Int64Range(1, 70).Draw(t, "rows"), rapid.Int64Range(1, 70).Draw(t, "cols")
		more := rapid.Int64Range(1, 5).Draw(t, "more")
		a := stored(Float32, rows, cols, counted(rows*cols))
		b := stored(Float32, more, cols, counted(more*cols))
		at := func(i, j int64) float32 { return float32(i*cols+j) - 3 }
		backwards := func(i int64) int64 { return rows - 1 - i }
		for name, c := range map[string]struct {
			m  Matrix
			at func(i, j int64) float32
		}{
			"stored":    {a, at},
			"turned":    {Turn(a), func(i, j int64) float32 { return at(j, i) }},
			"twice":     {Turn(Turn(a)), at},
			"reordered": {Reorder(a, backwards), func(i, j int64) float32 { return at(backwards(i), j) }},
			"stacked": {Stack(a, b), func(i, j int64) float32 {
				if i >= rows {
					i -= rows
				}
				return at(i, j)
			}},
		} {
			n, k := c.m.Size()
			r0, c0 := rapid.Int64Range(0, n-1).Draw(t, "r0"), rapid.Int64Range(0, k-1).Draw(t, "c0")
			r1, c1 := rapid.Int64Range(r0+1, n).Draw(t, "r1"), rapid.Int64Range(c0+1, k).Draw(t, "c1")
			dst := make([]float32, (r1-r0)*(c1-c0))
			if err := c.m.Read(dst, r0, r1, c0, c1); err != nil {
				t.Fatal(err)
			}
			for i, v := range dst {
				row, col := r0+int64(i)/(c1-c0), c0+int64(i)%(c1-c0)
				if v != c.at(row, col) {
					t.Fatalf("%s: [%d, %d] is %g, want %g", name, row, col, v, c.at(row, col))
				}
			}
			var out bytes.Buffer
			if err := WriteMatrix(context.Background(), &out, c.m, Float32); err != nil {
				t.Fatal(err)
			}
			if got := math.Float32frombits(binary.LittleEndian.Uint32(out.Bytes()[4*(n*k-1):])); out.Len() != int(4*n*k) || got != c.at(n-1, k-1) {
				t.Fatalf("%s: written %d bytes, the last value %g, want %d and %g", name, out.Len(), got, 4*n*k, c.at(n-1, k-1))
			}
		}
	})
}

func TestBitsAreKept(t *testing.T) {
	odd := []uint32{0x7f800001, 0xffc12345, 0x80000000, 1, 0x7f7fffff} // a signalling NaN among them
	var raw []byte
	for _, v := range odd {
		raw = binary.LittleEndian.AppendUint32(raw, v)
	}
	var out bytes.Buffer
	if err := WriteMatrix(context.Background(), &out, &Stored{Data: bytes.NewReader(raw), Rows: 1, Cols: int64(len(odd))}, Float32); err != nil || !bytes.Equal(out.Bytes(), raw) {
		t.Errorf("%x came out as %x, %v", raw, out.Bytes(), err)
	}
}

// params are of all forms that a parameter can have.
func params(t *testing.T) map[string]*ir.Param {
	t.Helper()
	b := ir.NewBuilder("forms")
	x := b.Input("x", ir.Float, ir.S("n"), ir.D(6))
	init := ir.Init{Kind: ir.Normal, Std: 0.02}
	three := []ir.Part{{Name: "q", Rows: 4}, {Name: "k", Rows: 2}, {Name: "v", Rows: 2}}
	bias := []ir.Part{{Name: "q.bias", Rows: 4}, {Name: "k.bias", Rows: 2}, {Name: "v.bias", Rows: 2}}
	b.Output("y0", b.MatMul(x, b.Param("plain", ir.Float, init, 6, 8)))
	y := b.MatMul(x, b.TurnedParam("turned", ir.Float, init, nil, 6, 8))
	y = b.Add(y, b.StackedParam("bias", ir.Float, ir.Init{Kind: ir.Ones}, bias, 8))
	b.Output("y1", y)
	b.Output("y2", b.MatMul(x, b.TurnedParam("qkv", ir.Float, init, three, 6, 8)))
	q := ir.Quant{Weight: "qkv4", K: 6, N: 8, Block: 16, Bits: 4, Transposed: true}
	b.Output("y3", b.MatMulNBits(x, b.QuantParam("qkv4", init, q, three...), nil, 4))
	q.Weight, q.Transposed = "plain", false
	b.Output("y4", b.MatMulNBits(x, b.QuantParam("plain", init, q), nil, 4))
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*ir.Param{}
	for _, p := range g.Params {
		out[p.Name] = p
	}
	return out
}

func write(t *testing.T, s Source, p *ir.Param) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.WriteParam(context.Background(), &b, p); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != p.Bytes() {
		t.Fatalf("%s: %d bytes written of %d", p.Name, b.Len(), p.Bytes())
	}
	return b.Bytes()
}

// TestGivenIsWhatWasDrawn: random weights, written as they are published and given
// back, make the parameters that they make at random: every form, quantized too.
func TestGivenIsWhatWasDrawn(t *testing.T) {
	random := &Random{Seed: 3}
	given := &Given{Tensors: map[string]Matrix{}}
	all := params(t)
	for _, p := range all {
		if p.Quant != nil {
			continue
		}
		for _, part := range p.Published() {
			var b bytes.Buffer
			if err := random.WritePublished(context.Background(), &b, p, part.Name); err != nil {
				t.Fatal(err)
			}
			m := &Stored{Data: bytes.NewReader(b.Bytes()), Rows: part.Rows, Cols: int64(b.Len()) / 4 / part.Rows}
			if len(p.Shape) == 1 {
				m.Rows, m.Cols = m.Cols, m.Rows
			}
			given.Tensors[part.Name] = m
		}
	}
	for name, p := range all {
		if strings.HasPrefix(name, "qkv4") {
			continue // of another name, so drawn otherwise
		}
		if got, want := write(t, given, p), write(t, random, p); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes differ", name, len(want))
		}
	}
	// The stacked weight, quantized, is the float one quantized.
	float := make([]float32, 8*6)
	Float32.decode(float, write(t, given, all["qkv"]))
	data, scales := make([]byte, 8*8), make([]float32, 8)
	for n := range 8 {
		row := make([]float32, 6)
		for k := range row {
			row[k] = float[k*8+n]
		}
		Quantize4(row, 16, data[n*8:(n+1)*8], scales[n:n+1])
	}
	if got := write(t, given, all["qkv4_Q4"]); !bytes.Equal(got, data) {
		t.Errorf("quantized %x, want %x", got, data)
	}
	if got := write(t, given, all["qkv4_scales"]); !bytes.Equal(got, appendFloats(nil, scales)) {
		t.Errorf("scales %x", got)
	}
	var names []string
	for _, e := range given.Errors {
		names = append(names, e.Weight)
		if !(e.Relative > 0 && e.Relative < 0.2 && e.Cosine > 0.98 && e.Cosine <= 1 && e.MaxAbs > 0) {
			t.Errorf("%+v is no error of 4 bits", e)
		}
	}
	slices.Sort(names)
	if len(names) < 2 || !slices.Contains(names, "plain") || !slices.Contains(names, "qkv4") {
		t.Errorf("errors of %v", names)
	}
	if j := Joined("all", given.Errors...); !(j.Relative > 0) || j.Weight != "all" {
		t.Errorf("joined: %+v", j)
	}
}

func TestGivenRefuses(t *testing.T) {
	all := params(t)
	nan := counted(48)
	nan[13] = float32(math.Inf(-1))
	for says, c := range map[string]struct {
		param   string
		tensors map[string]Matrix
	}{
		"no tensor plain is given, for parameter plain":        {"plain", nil},
		"tensor plain has 8 rows, and parameter plain takes 6": {"plain", map[string]Matrix{"plain": stored(Float32, 8, 6, counted(48))}},
		"[6, 7]": {"plain", map[string]Matrix{"plain": stored(Float32, 6, 7, counted(42))}},
		"tensor k has 5 columns, and q, which parameter qkv has above it, 6":  {"qkv", map[string]Matrix{"q": stored(Float32, 4, 6, counted(24)), "k": stored(Float32, 2, 5, counted(10))}},
		"value -Inf of output 5, input 1: not finite; it cannot be quantized": {"plain_Q4", map[string]Matrix{"plain": stored(Float32, 6, 8, nan)}},
		"has 8 outputs of 6 inputs, and what is given for it 7 of 6":          {"plain_Q4", map[string]Matrix{"plain": stored(Float32, 6, 7, counted(42))}},
		"the file ends within a tensor":                                       {"plain", map[string]Matrix{"plain": stored(Float32, 6, 8, counted(40))}},
		"weights: the file ends within a tensor: unexpected EOF":              {"plain_Q4", map[string]Matrix{"plain": stored(BFloat16, 6, 8, counted(40))}},
		"tensor q.bias has 1 rows":                                            {"bias", map[string]Matrix{"q.bias": stored(Float32, 1, 1, counted(1))}},
		"parameter bias takes 4 of it":                                        {"bias", map[string]Matrix{"q.bias": stored(Float32, 4, 2, counted(8))}},
	} {
		err := (&Given{Tensors: c.tensors}).WriteParam(context.Background(), io.Discard, all[c.param])
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	err := (&Given{Tensors: map[string]Matrix{"plain": stored(Float32, 6, 8, nan)}}).WriteParam(context.Background(), io.Discard, all["plain_Q4"])
	if !errors.Is(err, ErrNotFinite) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, name := range []string{"plain", "plain_Q4"} {
		err := (&Given{Tensors: map[string]Matrix{"plain": stored(Float32, 6, 8, counted(48))}}).WriteParam(ctx, io.Discard, all[name])
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestScan(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	vals := []float32{1, nan, -inf, inf, 0, nan}
	all := []Named{
		{"b", stored(Float32, 2, 3, vals)},
		{"a", stored(BFloat16, 2, 3, vals)},
		{"c", stored(Float16, 1, 2, []float32{1, -inf})},
		{"d", stored(Float32, 1, 1, []float32{math.MaxFloat32})},
	}
	var last int64
	s, err := Scan(context.Background(), all, func(done, total int64) { last = max(last, done) })
	if err != nil {
		t.Fatal(err)
	}
	want := []NotFinite{{"a", 2, 2}, {"b", 2, 2}, {"c", 0, 1}}
	if !slices.Equal(s.NotFinite, want) || last != 24+12+4+4 {
		t.Errorf("%+v after %d bytes, want %+v after 44", s.NotFinite, last, want)
	}
	slices.Reverse(all)
	if again, err := Scan(context.Background(), all, nil); err != nil || again.Sum != s.Sum {
		t.Errorf("in another order the sum is %s, %v", again.Sum, err)
	}
	all[0] = Named{"e", all[0].Stored}
	if other, err := Scan(context.Background(), all, nil); err != nil || other.Sum == s.Sum {
		t.Errorf("another name has the same sum: %v", err)
	}
	all[1].Cols = 100
	if _, err := Scan(context.Background(), all, nil); err == nil || !strings.Contains(err.Error(), "tensor c: the file ends") && !strings.Contains(err.Error(), "tensor "+all[1].Name) {
		t.Errorf("a short file: %v", err)
	}
}

// TestNotFinite: values that are none are found wherever they stand, as the values
// themselves say.
func TestNotFinite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := FloatType(rapid.IntRange(0, 2).Draw(t, "type"))
		raw := make([]byte, kind.Size()*rapid.Int64Range(0, 5000).Draw(t, "values"))
		for i := range raw {
			raw[i] = byte(i) & 0x3f // of finite values
		}
		for range rapid.IntRange(0, 3).Draw(t, "odd") {
			if len(raw) > 0 {
				at := rapid.IntRange(0, len(raw)/int(kind.Size())-1).Draw(t, "at") * int(kind.Size())
				copy(raw[at:], rapid.SampledFrom([]string{"\x00\x00\x80\x7f", "\xff\xff\xff\xff", "\x00\x7c\x00\xfc", "\x80\xff\x80\x7f", "\x01\x00\x80\xff"}).Draw(t, "bytes")[:kind.Size()])
			}
		}
		vals := make([]float32, len(raw)/int(kind.Size()))
		kind.decode(vals, raw)
		var nan, inf int64
		for _, v := range vals {
			if math.IsNaN(float64(v)) {
				nan++
			} else if math.IsInf(float64(v), 0) {
				inf++
			}
		}
		if n, i := kind.notFinite(raw); n != nan || i != inf {
			t.Fatalf("%v: %d NaN and %d infinite values, want %d and %d", kind, n, i, nan, inf)
		}
	})
}

// BenchmarkQuantize prints what a weight of 1024 x 4096 takes, read and quantized.
func BenchmarkQuantize(b *testing.B) {
	const k, n = 1024, 4096
	rng := rand.New(rand.NewPCG(1, 1))
	vals := make([]float32, k*n)
	for i := range vals {
		vals[i] = normal(rng, 0.02)
	}
	m := stored(Float32, n, k, vals)
	bld := ir.NewBuilder("one")
	x := bld.Input("x", ir.Float, ir.S("n"), ir.D(k))
	q := ir.Quant{Weight: "w", K: k, N: n, Block: 32, Bits: 4, Transposed: true}
	bld.Output("y", bld.MatMulNBits(x, bld.QuantParam("w", ir.Init{Kind: ir.Normal, Std: 0.02}, q), nil, 4))
	g, err := bld.Build()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(m.Bytes())
	for b.Loop() {
		given := &Given{Tensors: map[string]Matrix{"w": m}}
		if err := given.WriteParam(context.Background(), io.Discard, g.Params[0]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTurn prints what 1024 columns of a weight of 1024 x 4096 take as rows.
func BenchmarkTurn(b *testing.B) {
	const k, n = 1024, 4096
	m := stored(Float32, k, n, counted(k*n))
	dst := make([]float32, k*1024)
	b.SetBytes(4 * k * 1024)
	for b.Loop() {
		if err := Turn(m).Read(dst, 0, 1024, 0, k); err != nil {
			b.Fatal(err)
		}
	}
}
