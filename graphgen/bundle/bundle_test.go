package bundle_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
	"lathe/graphgen/weights"
)

func spec(t testing.TB, name string) arch.Spec {
	t.Helper()
	s, err := arch.ParseSpec(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// made writes a bundle of s with random weights.
func made(t testing.TB, s arch.Spec, loaders []bundle.Loader, dtypes []bundle.DType) string {
	t.Helper()
	dir := t.TempDir()
	m := &bundle.Manifest{Spec: s, Name: s.Name(), Loaders: loaders, License: "apache-2.0", Tokenizer: "none", WeightsHash: "abc"}
	for _, d := range dtypes {
		c := bundle.Fit(arch.Candidate{Spec: s}, loaders)
		var err error
		if c.Build, err = d.Build(c.Build); err != nil {
			t.Fatal(err)
		}
		g, err := graphgen.Lower(c, graphgen.Cached)
		if err != nil {
			t.Fatal(err)
		}
		file := bundle.Place(loaders, dtypes, d)
		path := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := weights.Write(context.Background(), path, g, &weights.Random{Seed: 1}, nil); err != nil {
			t.Fatal(err)
		}
		m.Models = append(m.Models, bundle.Entry{File: file, DType: d, Candidate: c.Name(), Build: c.Build.Normalized(), Library: graphgen.MinLibrary(c)})
	}
	put(t, dir, "tokenizer.json", "{}")
	err := errors.Join(
		bundle.WriteConfigs(dir, bundle.Contents{Spec: s, Loaders: loaders, DTypes: dtypes, Tokens: bundle.Tokens{End: []int{3}}}),
		bundle.WriteReadme(dir, m, "a model"),
		bundle.Seal(context.Background(), dir, m, nil),
	)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func put(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestInAndOut: what is written is read as what it is.
func TestInAndOut(t *testing.T) {
	all := []bundle.Loader{bundle.Optimum, bundle.TransformersJS, bundle.GenAI}
	for _, c := range []struct {
		spec    string
		loaders []bundle.Loader
		dtypes  []bundle.DType
		files   []string
	}{
		{"gpt2-l1-d32-f64-h2-v64-p32", all[:1], []bundle.DType{"fp32", "int8"}, []string{"model.onnx", "model_int8.onnx"}},
		{"gpt2-l1-d32-f64-h2-v64-p32", all[:1], []bundle.DType{"q4"}, []string{"model.onnx"}},
		{"llama-l2-d32-f64-h2-kv1-v64-p32", all[:2], []bundle.DType{"fp32", "fp16", "q4", "q4f16"}, []string{"onnx/model.onnx", "onnx/model_fp16.onnx", "onnx/model_q4.onnx", "onnx/model_q4f16.onnx"}},
		{"llama-l2-d32-f64-h2-kv1-v64-p32", all, []bundle.DType{"q4"}, []string{"onnx/model_q4.onnx"}},
		{"llama-l2-d32-f64-h2-kv1-v64-p32", all[2:], []bundle.DType{"q4"}, []string{"model.onnx"}},
	} {
		s := spec(t, c.spec)
		dir := made(t, s, c.loaders, c.dtypes)
		b, err := bundle.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		var files []string
		for i, m := range b.Models {
			files = append(files, m.File)
			if m.DType != c.dtypes[i] || m.Entry == nil || len(m.Data) != 1 || m.Data[0] != bundle.DataFile(m.File) {
				t.Errorf("%v: model %+v", c, m)
			}
		}
		// config.json is written where it can be, so Optimum's layout is there too.
		loaders := b.Loaders
		if i := slices.Index(loaders, bundle.Optimum); i >= 0 && !slices.Contains(c.loaders, bundle.Optimum) {
			loaders = slices.Delete(slices.Clone(loaders), i, i+1)
		}
		if !slices.Equal(files, c.files) || !slices.Equal(loaders, c.loaders) || len(b.Warnings) > 0 {
			t.Errorf("%v: files %v, loaders %v, warnings %v", c, files, b.Loaders, b.Warnings)
		}
		if !b.Manifest.Spec.Equal(s) || b.Config.Spec == nil || b.Vocab != 64 || b.Positions != 32 || !slices.Equal(b.Tokens.End, []int{3}) {
			t.Errorf("%v: %+v", c, b)
		}
		if g := b.GenAI; g != nil && (g.Model != c.files[0] || g.Positions != 32 || g.Type != "decoder" || g.Names.PastKey != "past_key_values.%d.key") {
			t.Errorf("%v: genai %+v", c, g)
		}
		if err := b.Verify(context.Background(), nil); err != nil {
			t.Error(err)
		}
		if first, ok := b.Model(""); !ok || first.File != c.files[0] {
			t.Errorf("%v: the first is %+v", c, first)
		}
	}
}

// TestLayersThatDiffer: config.json has what most layers have, and the Spec beside it.
func TestLayersThatDiffer(t *testing.T) {
	s := spec(t, "llama-l3-d32-f64-h2-kv1-v64-p32")
	s.Layers = []arch.Layer{s.Layers[0], {Type: arch.Transformer, NHead: 4, NKVHead: 2, DInner: 96}, s.Layers[0]}
	wide := spec(t, "gpt2-l1-d32-f64-h3-v64-p32-hd24")
	for _, s := range []arch.Spec{s, wide} {
		dir := made(t, s, bundle.Loaders[1:], []bundle.DType{"fp32"})
		b, err := bundle.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "config.json"))
		if err != nil || !b.Config.Spec.Equal(s) || !b.Manifest.Spec.Equal(s) || b.Vocab != 64 {
			t.Errorf("%s came back as %+v, %v", s.Name(), b.Config, err)
		}
		for _, key := range []string{"lathe_spec", "model_type"} {
			if !bytes.Contains(text, []byte(key)) {
				t.Errorf("%s: no %s in %s", s.Name(), key, text)
			}
		}
	}
	if _, err := bundle.ParseConfig("c", []byte(`{"model_type":"gpt2","lathe_spec":{"family":"none"}}`)); err == nil || !strings.Contains(err.Error(), "lathe_spec: ") {
		t.Error(err)
	}
}

// TestChanged: what is no longer as it was is named.
func TestChanged(t *testing.T) {
	dir := made(t, spec(t, "gpt2-l1-d32-f64-h2-v64-p32"), bundle.Loaders[:1], []bundle.DType{"fp32"})
	b, err := bundle.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "model.onnx_data")
	bytes, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	bytes[100] ^= 1
	if err := errors.Join(os.WriteFile(data, bytes, 0o644), os.Remove(filepath.Join(dir, "README.md")), os.WriteFile(filepath.Join(dir, "tokenizer.json"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	err = b.Verify(context.Background(), nil)
	for _, says := range []string{"model.onnx_data has other contents", "README.md is missing", "tokenizer.json has 0 bytes, and had 2"} {
		if !errors.Is(err, bundle.ErrChanged) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Verify(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestBadFolders: what is wrong is named, with the file.
func TestBadFolders(t *testing.T) {
	s := spec(t, "llama-l1-d32-f64-h2-kv1-v64-p32")
	for _, c := range []struct {
		says string
		do   func(dir string) error
	}{
		{"neither it nor its folder onnx has an .onnx file", func(dir string) error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, "onnx")), os.Remove(filepath.Join(dir, "lathe.json")), os.Remove(filepath.Join(dir, "genai_config.json")))
		}},
		{"there is no such file in the model's folder", func(dir string) error { return os.RemoveAll(filepath.Join(dir, "onnx")) }},
		{"model.onnx_data", func(dir string) error { return os.Remove(filepath.Join(dir, "onnx/model.onnx_data")) }},
		{"is too short", func(dir string) error { return os.Truncate(filepath.Join(dir, "onnx/model.onnx_data"), 10) }},
		{"(line 2)", func(dir string) error { return os.WriteFile(filepath.Join(dir, "config.json"), []byte("{\n]"), 0o644) }},
		{"no model_type", func(dir string) error { return os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o644) }},
		{"config.json it is gpt2-l12", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"model_type":"gpt2","vocab_size":64}`), 0o644)
		}},
		{"vocab_size is 65 in config.json and 64 in genai_config.json", func(dir string) error {
			return replace(dir, "config.json", `"vocab_size": 64`, `"vocab_size": 65`)
		}},
		{"model.decoder is missing", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "genai_config.json"), []byte(`{"model":{"type":"whisper"}}`), 0o644)
		}},
		{"not a file of the folder", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "genai_config.json"), []byte(`{"model":{"type":"decoder","context_length":8,"decoder":{"filename":"../model.onnx"}}}`), 0o644)
		}},
		{"format 2; this version reads 1", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "lathe.json"), []byte(`{"format":2}`), 0o644)
		}},
		{"unknown field", func(dir string) error {
			return replace(dir, "lathe.json", `"license"`, `"licence"`)
		}},
		{"is not a file of the folder", func(dir string) error {
			return replace(dir, "lathe.json", `"path": "README.md"`, `"path": "/etc/passwd"`)
		}},
		{"at most 1048576 are taken", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "generation_config.json"), bytes.Repeat([]byte(" "), 1<<20+1), 0o644)
		}},
		{"is no regular file", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "config.json")), os.Mkdir(filepath.Join(dir, "config.json"), 0o755))
		}},
		{"within its folder", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "config.json")), os.Symlink("/etc/hostname", filepath.Join(dir, "config.json")))
		}},
		{"merges.txt is no regular file of the folder", func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, "tokenizer.json"), filepath.Join(dir, "vocab.json")), os.Symlink("/etc/hostname", filepath.Join(dir, "merges.txt")))
		}},
	} {
		dir := made(t, s, bundle.Loaders, []bundle.DType{"fp32"})
		if err := c.do(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := bundle.Open(dir); err == nil || !strings.HasPrefix(err.Error(), "bundle: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
	}
	if _, err := bundle.Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func replace(dir, name, old, by string) error {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), bytes.Replace(text, []byte(old), []byte(by), 1), 0o644)
}

// TestPlaces: what one folder cannot hold is said.
func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		loaders, dtypes string
		optimized       bool
		says            string
	}{
		{"genai", "fp32,q4", false, "genai takes one in a folder"},
		{"optimum,transformers.js", "q4", true, "optimum might open the wrong one"},
		{"optimum,transformers.js", "fp32,q4", true, ""},
		{"optimum", "q4", true, ""},
	} {
		loaders, err := bundle.ParseLoaders(c.loaders)
		dtypes, err2 := bundle.ParseDTypes(c.dtypes)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		err = bundle.CheckPlaces(loaders, dtypes, c.optimized)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := bundle.ParseLoaders("optimum,vllm"); err == nil || !strings.Contains(err.Error(), `unknown loader "vllm": known are optimum, transformers.js, genai`) {
		t.Error(err)
	}
	if _, err := bundle.ParseDTypes("q3"); err == nil || !strings.Contains(err.Error(), "known are fp32, fp16, int8, q4, q4f16") {
		t.Error(err)
	}
	if got, err := bundle.ParseDTypes("int4, fp32,q4"); err != nil || !slices.Equal(got, []bundle.DType{"fp32", "q4"}) {
		t.Error(got, err)
	}
	if got := bundle.PlaceOptimized("onnx/model_q4.onnx"); got != "optimized/model_q4.optimized.onnx" {
		t.Error(got)
	}
	for _, d := range bundle.DTypes {
		if b, err := d.Build(arch.Build{}); err != nil || bundle.DTypeOf(b) != d {
			t.Errorf("%s is built as %s, %v", d, b.Name(), err)
		}
	}
}

// TestOthers: configurations of other decoders and programs.
func TestOthers(t *testing.T) {
	c, err := bundle.ParseConfig("c", []byte(`{"model_type":"qwen3","vocab_size":10,"max_position_embeddings":40.0,"hidden_size":64,"num_attention_heads":4,
		"num_hidden_layers":2,"eos_token_id":[1,2],"bos_token_id":null,"transformers.js_config":{"dtype":"q4","use_external_data_format":{"model.onnx":true,"model_q4.onnx":2}}}`))
	if err != nil || c.Spec != nil || c.Unread == nil {
		t.Fatal(c, err)
	}
	c.Unread = nil
	want := &bundle.Config{
		ModelType: "qwen3", Vocab: 10, Positions: 40, DModel: 64, Layers: 2, Heads: 4, KVHeads: 4, HeadDim: 16,
		Tokens: bundle.Tokens{End: []int{1, 2}}, JSDType: "q4", JSData: map[string]int{"model.onnx": 1, "model_q4.onnx": 2},
	}
	if d := cmp.Diff(want, c); d != "" {
		t.Error(d)
	}
	for says, text := range map[string]string{
		"vocab_size must be a whole number": `{"model_type":"x","vocab_size":1.5}`,
		"eos_token_id must be":              `{"model_type":"x","eos_token_id":["a"]}`,
		"model_type must be a string":       `{"model_type":7}`,
		"use_external_data_format":          `{"model_type":"x","transformers.js_config":{"use_external_data_format":{"model":"yes"}}}`,
	} {
		if _, err := bundle.ParseConfig("c", []byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"model_type":"gpt2","n_embd":64,"eos_token_id":[1],"transformers.js_config":{"use_external_data_format":true}}`))
	f.Add([]byte(`{"model_type":"llama","transformers.js_config":{"dtype":{"model":"q4"},"use_external_data_format":{"model":1e2}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := bundle.ParseConfig("a", text); err == nil && (c.ModelType == "" || c.Vocab < 0 || c.HeadDim < 0) {
			t.Fatalf("%+v", c)
		}
		bundle.ParseGeneration("a", text)
	})
}

func FuzzParseGenAI(f *testing.F) {
	f.Add([]byte(`{"model":{"type":"decoder","context_length":8,"eos_token_id":[1,2],"decoder":{"filename":"onnx/model.onnx","inputs":{"past_key_names":"a.%d"}}},"search":{"max_length":3}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := bundle.ParseGenAI("a", text); err == nil && (!filepath.IsLocal(c.Model) || c.Positions < 1) {
			t.Fatalf("%+v", c)
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	dir := made(f, spec(f, "gpt2-l1-d32-f64-h2-v64-p32"), bundle.Loaders[:1], []bundle.DType{"fp32"})
	text, err := os.ReadFile(filepath.Join(dir, bundle.ManifestFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"format":1,"files":[{"path":"../x"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := bundle.ParseManifest("a", text)
		if err != nil {
			return
		}
		for _, file := range m.Files {
			if !filepath.IsLocal(file.Path) {
				t.Fatalf("%q", file.Path)
			}
		}
		if err := m.Spec.Validate(); err != nil {
			t.Fatal(err)
		}
	})
}
