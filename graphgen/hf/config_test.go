package hf

import (
	"errors"
	"strings"
	"testing"

	"lathe/graphgen/arch"
)

// configs are what users have, and what is made of them.
var configs = []struct{ text, name string }{
	{`{"model_type":"gpt2"}`, "gpt2-l12-d768-f3072-h12-p1024"},
	{`{"model_type":"gpt2","n_embd":64,"n_layer":2.0,"n_head":4,"n_inner":null,"vocab_size":300,"n_positions":2048,"torch_dtype":"float16"}`, "gpt2-l2-d64-f256-h4-v300"},
	{`{"model_type":"gpt2","n_embd":64,"n_layer":2,"n_head":4,"n_inner":100,"tie_word_embeddings":false,"activation_function":"gelu_pytorch_tanh"}`, "gpt2-l2-d64-f100-h4-p1024-untied"},
	{`{"model_type":"llama","hidden_size":64,"intermediate_size":172,"num_hidden_layers":5,"num_attention_heads":8,"num_key_value_heads":4,"rms_norm_eps":1e-5,"tie_word_embeddings":true,"vocab_size":512,"max_position_embeddings":512}`, "llama-l5-d64-f172-h8-kv4-v512-p512-tied"},
	{`{"model_type":"llama","hidden_size":64,"intermediate_size":172,"num_hidden_layers":5,"num_attention_heads":8,"num_key_value_heads":null,"rms_norm_eps":1e-5,"head_dim":16,"rope_scaling":null}`, "llama-l5-d64-f172-h8-hd16"},
	{`{"model_type":"mistral","hidden_size":64,"intermediate_size":172,"num_hidden_layers":5,"num_attention_heads":16,"rms_norm_eps":1e-5,"sliding_window":1024}`, "llama-l5-d64-f172-h16-kv8-p1024"},
	{`{"model_type":"mistral","hidden_size":64,"intermediate_size":172,"num_hidden_layers":5,"num_attention_heads":16,"rms_norm_eps":1e-5,"sliding_window":null,"rope_parameters":{"rope_type":"default","rope_theta":10000.0}}`, "llama-l5-d64-f172-h16-kv8-p131072"},
}

func TestConfigs(t *testing.T) {
	for _, c := range configs {
		got, err := ParseConfig("config.json", []byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got.Spec.Name() != c.name {
			t.Errorf("%s: %s, want %s", c.text, got.Spec.Name(), c.name)
		}
	}
}

func TestSettingsOutsideNames(t *testing.T) {
	const sizes = `"hidden_size":64,"intermediate_size":172,"num_hidden_layers":1,"num_attention_heads":8,"num_key_value_heads":8`
	c, err := ParseConfig("c", []byte(`{"model_type":"qwen2",`+sizes+`,"rope_theta":1000000.0,"use_sliding_window":false,"sliding_window":16}`))
	if err != nil {
		t.Fatal(err)
	}
	if s := c.Spec; !s.QKVBias || s.RopeBase != 1e6 || s.NormEps != 1e-6 || s.Positions != 32768 || len(c.Warnings) != 0 {
		t.Errorf("qwen2: %+v, %v", s, c.Warnings)
	}
	c, err = ParseConfig("c", []byte(`{"model_type":"llama",`+sizes+`,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192},"eos_token_id":[1,2],"bos_token_id":7}`))
	if err != nil {
		t.Fatal(err)
	}
	want := arch.RopeScaling{Type: arch.RopeLLaMA3, Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalPositions: 8192}
	if c.Spec.RopeScaling == nil || *c.Spec.RopeScaling != want || string(c.Tokens["eos_token_id"]) != "[1,2]" {
		t.Errorf("llama3: %+v, %s", c.Spec.RopeScaling, c.Tokens)
	}
	c, err = ParseConfig("c", []byte(`{"model_type":"llama",`+sizes+`,"rope_scaling":{"type":"linear","factor":2}}`))
	if err != nil || c.Spec.RopeScaling == nil || *c.Spec.RopeScaling != (arch.RopeScaling{Type: arch.RopeLinear, Factor: 2}) {
		t.Errorf("linear: %+v, %v", c, err)
	}
	c, err = ParseConfig("c", []byte(`{"model_type":"mistral",`+sizes+`}`))
	if err != nil || c.Spec.Positions != 4096 || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Error(), "from 131072") {
		t.Errorf("a window: %+v, %v", c, err)
	}
}

