package arch

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNames(t *testing.T) {
	base := NewSpec(GPT2, 12, 1024, 4096, 16)
	with := func(change func(*Spec)) Spec {
		s := base
		change(&s)
		return s
	}
	llama := NewSpec(LLaMA, 12, 1024, 2816, 16)
	tied := llama
	tied.Vocab, tied.Positions, tied.HeadDim, tied.Untied = 50257, 4096, 128, false
	for _, c := range []struct {
		spec  Spec
		build Build
		want  string
	}{
		{base, Build{}, "gpt2-l12-d1024-f4096-h16"},
		{base, Build{}.Normalized(), "gpt2-l12-d1024-f4096-h16"},
		{with(func(s *Spec) { s.Vocab = 32000 }), Build{}, "gpt2-l12-d1024-f4096-h16-v32000"},
		{with(func(s *Spec) { s.Positions = 1024 }), Build{}, "gpt2-l12-d1024-f4096-h16-p1024"},
		{with(func(s *Spec) { s.HeadDim = 128 }), Build{}, "gpt2-l12-d1024-f4096-h16-hd128"},
		{with(func(s *Spec) { s.HeadDim = 64 }), Build{}, "gpt2-l12-d1024-f4096-h16"},
		{with(func(s *Spec) { s.Untied = true }), Build{}, "gpt2-l12-d1024-f4096-h16-untied"},
		{with(func(s *Spec) { s.Vocab, s.Positions, s.HeadDim, s.Untied = 1, 2, 3, true }), Build{Dialect: Portable},
			"gpt2-l12-d1024-f4096-h16-v1-p2-hd3-untied+portable"},
		{base, Build{Precision: Precision{Type: Int4}}, "gpt2-l12-d1024-f4096-h16+int4b32"},
		{with(func(s *Spec) { *s = s.WithKVHeads(16) }), Build{}, "gpt2-l12-d1024-f4096-h16"},
		{llama, Build{}, "llama-l12-d1024-f2816-h16"},
		{llama.WithKVHeads(4), Build{}, "llama-l12-d1024-f2816-h16-kv4"},
		{llama.WithKVHeads(16), Build{}, "llama-l12-d1024-f2816-h16"},
		{tied.WithKVHeads(1), Build{Dialect: Portable}, "llama-l12-d1024-f2816-h16-kv1-v50257-p4096-hd128-tied+portable"},
		{NewStack(LSTM, 2, 1024, 0), Build{}, "lstm-l2-d1024"},
		{NewStack(GRU, 2, 1024, 0), Build{}, "gru-l2-d1024"},
		{NewStack(GRU, 2, 1024, 1024), Build{}, "gru-l2-d1024"},
		{NewStack(LSTM, 3, 400, 1150), Build{Precision: Precision{Type: Int4}}, "lstm-l3-d400-hs1150+int4b32"},
		{base, Build{Precision: Precision{Type: Int4, Block: 64}, Head: Precision{Type: Unquantized}}, "gpt2-l12-d1024-f4096-h16+int4b64+head-fp32"},
		{base, Build{Head: Precision{Type: Int4}}, "gpt2-l12-d1024-f4096-h16+head-int4b32"},
		{base, Build{Float: FP16}, "gpt2-l12-d1024-f4096-h16+fp16"},
		{base, Build{Float: FP16, Dialect: Portable, Precision: Precision{Type: Int4}, Threads: 2}, "gpt2-l12-d1024-f4096-h16+portable+int4b32+fp16+t2"},
		{base, Build{Float: FP16, Precision: Precision{Type: Int4, Block: 64}, Head: Precision{Type: Unquantized}}, "gpt2-l12-d1024-f4096-h16+int4b64+fp16+head-fp16"},
		{base, Build{Float: FP16, Provider: Provider{Name: CUDA}}, "gpt2-l12-d1024-f4096-h16+fp16+cuda"},
		{base, Build{Precision: Precision{Type: Int8, Asym: true}, Head: Precision{Type: Int8Dyn}}, "gpt2-l12-d1024-f4096-h16+int8b32asym+head-int8dyn"},
		{base, Build{Precision: Precision{Type: Int8Dyn}, Embed: Precision{Type: Int8, Block: 64}}, "gpt2-l12-d1024-f4096-h16+int8dyn+embed-int8b64"},
		{base, Build{Embed: Precision{Type: Unquantized}}, "gpt2-l12-d1024-f4096-h16"},
		{base, Build{Dialect: Portable, Threads: 2, Provider: Provider{Name: CUDA, Options: map[string]string{"device_id": "0", "arena": "x-1.5"}}},
			"gpt2-l12-d1024-f4096-h16+portable+t2+cuda@arena=x-1.5@device_id=0"},
	} {
		got := Candidate{c.spec, c.build}.Name()
		if got != c.want {
			t.Errorf("name %s, want %s", got, c.want)
		}
		back, err := ParseCandidate(got)
		if err != nil || !reflect.DeepEqual(back, Candidate{c.spec, c.build}.Normalized()) {
			t.Errorf("%s reads back as %+v, %v", got, back, err)
		}
	}
}

