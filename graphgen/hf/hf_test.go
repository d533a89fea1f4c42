package hf_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
	"lathe/graphgen/weights"
	"lathe/graphgen/weights/safetensors"
)

// spec parses a name.
func spec(t testing.TB, name string) arch.Spec {
	t.Helper()
	s, err := arch.ParseSpec(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// specs are of both families, with all that tensors depend on.
func specs(t testing.TB) []arch.Spec {
	qwen := spec(t, "llama-l2-d32-f40-h4-kv2-v50-p64")
	qwen.QKVBias, qwen.RopeBase, qwen.NormEps = true, 1e6, 1e-6
	scaled := spec(t, "llama-l1-d24-f40-h4-v50-p64-hd16-tied")
	scaled.RopeScaling = &arch.RopeScaling{Type: arch.RopeLLaMA3, Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalPositions: 32}
	return []arch.Spec{
		spec(t, "gpt2-l2-d24-f50-h3-v60-p40"), spec(t, "gpt2-l1-d32-f16-h4-v60-p40-untied"),
		spec(t, "llama-l2-d32-f40-h4-kv1-v50-p64"), qwen, scaled,
	}
}

// TestTensorsAreTheGraphs: names and sizes are those that the lowering publishes.
func TestTensorsAreTheGraphs(t *testing.T) {
	for _, s := range specs(t) {
		for _, b := range []arch.Build{{}, {Dialect: arch.Portable}, {Precision: arch.Precision{Type: arch.Int4, Block: 16}}} {
			g, err := graphgen.Lower(arch.Candidate{Spec: s, Build: b}, graphgen.Cached)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]int64{}
			for _, p := range g.Params {
				for _, part := range p.Published() {
					want[part.Name] = part.Rows
				}
			}
			var total int64
			for _, tensor := range hf.Tensors(s) {
				rows, known := want[tensor.Name]
				if !known || rows != tensor.Shape[0] {
					t.Errorf("%s%s: %s %v, the graph has %d rows of it: %v", s.Name(), b.Name(), tensor.Name, tensor.Shape, rows, known)
				}
				delete(want, tensor.Name)
				rows, cols := tensor.Stored().Rows, tensor.Stored().Cols
				total += rows * cols
			}
			if len(want) > 0 || total != s.TotalParams() {
				t.Errorf("%s%s: the graph has %v besides; %d parameters, want %d", s.Name(), b.Name(), want, total, s.TotalParams())
			}
		}
	}
}

// values are a tensor's: of its name, each its own.
func values(name string, n int64) []float32 {
	seed := uint64(len(name))
	for _, c := range name {
		seed = seed*131 + uint64(c)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64()) * 0.05
	}
	return out
}

