package arch

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func TestYAML(t *testing.T) {
	for doc, want := range map[string]string{
		"name: gpt2-l12-d1024-f4096-h16+int4":                                                               "gpt2-l12-d1024-f4096-h16+int4b32",
		"spec: gpt2-l12-d1024-f4096-h16":                                                                    "gpt2-l12-d1024-f4096-h16",
		"spec: gpt2-l12-d1024-f4096-h16\nbuild: int4+t2":                                                    "gpt2-l12-d1024-f4096-h16+int4b32+t2",
		"spec: {d_model: 1024, n_layer: 12, d_inner: 4096, n_head: 16}":                                     "gpt2-l12-d1024-f4096-h16",
		"d_model: 1024\nn_layer: 12\nd_inner: 4096\nn_head: 16\nbuild: +portable":                           "gpt2-l12-d1024-f4096-h16+portable",
		"d_model: 1024\nlayers: [{n_head: 4, d_inner: 8}, {type: transformer, n_head: 4, d_inner: 8}]":      "gpt2-l2-d1024-f8-h4",
		"{d_model: 64, n_layer: 1, d_inner: 8, n_head: 4, vocab: 9, positions: 7, head_dim: 16}":            "gpt2-l1-d64-f8-h4-v9-p7",
		"{family: gpt2, d_model: 64, n_layer: 1, d_inner: 8, n_head: 3, head_dim: 8, untied: true}":         "gpt2-l1-d64-f8-h3-hd8-untied",
		"{family: llama, d_model: 64, n_layer: 1, d_inner: 8, n_head: 4, n_kv_head: 2}":                     "llama-l1-d64-f8-h4-kv2",
		"{family: llama, d_model: 64, n_layer: 1, d_inner: 8, n_head: 4, norm_eps: 1e-5, rope_base: 10000}": "llama-l1-d64-f8-h4",
		"{family: llama, d_model: 64, untied: false, layers: [{n_head: 4, d_inner: 8, n_kv_head: 4}]}":      "llama-l1-d64-f8-h4-tied",
		"x: &x {n_head: 4, d_inner: 8}\n":                                                                   "",
		"layers:\n  - &a {n_head: 4, d_inner: 8}\n  - *a\nd_model: 64":                                      "gpt2-l2-d64-f8-h4",
		`{"name": "gpt2-l1-d64-f8-h4", "spec": {"d_model": 64, "n_layer": 1, "d_inner": 8, "n_head": 4}}`:   "gpt2-l1-d64-f8-h4",
		"name: gpt2-l2-d64-mixed-1a2b3c4d\nspec: gpt2-l1-d64-f8-h4":                                         "gpt2-l1-d64-f8-h4",
		`
spec: gpt2-l1-d64-f8-h4
build:
  dialect: portable
  precision: {type: int4}
  head: fp32
  threads: 2
  provider: {name: cuda, options: {device_id: 0, "a": "yes"}}
`: "gpt2-l1-d64-f8-h4+portable+int4b32+head-fp32+t2+cuda@a=yes@device_id=0",
		"spec: gpt2-l1-d64-f8-h4\nbuild: {float: fp16, precision: {type: fp16}, head: int8}": "gpt2-l1-d64-f8-h4+fp16+head-int8b32",
		"spec: gpt2-l1-d64-f8-h4\nbuild: {precision: fp16}":                                  "gpt2-l1-d64-f8-h4+fp16",
		"spec: gpt2-l1-d64-f8-h4\nbuild: {provider: openvino, precision: int4b16}":           "gpt2-l1-d64-f8-h4+int4b16+openvino",
	} {
		c, err := ParseYAML("a.yaml", []byte(doc))
		if want == "" {
			if err == nil {
				t.Errorf("%s: read as %s", doc, c.Name())
			}
			continue
		}
		if err != nil || c.Name() != want || !reflect.DeepEqual(c, c.Normalized()) {
			t.Errorf("%s: %s, %v; want %s", doc, c.Name(), err, want)
		}
	}
}