// TestNamesReadFreely: any order, and defaults spelled out.
func TestNamesReadFreely(t *testing.T) {
	for name, want := range map[string]string{
		"gpt2-h16-f4096-d1024-l12":                                                    "gpt2-l12-d1024-f4096-h16",
		"gpt2-untied-l12-p7-d1024-v9-f4096-h16":                                       "gpt2-l12-d1024-f4096-h16-v9-p7-untied",
		"gpt2-l12-d1024-f4096-h16-v50257-p2048-hd64+fused+fp32+head-fp32+t1+cpu":      "gpt2-l12-d1024-f4096-h16",
		"gpt2-l12-d1024-f4096-h16+int4":                                               "gpt2-l12-d1024-f4096-h16+int4b32",
		"gpt2-l12-d1024-f4096-h16+int4+head-int4":                                     "gpt2-l12-d1024-f4096-h16+int4b32",
		"gpt2-l12-d1024-f4096-h16+fp16+head-fp16+embed-fp16":                          "gpt2-l12-d1024-f4096-h16+fp16",
		"gpt2-l12-d1024-f4096-h16+head-fp16":                                          "gpt2-l12-d1024-f4096-h16+fp16",
		"gpt2-l12-d1024-f4096-h16+int4+fp32":                                          "gpt2-l12-d1024-f4096-h16+int4b32",
		"gpt2-l12-d1024-f4096-h16+fp16+int4+embed-fp16":                               "gpt2-l12-d1024-f4096-h16+int4b32+fp16+embed-fp16",
		"gpt2-l12-d1024-f4096-h16+t2+head-fp32+int4b128":                              "gpt2-l12-d1024-f4096-h16+int4b128+head-fp32+t2",
		"gpt2-l12-d1024-f4096-h16+openvino@num_streams=1@device_type=GPU.0+portable":  "gpt2-l12-d1024-f4096-h16+portable+openvino@device_type=GPU.0@num_streams=1",
		"gpt2-l12-d1024-f4096-h16+directml+int4b16":                                   "gpt2-l12-d1024-f4096-h16+int4b16+directml",
		"gpt2-l12-d1024-f4096-h16+coreml+t1024":                                       "gpt2-l12-d1024-f4096-h16+t1024+coreml",
		"gpt2-l12-d1024-f4096-h16+cpu@use_arena=0":                                    "gpt2-l12-d1024-f4096-h16+cpu@use_arena=0",
		"gpt2-l1-d1-f1-h1+portable":                                                   "gpt2-l1-d1-f1-h1+portable",
		"gpt2-l12-d1024-f4096-h12-hd64":                                               "gpt2-l12-d1024-f4096-h12-hd64",
		"lstm-hs64-v50257-d32-l2-p2048-tied":                                          "lstm-l2-d32-hs64",
		"gpt2-tied-l12-d1024-f4096-h16-kv16":                                          "gpt2-l12-d1024-f4096-h16",
		"llama-kv4-l12-untied-d1024-f2816-h16-v32000-p2048":                           "llama-l12-d1024-f2816-h16-kv4",
		"gpt2-l12-d1024-f4096-h16+portable+tensorrt@a=b@trt_fp16_enable=1@engine=x_y": "gpt2-l12-d1024-f4096-h16+portable+tensorrt@a=b@engine=x_y@trt_fp16_enable=1",
	} {
		if got := mustParse(t, name).Name(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestEveryPrintedNameReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := runnable(Candidate{drawSpec(t, true), drawBuild(t, true)})
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		name := c.Name()
		if len(name) > MaxNameLen {
			t.Fatalf("%s has %d bytes", name, len(name))
		}
		back, err := ParseCandidate(name)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back, c.Normalized()) || !back.Equal(c) || back.Hash() != c.Hash() || back.Name() != name {
			t.Fatalf("%s reads back as %+v, was %+v", name, back, c)
		}
	})
}

