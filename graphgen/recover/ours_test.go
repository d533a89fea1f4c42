package recover_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/half"
	"lathe/graphgen/hf"
	"lathe/graphgen/ir"
	"lathe/graphgen/recover"
	"lathe/graphgen/weights"
)

// drawn is small Specs of both families: one head and many, heads that share keys,
// head_dim of its own, layers that differ, tied and untied heads, all settings.
func drawn(n int) (specs []arch.Spec) {
	rng := rand.New(rand.NewPCG(11, 1))
	pick := func(vals ...int) int { return vals[rng.IntN(len(vals))] }
	for i := range n {
		heads, headDim := pick(1, 2, 3, 4, 6), 8*(1+rng.IntN(4))
		s := arch.Spec{Family: arch.GPT2, Vocab: 30 + rng.IntN(90), Positions: 24 + rng.IntN(20), DModel: heads * headDim, Untied: rng.IntN(2) == 0}
		if i%2 == 1 {
			s.Family, s.QKVBias = arch.LLaMA, i%3 == 0
		}
		if i%5 == 2 {
			s.HeadDim, s.DModel = headDim, 24+8*rng.IntN(6)
		}
		if i%7 == 3 {
			s.NormEps = 1e-6
		}
		for range 1 + rng.IntN(3) {
			l := arch.Layer{Type: arch.Transformer, NHead: heads, DInner: 8 + rng.IntN(60)}
			if heads%2 == 0 && rng.IntN(3) == 0 {
				l.NHead = heads / 2
			}
			if s.Family == arch.LLaMA && l.NHead%2 == 0 && rng.IntN(2) == 0 {
				l.NKVHead = l.NHead / 2
			}
			s.Layers = append(s.Layers, l)
		}
		if s.Family == arch.LLaMA {
			switch i % 8 {
			case 1:
				s.RopeBase = 500000
			case 3:
				s.RopeScaling = &arch.RopeScaling{Type: arch.RopeLinear, Factor: 4}
			case 5:
				s.RopeScaling = &arch.RopeScaling{Type: arch.RopeLLaMA3, Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalPositions: 32}
			}
		}
		specs = append(specs, s)
	}
	return specs
}

var builds = []arch.Build{
	{Dialect: arch.Portable},
	{Dialect: arch.Fused},
	{Dialect: arch.Portable, Precision: arch.Precision{Type: arch.Int4, Block: 16}, Head: arch.Precision{Type: arch.Unquantized}},
	{Dialect: arch.Fused, Precision: arch.Precision{Type: arch.Int4, Block: 32}},
	{Dialect: arch.Fused, Precision: arch.Precision{Type: arch.Int8, Block: 16, Asym: true}, Embed: arch.Precision{Type: arch.Int4, Block: 32, Asym: true}},
	{Dialect: arch.Portable, Precision: arch.Precision{Type: arch.Int8Dyn}, Head: arch.Precision{Type: arch.Int4, Block: 64, Asym: true}},
}

// halves are builds of float16, whose tables of angles do not tell rotary frequencies
// to the digits that a file without metadata would have to be recognised by.
var halves = []arch.Build{
	{Dialect: arch.Portable, Float: arch.FP16},
	{Dialect: arch.Fused, Float: arch.FP16},
	{Dialect: arch.Fused, Float: arch.FP16, Precision: arch.Precision{Type: arch.Int8, Block: 16, Asym: true}, Head: arch.Precision{Type: arch.Unquantized}},
}

// lively draws vectors too, around what they are at first, each otherwise.
type lively struct{ weights.Random }

func (s *lively) WriteParam(ctx context.Context, w io.Writer, p *ir.Param) error {
	if len(p.Shape) != 1 || p.Quant != nil {
		return s.Random.WriteParam(ctx, w, p)
	}
	h := fnv.New64a()
	io.WriteString(h, p.Name)
	rng := rand.New(rand.NewPCG(s.Seed, h.Sum64()))
	middle := float32(0)
	if p.Init.Kind == ir.Ones {
		middle = 1
	}
	vals := make([]float32, p.Shape[0].N)
	for i := range vals {
		vals[i] = middle + 0.3*float32(rng.NormFloat64())
	}
	if p.Type == ir.Float16 {
		for _, v := range vals {
			if err := binary.Write(w, binary.LittleEndian, half.From(v)); err != nil {
				return err
			}
		}
		return nil
	}
	return binary.Write(w, binary.LittleEndian, vals)
}

