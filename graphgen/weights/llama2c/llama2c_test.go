package llama2c

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
)

// checkpoint is a header of words and that many values, which count from 0.
func checkpoint(header []int32, fill, vals int) []byte {
	var b []byte
	for _, v := range header {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	for len(b) < fill {
		b = append(b, 0)
	}
	for i := range vals {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(i)))
	}
	return b
}

func read(b []byte) (*Model, error) { return Read(bytes.NewReader(b), int64(len(b)), "a.bin") }

// The sizes of the tests: dim 8, hidden 6, 2 layers, 2 heads, 1 of keys and values,
// 5 tokens, 3 positions.
var (
	sizes = []int32{8, 6, 2, 2, 1, 5, 3}
	// layer is what one layer has: norms, queries, keys, values, output, MLP.
	layer  = 2*8 + 8*8 + 2*4*8 + 8*8 + 3*6*8
	common = 5*8 + 2*layer + 8 // embedding and last norm
	angles = 2 * 3 * 2         // cosines and sines of 3 positions and 2 pairs
)

func first(vocab int32) []int32 {
	out := append([]int32(nil), sizes...)
	out[5] = vocab
	return out
}

func later(shared int32) []int32 {
	return append(append([]int32{magic, 1}, sizes...), shared)
}

// TestForms: both forms, with shared and own heads. The sizes say which tensors
// there are, and where.
func TestForms(t *testing.T) {
	for name, c := range map[string]struct {
		file   []byte
		spec   string
		begins map[string]float32 // first value by tensor
	}{
		"first": {checkpoint(first(5), 0, common+angles), "llama-l2-d8-f6-h2-kv1-v5-p3-tied", map[string]float32{
			"model.embed_tokens.weight":                      0,
			"model.layers.0.input_layernorm.weight":          40,
			"model.layers.1.input_layernorm.weight":          48,
			"model.layers.0.self_attn.q_proj.weight":         56,
			"model.layers.1.self_attn.k_proj.weight":         56 + 128 + 32,
			"model.layers.0.mlp.down_proj.weight":            float32(56 + 128 + 64 + 64 + 128 + 16 + 96),
			"model.layers.0.post_attention_layernorm.weight": float32(56 + 128 + 64 + 64 + 128),
			"model.norm.weight":                              float32(common - 8),
		}},
		"first, own head": {checkpoint(first(-5), 0, common+angles+40), "llama-l2-d8-f6-h2-kv1-v5-p3", map[string]float32{
			"lm_head.weight": float32(common + angles),
		}},
		"later": {checkpoint(later(1), laterHeader, common), "llama-l2-d8-f6-h2-kv1-v5-p3-tied", map[string]float32{
			"model.layers.0.input_layernorm.weight": 0,
			"model.norm.weight":                     32,
			"model.embed_tokens.weight":             40,
			"model.layers.1.mlp.up_proj.weight":     float32(common - 48),
		}},
		"later, own head": {checkpoint(later(0), laterHeader, common+40), "llama-l2-d8-f6-h2-kv1-v5-p3", map[string]float32{
			"lm_head.weight": float32(common),
		}},
	} {
		m, err := read(c.file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.Spec.Name() != c.spec {
			t.Errorf("%s: %s, want %s", name, m.Spec.Name(), c.spec)
		}
		matrices := m.Matrices()
		want := hf.Tensors(m.Spec)
		if len(want) != len(matrices) || len(want) != len(m.Tensors) {
			t.Errorf("%s: %d tensors, want %d", name, len(matrices), len(want))
		}
		for _, x := range want {
			rows, cols := matrices[x.Name].Size()
			if s := x.Stored(); s.Rows != rows || s.Cols != cols {
				t.Errorf("%s: %s is [%d, %d], want %v", name, x.Name, rows, cols, x.Shape)
			}
		}
		for tensor, begin := range c.begins {
			var v [1]float32
			if err := matrices[tensor].Read(v[:], 0, 1, 0, 1); err != nil || v[0] != begin {
				t.Errorf("%s: %s begins with %g, %v; want %g", name, tensor, v[0], err, begin)
			}
		}
	}
}

// TestRowsOfPairs: in a head of 4, the rows 0 1 2 3, which turn as (0 1) and (2 3),
// become 0 2 1 3, which turn as (0 1) and (2 3) by halves.
func TestRowsOfPairs(t *testing.T) {
	m, err := read(checkpoint(first(5), 0, common+angles))
	if err != nil {
		t.Fatal(err)
	}
	q := m.Matrices()["model.layers.0.self_attn.q_proj.weight"]
	vals := make([]float32, 64)
	if err := q.Read(vals, 0, 8, 0, 8); err != nil {
		t.Fatal(err)
	}
	for i, row := range []float32{0, 2, 1, 3, 4, 6, 5, 7} {
		if want := 56 + 8*row; vals[8*i] != want {
			t.Errorf("row %d begins with %g, want %g", i, vals[8*i], want)
		}
	}
}

var bad = []struct {
	file []byte
	says string
}{
	{nil, "it has 0 bytes"},
	{checkpoint(sizes[:6], 0, 0), "it has 24 bytes"},
	{checkpoint(first(5), 0, common), "dim 8, hidden_dim 6, n_layers 2, n_heads 2, n_kv_heads 1, vocab_size 5, seq_len 3"},
	{checkpoint(first(5), 0, common+angles+1), "and it has "},
	{checkpoint(later(1), 0, 0), "begins with a header of 256"},
	{checkpoint([]int32{magic, 2}, laterHeader, 0), "version 2 is not read"},
	{checkpoint([]int32{8, 6, 0, 2, 1, 5, 3}, 0, 0), "n_layers 0 is out of range"},
	{checkpoint([]int32{8, 6, 1 << 30, 2, 1, 5, 3}, 0, 0), "n_layers 1073741824 is out of range"},
	{checkpoint([]int32{8, 6, 1, 3, 1, 5, 3}, 0, 0), "n_heads 3 does not divide dim 8"},
	{checkpoint([]int32{8, 6, 1, 8, 1, 5, 3}, 0, 0), "is odd"},
	{checkpoint([]int32{8, 6, 1, 2, 0, 5, 3}, 0, 0), "n_kv_heads 0 is out of range"},
	{checkpoint([]int32{-8, 6, 1, 2, 1, 5, 3}, 0, 0), "d_model -8 is out of range"},
	{checkpoint([]int32{8, 6, 1, 2, 1, math.MinInt32, 3}, 0, 0), "vocab 2147483648 is out of range"},
	{[]byte("this is a text of more than twenty-eight bytes"), "out of range"},
}

func TestBadFiles(t *testing.T) {
	for _, c := range bad {
		_, err := read(c.file)
		if err == nil || !strings.HasPrefix(err.Error(), "llama2c: a.bin: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
		if !strings.Contains(c.says, "version") && !errors.Is(err, ErrFormat) {
			t.Errorf("%v is not %v", err, ErrFormat)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, c := range bad {
		f.Add(c.file)
	}
	f.Add(checkpoint(first(-5), 0, common+angles+40))
	f.Add(checkpoint(later(1), laterHeader, common))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := read(data)
		if err != nil {
			return
		}
		if err := m.Spec.Validate(); err != nil || m.Spec.Family != arch.LLaMA {
			t.Fatalf("read, but %v", err)
		}
		var values int64
		for name, x := range m.Matrices() {
			rows, cols := x.Size()
			v := make([]float32, cols)
			if err := x.Read(v, rows-1, rows, 0, cols); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			values += rows * cols
		}
		if values != m.Spec.TotalParams() {
			t.Fatalf("%d values, the model has %d", values, m.Spec.TotalParams())
		}
	})
}