// TestNamesThatCannotBeRead: they are deterministic, safe as file names, tell
// candidates apart, and say what to do instead.
func TestNamesThatCannotBeRead(t *testing.T) {
	mixed := func(heads int) Candidate {
		return Candidate{Spec: Spec{Family: GPT2, Vocab: 50257, Positions: 2048, DModel: 256,
			Layers: []Layer{{NHead: 4, DInner: 1024}, {NHead: heads, DInner: 512}}}}
	}
	option := func(v string) Candidate {
		return Candidate{NewSpec(GPT2, 12, 1024, 4096, 16),
			Build{Provider: Provider{Name: OpenVINO, Options: map[string]string{"cache_dir": v}}}}
	}
	long := strings.Repeat("x", maxOptionsLen)
	custom := func(base float64) Candidate {
		s := NewSpec(LLaMA, 2, 64, 128, 4)
		s.RopeBase = base
		return Candidate{Spec: s}
	}
	types := func(last LayerType) Candidate {
		return Candidate{Spec: Spec{Family: Mixed, Vocab: 50257, Positions: 2048, DModel: 256, Layers: []Layer{{NHead: 4, DInner: 1024}, {Type: last}}}}
	}
	hidden := func(last int) Candidate {
		s := NewStack(LSTM, 2, 256, 0)
		s.Layers[1].Hidden = last
		return Candidate{Spec: s}
	}
	for _, pair := range [][2]Candidate{{mixed(8), mixed(2)}, {types(LSTM), types(GRU)}, {hidden(128), hidden(64)}, {custom(5e5), custom(1e6)}, {option("/a b"), option("/a c")}, {option(long), option(long + "x")}, {option("a."), option("b.")}, {option(""), option("é")}} {
		a, b := pair[0].Name(), pair[1].Name()
		if a == b || a != pair[0].Name() || strings.Trim(a, nameAlphabet+"-+@.=") != "" {
			t.Errorf("names %q and %q", a, b)
		}
		if _, err := ParseCandidate(a); err == nil || !strings.Contains(err.Error(), "YAML file") {
			t.Errorf("%s: %v", a, err)
		}
	}
	if got := custom(5e5).Name(); !strings.HasPrefix(got, "llama-l2-d64-custom-") || len(got) != len("llama-l2-d64-custom-")+8 {
		t.Errorf("custom name %s", got)
	}
	if got := types(GRU).Name(); !strings.HasPrefix(got, "mixed-l2-d256-") || len(got) != len("mixed-l2-d256-")+8 {
		t.Errorf("name of several types %s", got)
	}
	if got := mixed(8).Name(); !strings.HasPrefix(got, "gpt2-l2-d256-mixed-") || len(got) != len("gpt2-l2-d256-mixed-")+8 {
		t.Errorf("mixed name %s", got)
	}
}

