package hf_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
	"lathe/graphgen/onnxpb"
	"lathe/graphgen/weights"
	"lathe/graphgen/weights/llama2c"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

// library opens the runtime once, for the tests that run a graph.
var library = sync.OnceValues(func() (*ort.Env, error) {
	lib, err := provisiontest.Library()
	if err != nil {
		return nil, err
	}
	return ort.Open(lib.Path)
})

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// greedy writes a model as the program does, loads it, and generates n tokens.
func greedy(t *testing.T, c arch.Candidate, tensors map[string]weights.Matrix, prompt []int64, n int) []int64 {
	t.Helper()
	env, err := library()
	if err != nil {
		t.Fatal(err)
	}
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := weights.Write(context.Background(), path, g, &weights.Given{Tensors: tensors}, nil); err != nil {
		t.Fatal(err)
	}
	s, err := env.NewSessionFromFile(path, ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m, err := decode.New(s, decode.Options{MaxLen: len(prompt) + n})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Prefill([][]int64{prompt}); err != nil {
		t.Fatal(err)
	}
	var out []int64
	next := make([]int64, 1)
	for {
		m.Greedy(next)
		if out = append(out, next[0]); len(out) == n {
			return out
		}
		if err := m.Step(next); err != nil {
			t.Fatal(err)
		}
	}
}

var dialects = []arch.Build{{Dialect: arch.Portable}, {Dialect: arch.Fused}}

// TestStories: the 200 tokens that llama2.c itself generates, in both dialects, from
// the checkpoint and from the folder that it is saved to.
func TestStories(t *testing.T) {
	path := provisiontest.Shared(t, "llama2c/stories260K.bin")
	var want struct {
		Prompt []int64 `json:"prompt_ids"`
		IDs    []int64 `json:"greedy_ids"`
	}
	readJSON(t, provisiontest.Shared(t, "llama2c/stories260K.expected.json"), &want)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	m, err := llama2c.Read(f, info.Size(), path)
	if err != nil {
		t.Fatal(err)
	}
	tensors := m.Matrices()
	dir := t.TempDir()
	err = hf.Save(context.Background(), dir, hf.Saving{Spec: m.Spec, Write: func(ctx context.Context, w io.Writer, x hf.Tensor) error {
		return weights.WriteMatrix(ctx, w, tensors[x.Name], weights.Float32)
	}})
	if err != nil {
		t.Fatal(err)
	}
	folder, err := hf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if err := folder.Check(); err != nil || !folder.Spec().Equal(m.Spec) {
		t.Fatalf("saved as %+v, %v", folder.Spec(), err)
	}
	for _, b := range dialects {
		for name, from := range map[string]map[string]weights.Matrix{"checkpoint": tensors, "folder": folder.Matrices()} {
			if got := greedy(t, arch.Candidate{Spec: m.Spec, Build: b}, from, want.Prompt, len(want.IDs)); !slices.Equal(got, want.IDs) {
				t.Errorf("%s, from the %s:\ngot  %v\nwant %v", b.Name(), name, got, want.IDs)
			}
		}
	}
}

// TestTinyGPT2: a random GPT-2 that transformers made and others exported gives the
// tokens that they found, from a folder in transformers' form, in both dialects.
func TestTinyGPT2(t *testing.T) {
	raw, err := os.ReadFile(provisiontest.Shared(t, "tiny-gpt2-onnx/tiny_gpt2_fp32.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	var model onnxpb.ModelProto
	if err := proto.Unmarshal(raw, &model); err != nil {
		t.Fatal(err)
	}
	values := map[string][]byte{}
	for _, x := range model.Graph.Initializer {
		values[x.Name] = x.RawData
		if len(x.RawData) == 0 {
			for _, v := range x.FloatData {
				values[x.Name] = binary.LittleEndian.AppendUint32(values[x.Name], math.Float32bits(v))
			}
		}
	}
	// The exporter kept one of vectors that are alike: the norms, and the biases of
	// each kind.
	alike := func(name string) string {
		switch {
		case strings.HasSuffix(name, "attn.c_attn.bias"):
			return "transformer.h.0.attn.c_attn.bias"
		case strings.HasSuffix(name, "mlp.c_fc.bias"):
			return "transformer.h.0.mlp.c_fc.bias"
		case strings.HasSuffix(name, ".bias"):
			return "transformer.h.0.ln_1.bias"
		case strings.Contains(name, ".ln_"):
			return "transformer.h.0.ln_1.weight"
		}
		return name
	}
	s := spec(t, "gpt2-l5-d32-f128-h4-v1000-p512")
	dir := t.TempDir()
	err = hf.Save(context.Background(), dir, hf.Saving{Spec: s, Write: func(_ context.Context, w io.Writer, x hf.Tensor) error {
		_, err := w.Write(values[alike(x.Name)])
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := hf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var want struct {
		Greedy []struct{ Prompt, Output []int64 }
	}
	readJSON(t, provisiontest.Shared(t, "tiny-gpt2-onnx/expected.json"), &want)
	for _, b := range dialects {
		for _, c := range want.Greedy {
			got := greedy(t, arch.Candidate{Spec: m.Spec(), Build: b}, m.Matrices(), c.Prompt, len(c.Output)-len(c.Prompt))
			if !slices.Equal(got, c.Output[len(c.Prompt):]) {
				t.Errorf("%s: after %v %v, want %v", b.Name(), c.Prompt, got, c.Output[len(c.Prompt):])
			}
		}
	}
	if len(want.Greedy) == 0 {
		t.Error("nothing is expected")
	}
}