// emit writes a candidate with random weights.
func emit(t testing.TB, c arch.Candidate, mode graphgen.Mode, seed uint64) (path string) {
	t.Helper()
	g, err := graphgen.Lower(c, mode)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "model.onnx")
	if err := weights.Write(context.Background(), path, g, &lively{weights.Random{Seed: seed}}, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, path string) *recover.Model {
	t.Helper()
	m, err := recover.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// whole are a model's tensors: exactly those of its Spec, in their shapes.
func whole(t testing.TB, m *recover.Model) {
	t.Helper()
	want := hf.Tensors(m.Spec)
	for _, x := range want {
		got := m.Tensors[x.Name]
		if got == nil {
			t.Errorf("%s is missing", x.Name)
			continue
		}
		rows, cols := got.Size()
		if shape := []int64{rows, cols}; !slices.Equal(shape[2-len(x.Shape):], x.Shape) || len(x.Shape) == 1 && rows != 1 {
			t.Errorf("%s is [%d, %d], want %v", x.Name, rows, cols, x.Shape)
		}
	}
	if len(m.Tensors) != len(want) {
		t.Errorf("%d tensors, want %d", len(m.Tensors), len(want))
	}
}

// again writes what was recovered as a candidate's file.
func again(t testing.TB, m *recover.Model, b arch.Build) (path string) {
	t.Helper()
	g, err := graphgen.Lower(arch.Candidate{Spec: m.Spec, Build: b}, graphgen.Cached)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "model.onnx")
	if err := weights.Write(context.Background(), path, g, &weights.Given{Tensors: m.Tensors}, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

func sameFiles(t testing.TB, a, b string) {
	t.Helper()
	for _, suffix := range []string{"", "_data"} {
		x, err := os.ReadFile(a + suffix)
		if err != nil {
			t.Fatal(err)
		}
		y, err := os.ReadFile(b + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x, y) {
			t.Errorf("model.onnx%s differs: %d bytes and %d", suffix, len(x), len(y))
		}
	}
}

// TestOurs: what was emitted is recovered, and emitted from that, is the same to the
// byte; quantized weights are what their codes stand for.
func TestOurs(t *testing.T) {
	for i, s := range drawn(20) {
		for _, b := range slices.Concat(builds, halves) {
			c := arch.Candidate{Spec: s, Build: b}
			if c.Build.CheckSpec(s) != nil {
				continue
			}
			t.Run(c.Name(), func(t *testing.T) {
				path := emit(t, c, graphgen.Cached, uint64(i))
				m := open(t, path)
				if m.Kind != recover.Lathe || !m.Ours || !m.Build.Equal(b) || !m.Spec.Equal(s) {
					t.Fatalf("%s %v %s", m.Kind, m.Ours, arch.Candidate{Spec: m.Spec, Build: m.Build}.Name())
				}
				whole(t, m)
				scanned, err := weights.Scan(context.Background(), m.Named(), nil)
				if err != nil || scanned.NotFinite != nil {
					t.Errorf("scanned %+v, %v", scanned, err)
				}
				if b.Normalized().Precision.Type == arch.Unquantized {
					if m.Notes != nil {
						t.Errorf("notes %q", m.Notes)
					}
					sameFiles(t, path, again(t, m, b))
					return
				}
				if len(m.Notes) != 1 || !strings.Contains(m.Notes[0], "quantized in the file ("+b.Precision.String()) {
					t.Errorf("notes %q", m.Notes)
				}
				whole := open(t, emit(t, arch.Candidate{Spec: s, Build: arch.Build{Dialect: b.Dialect}}, graphgen.Cached, uint64(i)))
				for name, x := range m.Tensors {
					if worst := furthest(t, x, whole.Tensors[name]); worst > 0.5*coarsest(b) {
						t.Errorf("%s is up to %.3f of its largest value from what it was quantized from", name, worst)
					}
				}
			})
		}
	}
}

// coarsest is how much wider a build's steps may be than those of int4: with zero points
// they are of the whole range over 15, not of its larger half over 7.
func coarsest(b arch.Build) float64 {
	n := b.Normalized()
	if n.Precision.Asym || n.Head.Asym || n.Embed.Asym {
		return 14. / 15
	}
	return 1
}

// furthest is the largest difference of two matrices over a step of int4, the largest
// magnitude over 7: quantization in blocks is within half of that.
func furthest(t testing.TB, a, b weights.Matrix) float64 {
	t.Helper()
	x, y := all(t, a), all(t, b)
	var worst, most float64
	for i := range x {
		worst = max(worst, math.Abs(float64(x[i])-float64(y[i])))
		most = max(most, math.Abs(float64(y[i])))
	}
	return worst / (most / 7 * 1.0001)
}

func all(t testing.TB, m weights.Matrix) []float32 {
	t.Helper()
	rows, cols := m.Size()
	out := make([]float32, rows*cols)
	if err := m.Read(out, 0, rows, 0, cols); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPlain: a graph without a cache is as good.
func TestPlain(t *testing.T) {
	for i, s := range drawn(4) {
		m := open(t, emit(t, arch.Candidate{Spec: s}, graphgen.Plain, uint64(i)))
		if !m.Ours || !m.Spec.Equal(s) {
			t.Errorf("%s, want %s", m.Spec.Name(), s.Name())
		}
		whole(t, m)
	}
}