func TestAnyCandidateHasASafeName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Candidate{drawSpec(t, false), drawBuild(t, false)}
		name := c.Name()
		if strings.Trim(name, nameAlphabet+"-+@.=") != "" || len(name) > MaxNameLen || strings.HasSuffix(name, ".") {
			t.Fatalf("name %q", name)
		}
	})
}

func TestHashes(t *testing.T) {
	a := mustParse(t, "gpt2-l12-d1024-f4096-h16")
	same := Candidate{Spec: NewSpec(GPT2, 12, 1024, 4096, 16)}
	same.Spec.HeadDim, same.Spec.Layers[3].Type = 64, ""
	if a.Hash() != same.Hash() || !a.Equal(same) {
		t.Error("defaults spelled out change the hash")
	}
	seen := map[string]string{}
	for _, name := range []string{
		"gpt2-l12-d1024-f4096-h16", "gpt2-l11-d1024-f4096-h16", "gpt2-l12-d1152-f4096-h16", "gpt2-l12-d1024-f4095-h16",
		"gpt2-l12-d1024-f4096-h8", "gpt2-l12-d1024-f4096-h16-v9", "gpt2-l12-d1024-f4096-h16-p9", "gpt2-l12-d1024-f4096-h16-hd8",
		"lstm-l12-d1024", "lstm-l12-d1024-hs64", "gru-l12-d1024", "gru-l12-d1024-untied",
		"llama-l12-d1024-f4096-h16", "llama-l12-d1024-f4096-h16-kv4", "llama-l12-d1024-f4096-h16-kv8", "llama-l12-d1024-f4096-h16-tied",
		"gpt2-l12-d1024-f4096-h16-untied", "gpt2-l12-d1024-f4096-h16+portable", "gpt2-l12-d1024-f4096-h16+int4",
		"gpt2-l12-d1024-f4096-h16+int4b64", "gpt2-l12-d1024-f4096-h16+int4+head-fp32", "gpt2-l12-d1024-f4096-h16+t2",
		"gpt2-l12-d1024-f4096-h16+openvino", "gpt2-l12-d1024-f4096-h16+openvino@a=b", "gpt2-l12-d1024-f4096-h16+openvino@a=c",
	} {
		h := mustParse(t, name).Hash()
		if earlier, ok := seen[h]; ok || len(h) != 64 {
			t.Errorf("%s and %s share the hash %s", name, earlier, h)
		}
		seen[h] = name
	}
}

// TestHashGolden: stored records refer to these. A change here orphans them.
func TestHashGolden(t *testing.T) {
	c := mustParse(t, "gpt2-l2-d64-f256-h4+int4+t2")
	for what, got := range map[string]string{"spec": c.Spec.Hash(), "build": c.Build.Hash(), "candidate": c.Hash()} {
		if want := hashGolden[what]; got != want {
			t.Errorf("%s hash %s, want %s", what, got, want)
		}
	}
}

var hashGolden = map[string]string{
	"spec":      "0a62a46ce38da16bda4fe48638ae0ccc16507d3e87f67a2b6ff6c54a2a8878a9",
	"build":     "921f8a31837faa8da4b9b58500f9c16891609099808ffa2aa0162f74f0e9c1ec",
	"candidate": "63e9257a2ee8a58098e1f83e655d8af95ddb66ab6d3b5a3d681724f0b0c31e73",
}

// What is quantized as a graph runs is told from what was quantized before, in the head too.
func TestQuantizesRuns(t *testing.T) {
	for parts, want := range map[string]bool{
		"": false, "+int8b32": false, "+int4b32": false, "+int8dyn": true, "+head-int8dyn": true, "+int8dyn+head-fp32": true,
	} {
		b, err := ParseBuild(parts)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.QuantizesRuns(); got != want {
			t.Errorf("%q: %v", parts, got)
		}
	}
}