// save writes a folder.
func save(t testing.TB, s arch.Spec) string {
	t.Helper()
	dir := t.TempDir()
	err := hf.Save(context.Background(), dir, hf.Saving{
		Spec:   s,
		Tokens: map[string]json.RawMessage{"eos_token_id": json.RawMessage("5")},
		Write: func(_ context.Context, w io.Writer, x hf.Tensor) error {
			st := x.Stored()
			return binary.Write(w, binary.LittleEndian, values(x.Name, st.Rows*st.Cols))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestInAndOut: what is written is read as the same Spec, and written again it is
// the same bytes; a sharded folder is the same model.
func TestInAndOut(t *testing.T) {
	for _, s := range specs(t) {
		dir := save(t, s)
		m, err := hf.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if err := m.Check(); err != nil || !m.Spec().Equal(s) || string(m.Config.Tokens["eos_token_id"]) != "5" {
			t.Fatalf("%s came back as %+v, %v", s.Name(), m.Spec(), err)
		}
		again := t.TempDir()
		tensors := m.Matrices()
		err = hf.Save(context.Background(), again, hf.Saving{Spec: m.Spec(), Tokens: m.Config.Tokens, Write: func(ctx context.Context, w io.Writer, x hf.Tensor) error {
			return weights.WriteMatrix(ctx, w, tensors[x.Name], weights.Float32)
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{hf.ConfigFile, hf.WeightsFile} {
			a, errA := os.ReadFile(filepath.Join(dir, f))
			b, errB := os.ReadFile(filepath.Join(again, f))
			if errA != nil || errB != nil || !bytes.Equal(a, b) {
				t.Errorf("%s: %s differs: %v, %v", s.Name(), f, errA, errB)
			}
		}
		shard(t, again, tensors, m.Tensors)
		n, err := hf.Open(again)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		a, errA := weights.Scan(context.Background(), m.Named(), nil)
		b, errB := weights.Scan(context.Background(), n.Named(), nil)
		if errA != nil || errB != nil || a.Sum != b.Sum || n.Check() != nil {
			t.Errorf("%s: in two files the weights are others: %v, %v, %v", s.Name(), errA, errB, n.Check())
		}
	}
}

// shard writes a folder's weights again, as two files and an index.
func shard(t *testing.T, dir string, tensors map[string]weights.Matrix, all []hf.Tensor) {
	t.Helper()
	index := map[string]string{}
	half := len(all) / 2
	for i, part := range [][]hf.Tensor{all[:half], all[half:]} {
		name := fmt.Sprintf("model-%05d-of-00002.safetensors", i+1)
		var entries []safetensors.Tensor
		for _, x := range part {
			index[x.Name] = name
			entries = append(entries, safetensors.Tensor{Name: x.Name, Type: safetensors.F32, Shape: x.Shape})
		}
		file(t, dir, name, entries, func(w io.Writer, x safetensors.Tensor) error {
			return weights.WriteMatrix(context.Background(), w, tensors[x.Name], weights.Float32)
		})
	}
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 1}, "weight_map": index})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, hf.IndexFile), text, 0o644), os.Remove(filepath.Join(dir, hf.WeightsFile))); err != nil {
		t.Fatal(err)
	}
}

// file writes one safetensors file.
func file(t *testing.T, dir, name string, entries []safetensors.Tensor, data func(io.Writer, safetensors.Tensor) error) {
	t.Helper()
	var b bytes.Buffer
	if err := safetensors.Write(&b, nil, entries, data); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestHalvesAndOldNames: a folder of the bare model, in fp16 and bf16, with the
// masks that old versions stored.
func TestHalvesAndOldNames(t *testing.T) {
	s := spec(t, "gpt2-l2-d24-f50-h3-v60-p40")
	dir := save(t, s)
	var entries []safetensors.Tensor
	for i, x := range hf.Tensors(s) {
		kind := safetensors.F16
		if i%2 == 0 {
			kind = safetensors.BF16
		}
		entries = append(entries, safetensors.Tensor{Name: strings.TrimPrefix(x.Name, "transformer."), Type: kind, Shape: x.Shape})
	}
	entries = append(entries, safetensors.Tensor{Name: "h.0.attn.bias", Type: "BOOL", Shape: []int64{1, 1, 40, 40}},
		safetensors.Tensor{Name: "lm_head.weight", Type: safetensors.F32, Shape: []int64{1}})
	file(t, dir, hf.WeightsFile, entries, func(w io.Writer, x safetensors.Tensor) error {
		b := make([]byte, x.Bytes())
		for i := 0; i+2 <= len(b) && x.Type.Size() == 2; i += 2 {
			binary.LittleEndian.PutUint16(b[i:], 0x3c00) // 1 as fp16, 0.0078125 as bf16
		}
		_, err := w.Write(b)
		return err
	})
	m, err := hf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Check(); err != nil || !slices.Equal(m.Ignored, []string{"h.0.attn.bias", "lm_head.weight"}) {
		t.Fatalf("%v, ignored %v", err, m.Ignored)
	}
	want := map[weights.FloatType]float32{weights.Float16: 1, weights.BFloat16: 0.0078125}
	seen := map[weights.FloatType]bool{}
	for _, x := range m.Tensors {
		var v [1]float32
		if err := x.Stored().Read(v[:], 0, 1, 0, 1); err != nil || v[0] != want[x.Type] {
			t.Errorf("%s in %v begins with %g, %v", x.Name, x.Type, v[0], err)
		}
		seen[x.Type] = true
	}
	if len(seen) != 2 {
		t.Errorf("types %v", seen)
	}
}

// TestNotWhole: what is missing, extra or of another shape is named.
func TestNotWhole(t *testing.T) {
	s := spec(t, "gpt2-l1-d16-f16-h4-v60-p40")
	change := func(edit func([]safetensors.Tensor) []safetensors.Tensor) error {
		dir := save(t, s)
		var entries []safetensors.Tensor
		for _, x := range hf.Tensors(s) {
			entries = append(entries, safetensors.Tensor{Name: x.Name, Type: safetensors.F32, Shape: x.Shape})
		}
		file(t, dir, hf.WeightsFile, edit(entries), func(w io.Writer, x safetensors.Tensor) error {
			_, err := w.Write(make([]byte, x.Bytes()))
			return err
		})
		m, err := hf.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		return m.Check()
	}
	for says, edit := range map[string]func([]safetensors.Tensor) []safetensors.Tensor{
		"missing transformer.wte.weight": func(e []safetensors.Tensor) []safetensors.Tensor { return e[1:] },
		"not known score.weight": func(e []safetensors.Tensor) []safetensors.Tensor {
			return append(e, safetensors.Tensor{Name: "score.weight", Type: safetensors.F32})
		},
		"transformer.wte.weight in model.safetensors is [16, 60], and by config.json [60, 16]": func(e []safetensors.Tensor) []safetensors.Tensor {
			e[0].Shape = []int64{16, 60}
			return e
		},
		"transformer.wte.weight in model.safetensors is F64": func(e []safetensors.Tensor) []safetensors.Tensor {
			e[0].Type = "F64"
			return e
		},
		"as wte.weight": func(e []safetensors.Tensor) []safetensors.Tensor {
			return append(e, safetensors.Tensor{Name: "wte.weight", Type: safetensors.F32})
		},
		"and 6 more": func(e []safetensors.Tensor) []safetensors.Tensor { return e[:2] },
	} {
		if err := change(edit); !errors.Is(err, hf.ErrNotWhole) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

// TestBadFolders: files that are not there, not whole, or not the folder's.
func TestBadFolders(t *testing.T) {
	s := spec(t, "gpt2-l1-d16-f16-h4-v60-p40")
	outside := filepath.Join(t.TempDir(), "secret.safetensors")
	if err := os.WriteFile(outside, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) func(dir string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644) }
	}
	without := func(dir string) error { return os.Remove(filepath.Join(dir, hf.WeightsFile)) }
	index := func(text string) func(dir string) error {
		return func(dir string) error { return errors.Join(without(dir), put(hf.IndexFile, text)(dir)) }
	}
	for _, c := range []struct {
		says string
		do   func(dir string) error
	}{
		{"has no config.json", func(dir string) error { return os.Remove(filepath.Join(dir, hf.ConfigFile)) }},
		{"has neither model.safetensors nor", without},
		{"weights in pytorch_model.bin, which is not read", func(dir string) error {
			return errors.Join(without(dir), put("pytorch_model.bin", "x")(dir))
		}},
		{"model.safetensors: not a whole safetensors file: it has 3 bytes", put(hf.WeightsFile, "abc")},
		{"it is cut short", func(dir string) error {
			info, err := os.Stat(filepath.Join(dir, hf.WeightsFile))
			if err != nil {
				return err
			}
			return os.Truncate(filepath.Join(dir, hf.WeightsFile), info.Size()-1)
		}},
		{"config.json: 1048577 bytes; at most 1048576", put(hf.ConfigFile, strings.Repeat(" ", 1<<20+1))},
		{"no weight_map", index(`{}`)},
		{"(line 2)", index("{\n]")},
		{"which is no .safetensors file", index(`{"weight_map":{"a":"/etc/passwd"}}`)},
		{"not a file of the folder", index(`{"weight_map":{"a":"../x.safetensors"}}`)},
		{"not a file of the folder", index(`{"weight_map":{"a":"` + outside + `"}}`)},
		{"no such file", index(`{"weight_map":{"a":"b.safetensors"}}`)},
		{"is said to hold tensor a, and does not", func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, hf.WeightsFile), filepath.Join(dir, "b.safetensors")), put(hf.IndexFile, `{"weight_map":{"a":"b.safetensors"}}`)(dir))
		}},
		{"secret.safetensors: not a file of the folder; copy it", func(dir string) error {
			return errors.Join(without(dir), os.Symlink(outside, filepath.Join(dir, hf.WeightsFile)))
		}},
		{"is no regular file", func(dir string) error {
			return errors.Join(without(dir), os.Mkdir(filepath.Join(dir, hf.WeightsFile), 0o755))
		}},
		{"too many links", func(dir string) error {
			return errors.Join(without(dir), os.Symlink(hf.WeightsFile, filepath.Join(dir, hf.WeightsFile)))
		}},
	} {
		dir := save(t, s)
		if err := c.do(dir); err != nil {
			t.Fatal(err)
		}
		m, err := hf.Open(dir)
		if err == nil {
			m.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), "hf: ") && !strings.HasPrefix(err.Error(), "safetensors: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
	}
}