const sizes = "d_model: 64\nn_layer: 1\nd_inner: 8\nn_head: 4\n"

var badYAML = []struct {
	doc  string
	line int
	says string
}{
	{"", 1, "the file is empty"},
	{"# only a comment\n", 1, "the file is empty"},
	{"---\n", 0, "must be a mapping"},
	{"a: [1\n", 0, "not YAML"},
	{"a: b: c\n", 1, "not YAML"},
	{"\tx: 1", 1, "not YAML"},
	{"[1, 2]", 1, "a candidate must be a mapping of keys to values, got a list"},
	{"gpt2-l1-d64-f8-h4", 1, `got "gpt2-l1-d64-f8-h4"`},
	{sizes + "---\n" + sizes, 5, "a second document"},
	{sizes + "n_heads: 4\n", 5, `unknown key "n_heads" in a candidate: did you mean n_head?`},
	{sizes + "n_head: 4\n", 5, `key "n_head" is given twice`},
	{sizes + "[1]: 4\n", 5, "unknown key"},
	{"spec:\n  d_model: 64\n  dinner: 3\n", 3, `unknown key "dinner" in spec: did you mean d_inner?`},
	{"spec:\n" + "  d_model: 64\n", 2, "n_layer is missing"},
	{"build: +t2", 1, "no model: give name or spec"},
	{"spec:\n", 1, "spec must be a mapping of keys to values, got nothing"},
	{"spec: gpt2-l1-d64-f8-h4\n" + sizes, 1, "the model is given twice"},
	{sizes + "layers: [{n_head: 1, d_inner: 1}]", 1, "the layers are given twice"},
	{"d_model: 64\nlayers: []", 0, "n_layer 0 is out of range"},
	{"d_model: 64\nlayers: 3", 2, `layers must be a list, got "3"`},
	{"d_model: 64\nlayers:\n- {n_head: 4, d_inner: 1}\n- {n_head: 4}\n", 4, "layers.1: d_inner is missing"},
	{"d_model: 64\nlayers:\n- {n_head: 4, d_inner: 1}\n- n_head: 5\n  d_inner: 2\n", 4, "layer 1: n_head 5 does not divide d_model 64"},
	{"d_model: 64\nlayers:\n- {type: mamba, n_head: 4, d_inner: 1}\n", 3, `unknown layer type "mamba"`},
	{"d_model: 64\nlayers:\n- {type: lstm}\n", 3, "a layer of type lstm in a model of family gpt2"},
	{"family: mixed\nd_model: 64\nlayers:\n- {type: lstm}\n- {type: transformer, n_head: 4}\n", 5, "layers.1: d_inner is missing"},
	{"family: mixed\nd_model: 64\nlayers:\n- {type: lstm, hiden: 4}\n", 4, "did you mean hidden?"},
	{"family: mixed\nd_model: 64\nn_layer: 2\nd_inner: 8\nn_head: 4\n", 1, "layers is missing: a model of family mixed is given layer by layer"},
	{"family: lstm\nd_model: 64\nn_layer: 2\nd_inner: 8\n", 3, "lstm has no d_inner"},
	{"family: gru\nd_model: 64\n", 1, "n_layer is missing"},
	{sizes + "hidden: 5\n", 2, "gpt2 has no hidden"},
	{"family: gru\nd_model: 64\nlayers:\n- {}\n- {hidden: 70000}\n", 5, "layer 1: hidden 70000 is out of range: it must be 1 to 65,536"},
	{"n_layer: 1\nd_inner: 8\nn_head: 5\nd_model: 64\n", 3, "n_head 5 does not divide d_model 64"},
	{"n_layer: 1\nd_inner: 8\nn_head: 2\nd_model: 24\n", 3, "multiple of 8"},
	{"n_layer: 100000000\nd_inner: 8\nn_head: 2\nd_model: 24\n", 1, "n_layer 100000000 is out of range"},
	{sizes + "vocab: 0", 5, "vocab 0 is out of range"},
	{sizes + "vocab: -3", 5, "vocab -3 is out of range"},
	{sizes + "vocab: 3.5", 5, `vocab must be a whole number, got "3.5"`},
	{sizes + "vocab: 99999999999999999999", 5, "vocab must be a whole number"},
	{sizes + "vocab: 99999999999", 5, "vocab 99999999999 is out of range"},
	{sizes + "untied: 1", 5, "untied must be true or false"},
	{sizes + "family: opt", 5, `unknown family "opt": this version lowers gpt2, llama`},
	{sizes + "n_kv_head: 2", 5, "n_kv_head 2: in gpt2 every head"},
	{sizes + "family: llama\nn_kv_head: 3", 6, "n_kv_head 3 does not divide n_head 4"},
	{sizes + "norm_eps: small", 5, `norm_eps must be a number, got "small"`},
	{sizes + "norm_eps: 0", 5, "norm_eps 0 is out of range: it must be above 0"},
	{sizes + "norm_eps: .nan", 5, "norm_eps NaN is out of range"},
	{sizes + "norm_eps: 1", 5, "norm_eps 1 is out of range: it must be 1e-12 to 0.1"},
	{sizes + "rope_base: 5e5", 5, "rope_base 500000: gpt2 has no rotary positions"},
	{sizes + "family: llama\nqkv_bias: 1", 6, "qkv_bias must be true or false"},
	{sizes + "family: llama\nrope_scaling: 2", 6, "rope_scaling must be a mapping"},
	{sizes + "family: llama\nrope_scaling: {factor: 2}", 6, "rope_scaling: type is missing"},
	{sizes + "family: llama\nrope_scaling:\n  type: linaer\n  factor: 2", 7, "did you mean linear?"},
	{sizes + "family: llama\nrope_scaling:\n  type: linear\n  factor: 0.5", 8, "rope_scaling factor 0.5"},
	{sizes + "family: llama\nrope_scaling:\n  type: linear\n  fator: 2", 8, "did you mean factor?"},
	{"family: llama\nd_model: 64\nlayers:\n- {n_head: 4, d_inner: 1}\n- {n_head: 4, n_kv_head: 3, d_inner: 1}\n", 5, "layer 1: n_kv_head 3 does not divide n_head 4"},
	{sizes + "build: +int2", 5, `unknown precision "int2"`},
	{sizes + "build:\n  precision: int2", 6, `unknown precision "int2"`},
	{sizes + "build:\n  precision: {type: int4, block: 48}", 6, "int4 block 48"},
	{sizes + "build:\n  precision: {block: 32}", 6, "type is missing"},
	{sizes + "build:\n  head: [fp32]", 6, "head must be a mapping"},
	{sizes + "build:\n  float: bf16", 6, `unknown type of floats "bf16"`},
	{sizes + "build:\n  head: fp32\n  float: fp16", 7, "fp16, and fp32 elsewhere"},
	{sizes + "build:\n  float: fp16\n  embed: {type: fp32}", 7, "fp32, and fp16 elsewhere"},
	{sizes + "build:\n  float: [fp16]", 6, "float must be text"},
	{sizes + "build:\n  dialect: fast", 6, `unknown dialect "fast"`},
	{sizes + "build:\n  threads: 0", 6, "threads 0 is out of range"},
	{sizes + "build:\n  threads: 5000", 6, "threads 5000 is out of range: it must be 1 to 1,024"},
	{sizes + "build:\n  thread: 5", 6, "did you mean threads?"},
	{sizes + "build:\n  provider: rocm", 6, `unknown execution provider "rocm"`},
	{sizes + "build:\n  provider: {name: cuda, options: {a: 1, a: 2}}", 6, `key "a" is given twice`},
	{sizes + "build:\n  provider: {name: cuda, options: {a: [1]}}", 6, "provider.options.a must be text, got a list"},
	{sizes + "build:\n  provider: {name: cuda, options: 3}", 6, "provider.options must be a mapping"},
	{sizes + "build:\n  provider: cuda", 6, "or +portable+cuda"},
	{"name: gpt2-l2-d64-f8-h4\nspec: gpt2-l1-d64-f8-h4", 1, "disagree"},
	{"name: gpt2-l2-d64-f8-h4\nbuild: +t2", 1, "disagree"},
	{"name: gpt2-l2-d64-f8-h4+int2", 1, "column 19"},
	{"&a [*a]", 1, "must be a mapping"},
	{"&a {d_model: *a}", 1, "d_model must be a whole number"},
}