var badConfigs = []struct{ text, says string }{
	{``, "unexpected end of JSON input"},
	{"{\n\"a\": 1,\n}", "(line 3)"},
	{`[]`, "cannot unmarshal array"},
	{`null`, "it has no model_type; supported are gpt2, llama, mistral, qwen2"},
	{`{"model_type":3}`, "model_type must be a string, not 3"},
	{`{"model_type":"bert"}`, `model_type "bert" is not supported; supported are gpt2, llama, mistral, qwen2`},
	{`{"model_type":"gpt2","activation_function":"relu"}`, `activation_function "relu" is not supported`},
	{`{"model_type":"gpt2","n_embd":"wide"}`, `n_embd must be a whole number, not "wide"`},
	{`{"model_type":"gpt2","n_embd":64.5}`, "n_embd must be a whole number"},
	{`{"model_type":"gpt2","n_embd":1e300}`, "n_embd must be a whole number"},
	{`{"model_type":"gpt2","n_layer":0}`, "n_layer 0 is out of range"},
	{`{"model_type":"gpt2","n_layer":1000000000}`, "n_layer 1000000000 is out of range"},
	{`{"model_type":"gpt2","n_head":7}`, "n_head 7 does not divide d_model 768"},
	{`{"model_type":"gpt2","scale_attn_by_inverse_layer_idx":true}`, "scale_attn_by_inverse_layer_idx true is not supported"},
	{`{"model_type":"gpt2","scale_attn_weights":false}`, "scale_attn_weights false is not supported"},
	{`{"model_type":"gpt2","layer_norm_epsilon":0}`, "layer_norm_epsilon 0 is out of range"},
	{`{"model_type":"gpt2","quantization_config":{"bits":4}}`, "quantization_config"},
	{`{"model_type":"gpt2","auto_map":{}}`, "auto_map"},
	{`{"model_type":"llama","attention_bias":true}`, "attention_bias true is not supported"},
	{`{"model_type":"llama","hidden_act":"gelu"}`, `hidden_act "gelu" is not supported; supported are silu, swish`},
	{`{"model_type":"llama","partial_rotary_factor":0.5}`, "partial_rotary_factor 0.5 is not supported"},
	{`{"model_type":"llama","rope_scaling":{"type":"yarn","factor":2}}`, `rope_scaling: type "yarn" is not supported; supported are default, linear, llama3`},
	{`{"model_type":"llama","rope_scaling":{"type":"linear"}}`, "factor 0 is out of range"},
	{`{"model_type":"llama","rope_scaling":7}`, "rope_scaling must be an object, not 7"},
	{`{"model_type":"llama","num_key_value_heads":5}`, "n_kv_head 5 does not divide n_head 32"},
}

// TestWholeNumbersKeepTheirPoint: transformers warns where a factor is an integer.
func TestWholeNumbersKeepTheirPoint(t *testing.T) {
	s := arch.NewSpec(arch.LLaMA, 1, 64, 64, 4)
	s.RopeBase = 1e12
	s.RopeScaling = &arch.RopeScaling{Type: arch.RopeLLaMA3, Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4.5, OriginalPositions: 128}
	text, err := FormatConfig(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"factor": 8.0,`, `"low_freq_factor": 1.0,`, `"high_freq_factor": 4.5,`, `"original_max_position_embeddings": 128,`, `"rope_theta": 1000000000000.0,`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

// TestHeadsThatDoNotDivide: transformers 5 takes them in Mistral's configuration only.
func TestHeadsThatDoNotDivide(t *testing.T) {
	s := arch.NewSpec(arch.LLaMA, 1, 70, 64, 6)
	s.HeadDim = 24
	text, err := FormatConfig(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseConfig("c", text)
	if err != nil || c.Type != "mistral" || !c.Spec.Equal(s) || len(c.Warnings) > 0 {
		t.Errorf("%s is %v, %v", text, c, err)
	}
}

func TestBadConfigs(t *testing.T) {
	for _, c := range badConfigs {
		_, err := ParseConfig("a/config.json", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), "hf: a/config.json: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.text, err, c.says)
		}
		if strings.Contains(c.says, ErrUnsupported.Error()) && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v is not %v", c.text, err, ErrUnsupported)
		}
	}
}

func TestNoConfig(t *testing.T) {
	mixed := arch.NewSpec(arch.GPT2, 2, 64, 256, 4)
	mixed.Layers[1].DInner = 100
	several := mixed
	several.Family, several.Layers = arch.Mixed, []arch.Layer{mixed.Layers[0], {Type: arch.LSTM}}
	wide := arch.NewSpec(arch.GPT2, 2, 64, 256, 4)
	wide.HeadDim = 32
	for says, s := range map[string]arch.Spec{
		"no language model of family gru": arch.NewStack(arch.GRU, 2, 64, 0), "no language model of family mixed": several, "its layers differ": mixed, "so head_dim cannot be 32": wide} {
		if _, err := FormatConfig(s, nil); !errors.Is(err, ErrNoConfig) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, c := range configs {
		f.Add([]byte(c.text))
	}
	for _, c := range badConfigs {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseConfig("a", text)
		if err != nil {
			return
		}
		if err := c.Spec.Validate(); err != nil {
			t.Fatalf("read, but %v", err)
		}
		if len(c.Spec.Layers) < 50 {
			Tensors(c.Spec)
		}
		// What is read can be written, and is then the same.
		again, err := FormatConfig(c.Spec, c.Tokens)
		if err != nil {
			if errors.Is(err, ErrNoConfig) {
				return
			}
			t.Fatal(err)
		}
		back, err := ParseConfig("b", again)
		if err != nil || !back.Spec.Equal(c.Spec) {
			t.Fatalf("%+v\ncame back as %+v, %v\n%s", c.Spec, back, err, again)
		}
	})
}

func FuzzParseIndex(f *testing.F) {
	for _, text := range []string{`{"weight_map":{"a":"model-00001-of-00002.safetensors"}}`, `{}`, `{"weight_map":{"a":"../x"}}`, `{"weight_map":[]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		index, err := parseIndex(text)
		if err == nil && len(index) == 0 {
			t.Fatal("an index of nothing")
		}
	})
}