// TestHubCache: links as the hub's cache has them are followed, and links within
// the folder.
func TestHubCache(t *testing.T) {
	from := save(t, spec(t, "gpt2-l1-d16-f16-h4-v60-p40"))
	root := t.TempDir()
	blobs, snapshot := filepath.Join(root, "models--x", "blobs"), filepath.Join(root, "models--x", "snapshots", "abc")
	if err := errors.Join(os.MkdirAll(blobs, 0o755), os.MkdirAll(snapshot, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{hf.ConfigFile, hf.WeightsFile} {
		blob := filepath.Join(blobs, "hash-of-"+f)
		if err := errors.Join(os.Rename(filepath.Join(from, f), blob), os.Symlink(filepath.Join("..", "..", "blobs", "hash-of-"+f), filepath.Join(snapshot, f))); err != nil {
			t.Fatal(err)
		}
	}
	m, err := hf.Open(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Check(); err != nil {
		t.Error(err)
	}
}

// TestSaveLeavesNothingHalfDone: what was there stays, and nothing else is written.
func TestSaveLeavesNothingHalfDone(t *testing.T) {
	s := spec(t, "gpt2-l1-d16-f16-h4-v60-p40")
	dir := save(t, s)
	before, err := os.ReadFile(filepath.Join(dir, hf.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err = hf.Save(context.Background(), dir, hf.Saving{Spec: s, Write: func(context.Context, io.Writer, hf.Tensor) error { return broken }})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	after, err := os.ReadFile(filepath.Join(dir, hf.WeightsFile))
	if list, _ := os.ReadDir(dir); err != nil || !bytes.Equal(before, after) || len(list) != 2 {
		t.Errorf("after a failure the folder has %v, %v", list, err)
	}
	// A link in the folder is replaced, and what it leads to is left alone.
	outside := filepath.Join(t.TempDir(), "mine")
	if err := errors.Join(os.WriteFile(outside, []byte("mine"), 0o644), os.Remove(filepath.Join(dir, hf.WeightsFile)), os.Symlink(outside, filepath.Join(dir, hf.WeightsFile))); err != nil {
		t.Fatal(err)
	}
	err = hf.Save(context.Background(), dir, hf.Saving{Spec: s, Write: func(_ context.Context, w io.Writer, x hf.Tensor) error {
		_, err := w.Write(make([]byte, x.Stored().Bytes()))
		return err
	}})
	if text, _ := os.ReadFile(outside); err != nil || string(text) != "mine" {
		t.Errorf("behind a link there is %q now, %v", text, err)
	}
}