func TestBadYAML(t *testing.T) {
	for _, c := range badYAML {
		_, err := ParseYAML("a.yaml", []byte(c.doc))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %v", c.doc, err)
			continue
		}
		if c.line != 0 && e.Line != c.line {
			t.Errorf("%q: line %d, want %d: %v", c.doc, e.Line, c.line, err)
		}
		if !strings.HasPrefix(err.Error(), "arch: a.yaml:") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v, want %q", c.doc, err, c.says)
		}
	}
}

// TestWrittenDocumentsReadBack: JSON and YAML, of any Candidate.
func TestWrittenDocumentsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := runnable(Candidate{drawSpec(t, rapid.Bool().Draw(t, "homogeneous")), drawBuild(t, false)})
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Candidate
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !back.Equal(c) || back.Hash() != c.Hash() {
			t.Fatalf("%s reads back as %+v, was %+v", text, back, c)
		}
		// Normalized candidates come back to the letter.
		text, err = json.Marshal(c.Normalized())
		if err != nil {
			t.Fatal(err)
		}
		back = Candidate{}
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, c.Normalized()) {
			t.Fatalf("%s reads back as %+v, %v", text, back, err)
		}
		if !strings.Contains(string(text), `"name":"`+c.Name()+`"`) {
			t.Fatalf("no name in %s", text)
		}
		if text, err = yaml.Marshal(c); err != nil {
			t.Fatal(err)
		}
		back, err = ParseYAML("a.yaml", text)
		if err != nil || !reflect.DeepEqual(back, c.Normalized()) {
			t.Fatalf("%s\nreads back as %+v, %v", text, back, err)
		}
		var plain struct{ C Candidate }
		if err := yaml.Unmarshal([]byte("c:\n  "+strings.ReplaceAll(string(text), "\n", "\n  ")), &plain); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSettingsInDocuments: what names have no parts for is written and read in full.
