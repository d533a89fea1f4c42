package inherit

import (
	"math/rand/v2"
	"strings"
	"testing"

	"lathe/finetune"
	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

var env *ort.Env

func TestMain(m *testing.M) {
	provisiontest.Main(m, func(path string) (err error) {
		env, err = ort.Open(path)
		return err
	})
}

func spec(t testing.TB, text string) arch.Spec {
	t.Helper()
	s, err := specOf(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// specOf reads a compact name, or YAML in braces; portable, so that heads may have any
// size.
func specOf(text string) (arch.Spec, error) {
	if text[0] != '{' {
		return arch.ParseSpec(text)
	}
	c, err := arch.ParseYAML("spec", []byte(strings.TrimSuffix(text, "}")+", build: {dialect: portable}}"))
	return c.Spec, err
}

// dense is a matrix in memory.
type dense struct {
	rows, cols int
	vals       []float32
}

func (d *dense) Size() (rows, cols int64) { return int64(d.rows), int64(d.cols) }

func (d *dense) Read(dst []float32, r0, r1, c0, c1 int64) error {
	for r := r0; r < r1; r++ {
		dst = dst[copy(dst, d.vals[int(r)*d.cols:][c0:c1]):]
	}
	return nil
}

func (d *dense) clearRow(r int) { clear(d.vals[r*d.cols:][:d.cols]) }
func (d *dense) clearColumn(c int) {
	for r := range d.rows {
		d.vals[r*d.cols+c] = 0
	}
}

// model is a model's tensors as they are published.
type model map[string]*dense

func (m model) given() *weights.Given {
	out := map[string]weights.Matrix{}
	for name, d := range m {
		out[name] = d
	}
	return &weights.Given{Tensors: out, Sum: "random"}
}

// drawn is random tensors for a spec; of matrices large enough that attention differs
// from token to token.
func drawn(t testing.TB, s arch.Spec, seed uint64) model {
	t.Helper()
	b := ir.NewBuilder("names")
	if _, err := graphgen.Train(b, s, graphgen.Training{Batch: 1, Sequence: 1}); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	out := model{}
	for _, p := range b.Params() {
		for _, part := range p.Published() {
			d := &dense{rows: int(part.Rows), cols: int(p.Shape[len(p.Shape)-1].N)}
			switch {
			case len(p.Shape) == 1:
				d.rows, d.cols = 1, d.rows
			case p.Turned:
				d.cols = int(p.Shape[0].N)
			}
			d.vals = make([]float32, d.rows*d.cols)
			for i := range d.vals {
				d.vals[i] = 0.2 * float32(rng.NormFloat64())
				if p.Init.Kind == ir.Ones {
					d.vals[i]++
				}
			}
			out[part.Name] = d
		}
	}
	return out
}

// fixed is the same random tokens every time.
type fixed struct{ vocab int }

func (f fixed) Fill(k int, ids, _ []int64) error {
	rng := rand.New(rand.NewPCG(uint64(k), 8))
	for i := range ids {
		ids[i] = rng.Int64N(int64(f.vocab))
	}
	return nil
}

const batch, sequence = 3, 8

func measured(t testing.TB, s arch.Spec, src weights.Source) *Statistics {
	t.Helper()
	stats, err := Measure(t.Context(), env, src, Options{Spec: s, Batch: batch, Sequence: sequence, Batches: 4}, fixed{s.Vocab})
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

// computed is what of a forward pass over the first batch pick picks.
func computed(t testing.TB, s arch.Spec, src weights.Source, pick func(f *graphgen.Forward) *ir.Value) []float32 {
	t.Helper()
	m, err := finetune.NewFrozen(t.Context(), env, finetune.FrozenOptions{Spec: s, Batch: batch, Sequence: sequence}, src,
		func(b *ir.Builder, f *graphgen.Forward) { b.Output("picked", pick(f)) })
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ids := make([]int64, batch*sequence)
	fixed{s.Vocab}.Fill(0, ids, nil) //nolint:errcheck // it has none
	if err := m.Run(ids); err != nil {
		t.Fatal(err)
	}
	return append([]float32(nil), ort.Data[float32](m.Output("picked"))...)
}

func logits(f *graphgen.Forward) *ir.Value { return f.Logits(f.Hidden) }

// must is an error's absence.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wants(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("error %v, it should say %q", err, part)
	}
}