func TestSettingsInDocuments(t *testing.T) {
	const doc = `spec:
    family: llama
    vocab: 128256
    positions: 8192
    d_model: 64
    untied: true
    n_layer: 2
    d_inner: 96
    n_head: 8
    n_kv_head: 2
    norm_eps: 1e-06
    rope_base: 500000
    rope_scaling:
        type: llama3
        factor: 8
        low_freq_factor: 1
        high_freq_factor: 4
        original_positions: 8192
    qkv_bias: true
`
	c, err := ParseYAML("a.yaml", []byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	want := NewSpec(LLaMA, 2, 64, 96, 8).WithKVHeads(2)
	want.Vocab, want.Positions, want.NormEps, want.RopeBase, want.QKVBias = 128256, 8192, 1e-6, 500000, true
	want.RopeScaling = &RopeScaling{Type: RopeLLaMA3, Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalPositions: 8192}
	if !reflect.DeepEqual(c.Spec, want) {
		t.Fatalf("read as %+v", c.Spec)
	}
	text, err := yaml.Marshal(c)
	if err != nil || !strings.Contains(string(text), doc) {
		t.Errorf("%s, %v", text, err)
	}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back Candidate
	if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(back, c) {
		t.Errorf("%s reads back as %+v, %v", data, back, err)
	}
	if !strings.Contains(string(data), `"rope_scaling":{"type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_positions":8192},"qkv_bias":true`) {
		t.Errorf("%s", data)
	}
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(mustParse(t, "gpt2-l2-d64-f256-h4+int4"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"gpt2-l2-d64-f256-h4+int4b32",` +
		`"spec":{"family":"gpt2","vocab":50257,"positions":2048,"d_model":64,"untied":false,"n_layer":2,"d_inner":256,"n_head":4},` +
		`"build":{"dialect":"fused","float":"fp32","precision":"int4b32","head":"int4b32","threads":1,"provider":{"name":"cpu"}}}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	for _, name := range []string{`{"name":"gpt2-l2-d64-f256-h4+int4b32"}`, `{"spec":{"family":"gpt2","d_model":64,"n_layer":2,"d_inner":256,"n_head":4},"build":{"precision":"int4"}}`} {
		var c Candidate
		if err := json.Unmarshal([]byte(name), &c); err != nil || c.Name() != "gpt2-l2-d64-f256-h4+int4b32" {
			t.Errorf("%s: %s, %v", name, c.Name(), err)
		}
	}
	for bad, says := range map[string]string{
		`{}`:                                 "no model",
		`{"name":"x"}`:                       "unknown family",
		`{"spec":{},"x":1}`:                  "unknown field",
		`{"spec":{"x":1}}`:                   "unknown field",
		`{"spec":{"n_layer":1,"layers":[]}}`: "given twice",
		`{"spec":{"n_layer":1000000000}}`:    "out of range",
		`{"name":"gpt2-l2-d64-f256-h4","build":{"precision":"int2"}}`:              "unknown precision",
		`{"name":"gpt2-l2-d64-f256-h4","build":{"float":"fp16","head":"fp32"}}`:    "fp32, and fp16 elsewhere",
		`{"name":"gpt2-l2-d64-f256-h4","build":{"flaot":"fp16"}}`:                  "unknown field",
		`{"name":"gpt2-l2-d64-f256-h4","build":{"threads":2}}`:                     "disagree",
		`{"name":"gpt2-l2-d64-f256-h4","spec":{"family":"gpt2","d_model":"wide"}}`: "cannot unmarshal",
	} {
		var c Candidate
		if err := json.Unmarshal([]byte(bad), &c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", bad, err, says)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mine.yaml")
	if err := os.WriteFile(file, []byte(sizes), 0o644); err != nil {
		t.Fatal(err)
	}
	bare := filepath.Join(dir, "mine")
	if err := os.WriteFile(bare, []byte(sizes+"build: +t2"), 0o644); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, make([]byte, MaxFileSize+1), 0o644); err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]string{
		file: "gpt2-l1-d64-f8-h4", bare: "gpt2-l1-d64-f8-h4+t2", good + "+t2": good + "+t2",
		good + "+cpu@file=a.yaml": good + "+cpu@file=a.yaml",
	} {
		if c, err := Load(arg); err != nil || c.Name() != want {
			t.Errorf("%s: %s, %v", arg, c.Name(), err)
		}
	}
	for arg, says := range map[string]string{
		filepath.Join(dir, "none.yaml"): "there is no such file",
		dir:                             "it is a folder",
		large:                           "larger than",
		"gpt3-l12":                      "unknown family",
		"none.yml":                      "there is no such file",
	} {
		if _, err := Load(arg); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", arg, err, says)
		}
	}
	if _, err := LoadSpace(file); err == nil || !strings.Contains(err.Error(), "mine.yaml:1: d_model must be a mapping") {
		t.Error(err)
	}
}

func FuzzParseYAML(f *testing.F) {
	for _, c := range badYAML {
		f.Add([]byte(c.doc))
	}
	f.Add([]byte(sizes + "family: llama\nn_kv_head: 2\nqkv_bias: true\nrope_scaling: {type: llama3, factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_positions: 64}"))
	f.Add([]byte(sizes + "build: {precision: int4, provider: {name: openvino, options: {a: /b c}}}"))
	f.Add([]byte("d_model: 64\nlayers:\n- {n_head: 4, d_inner: 1}\n- {n_head: 8, d_inner: 1}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseYAML("a.yaml", data)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("read, but %v", err)
		}
		text, err := yaml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseYAML("b.yaml", text); err != nil || !back.Equal(c) {
			t.Fatalf("%s\nreads back as %+v, %v", text, back, err)
		}
	})
}
