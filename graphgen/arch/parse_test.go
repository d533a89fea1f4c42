package arch

import (
	"errors"
	"strings"
	"testing"
)

const good = "gpt2-l12-d1024-f4096-h16"

// badNames are names with the column of the part that is wrong (0: none) and
// pieces of the message.
var badNames = []struct {
	name   string
	column int
	says   []string
}{
	{"", 0, []string{"empty name", good}},
	{"opt-l12-d1024-f2816-h16", 1, []string{`unknown family "opt"`, "this version lowers gpt2, llama"}},
	{"GPT2-l12-d1024-f4096-h16", 1, []string{"unknown family"}},
	{"gpt2", 5, []string{"n_layer is missing", "-l12"}},
	{"gpt2-l12-d1024-h16", 19, []string{"d_inner is missing", "-f4096"}},
	{"gpt2-", 6, []string{"a part is empty"}},
	{"gpt2-l12-d1024-f4096-h16-", 26, []string{"a part is empty"}},
	{"gpt2-l-12-d1024-f4096-h16", 6, []string{`"l" has no number`, "l12"}},
	{"gpt2--l12-d1024-f4096-h16", 6, []string{"empty", "no sign"}},
	{"gpt2-l12-d1024-f4096-16", 22, []string{`"16" has no letter`}},
	{"gpt2-l12-d1024-f4096-h16-x3", 26, []string{`unknown part "x3"`, "hd128"}},
	{"gpt2-l12-d1024-f4096-H16", 22, []string{`unknown part "H16"`, "lower case"}},
	{"gpt2-l12-d1024-f4096-h16-kv4", 26, []string{"n_kv_head 4", "in gpt2 every head has keys and values of its own"}},
	{"llama-l12-d1024-f2816-h16-kv5", 27, []string{"n_kv_head 5 does not divide n_head 16", "n_kv_head 4 or 8"}},
	{"llama-l12-d1024-f2816-h16-kv32", 27, []string{"n_kv_head 32 is out of range", "1 to 16"}},
	{"llama-l12-d1024-f2816-h16-kv0", 27, []string{"n_kv_head 0 is out of range"}},
	{"llama-l12-d1024-f2816-h16-hd63+portable", 27, []string{"head_dim 63 is odd", "must be even"}},
	{"llama-l12-d60-f128-h4+portable", 20, []string{"head_dim (d_model/n_head) 15 is odd"}},
	{"llama-l12-d576-f4096-h32", 22, []string{"head_dim to be a multiple of 8", "got 18"}},
	{"llama-l12-d1024-f2816-h16-tied-untied", 32, []string{"untied is given twice (tied, then untied)"}},
	{"llama-l2-d256-custom-1a2b3c4d", 15, []string{"norm_eps, rope_base, rope_scaling or qkv_bias", "pass its YAML file"}},
	{"gpt2-l12-d1024-f4096.5-h16", 16, []string{"unknown part"}},
	{"gpt2-l12-d1024-f4096-h16-h8", 26, []string{"n_head is given twice", "h16", "h8"}},
	{"gpt2-l12-d1024-f4096-h16-untied-untied", 33, []string{"untied is given twice"}},
	{"gpt2-l012-d1024-f4096-h16", 6, []string{"leading zeros", "l12"}},
	{"gpt2-l99999999999-d1024-f4096-h16", 6, []string{"too large"}},
	{"gpt2-l0-d1024-f4096-h16", 6, []string{"n_layer 0 is out of range", "1 to 1,024"}},
	{"gpt2-l2000-d1024-f4096-h16", 6, []string{"n_layer 2000 is out of range"}},
	{"gpt2-l12-d0-f4096-h16", 10, []string{"d_model 0 is out of range"}},
	{"gpt2-l12-d99999-f4096-h16", 10, []string{"d_model 99999 is out of range"}},
	{"gpt2-l12-d1024-f0-h16", 16, []string{"d_inner 0"}},
	{"gpt2-l12-d1024-f4096-h0", 22, []string{"n_head 0 is out of range"}},
	{"gpt2-l12-d1024-f4096-h16-v0", 26, []string{"vocab 0"}},
	{"gpt2-l12-d1024-f4096-h16-p0", 26, []string{"positions 0"}},
	{"gpt2-l12-d1024-f4096-h16-hd0", 26, []string{"head_dim 0"}},
	{"gpt2-l12-d1024-f4096-h16-hd9000", 26, []string{"head_dim 9000"}},
	{"gpt2-l12-d1000-f4096-h12", 22, []string{"n_head 12 does not divide d_model 1000", "n_head 10 or 20", "-hd83"}},
	{"gpt2-l12-d64-f4096-h100", 20, []string{"n_head 100 does not divide d_model 64", "n_head 64,"}},
	{"gpt2-l1000-d65536-f1048576-h64", 0, []string{"parameters are too many", "1,000,000,000,000"}},
	{"gpt2-l2-d256-mixed-1a2b3c4d", 14, []string{"pass its YAML file"}},
	{good + "+", 26, []string{"a build part is empty", "+portable"}},
	{good + "+int2", 26, []string{`unknown precision "int2"`, "fp32, fp16, int4b16, int4b32, int4b64, int4b128, int8b16"}},
	{good + "+int8dynb32", 26, []string{`unknown precision "int8dynb32"`}},
	{good + "+int8b48", 26, []string{`int8 block "48"`, "as in int8b32"}},
	{good + "+int4asymb32", 26, []string{"unknown precision"}},
	{good + "+int8dynasym", 26, []string{"unknown precision"}},
	{good + "+embed-int8dyn", 26, []string{"int8dyn is for products", "int8b32 or fp32"}},
	{good + "+embed-", 32, []string{"unknown precision"}},
	{good + "+embed-fp32+embed-int4", 37, []string{"the embedding's precision is given twice"}},
	{good + "+bf16", 26, []string{`unknown precision "bf16"`}},
	{good + "+int4b24", 26, []string{`int4 block "24"`, "16, 32, 64 or 128"}},
	{good + "+int4b032", 26, []string{"int4 block"}},
	{good + "+int45", 26, []string{`unknown precision "int45"`}},
	{good + "+head-int3", 31, []string{`unknown precision "int3"`}},
	{good + "+head-", 31, []string{"unknown precision"}},
	{good + "+portabel", 26, []string{"did you mean +portable?"}},
	{good + "+rocm", 26, []string{`unknown build part "rocm"`, "+directml"}},
	{good + "+t0", 26, []string{"threads 0 is out of range", "1 to 1024"}},
	{good + "+t1025", 26, []string{"threads 1025"}},
	{good + "+t02", 26, []string{"leading zeros"}},
	{good + "+t", 26, []string{"unknown build part"}},
	{good + "+t2+t3", 29, []string{"the thread count is given twice"}},
	{good + "+fused+portable", 32, []string{"the dialect is given twice", "+fused", "+portable"}},
	{good + "+int4+int8", 31, []string{"the precision is given twice"}},
	{good + "+fp16+int4+fp32", 36, []string{"fp32, and fp16 elsewhere"}},
	{good + "+fp16+t2+fp16", 34, []string{"the type of floats is given twice"}},
	{good + "+fp16+head-fp32", 36, []string{"fp32, and fp16 elsewhere", "one type of floats"}},
	{good + "+int4+head-fp16+embed-fp32", 47, []string{"fp32, and fp16 elsewhere"}},
	{good + "+fp16+int8dyn", 26, []string{"int8dyn takes fp32 only", "leave +fp16 out"}},
	{good + "+int8dyn+fp16", 34, []string{"int8dyn takes fp32 only"}},
	{"lstm-l2-d64+portable+fp16", 22, []string{"layer 0 is lstm", "leave +fp16 out"}},
	{good + "+fp16b32", 26, []string{`unknown precision "fp16b32"`}},
	{good + "+openvino+cpu", 35, []string{"the execution provider is given twice"}},
	{good + "+int4@a=b", 26, []string{"only execution providers have"}},
	{good + "+cpu@", 30, []string{"has no value"}},
	{good + "+cpu@a", 30, []string{`"a" has no value`, "@key=value"}},
	{good + "+cpu@a=1@b", 34, []string{`"b" has no value`}},
	{good + "+cpu@a=1@a=2", 34, []string{"given twice"}},
	{good + "+cpu@a=", 30, []string{"YAML"}},
	{good + "+cpu@a b=1", 30, []string{"a key in a name"}},
	{good + "+cpu@a=1.", 30, []string{"does not end in a dot"}},
	{good + "+cpu@options-12345678", 30, []string{"pass the YAML file"}},
	{good + "+cuda", 26, []string{"fp16 and bf16 only", "use +fp16+cuda, or +portable+cuda"}},
	{good + "+t2+fused+tensorrt", 35, []string{"use +fp16+tensorrt, or +portable+tensorrt"}},
	{good + "+portable+cuda+int8dyn", 40, []string{"int8dyn on cuda", "use +int8b32"}},
	{good + "+portable+tensorrt+head-int8dyn", 44, []string{"int8dyn on tensorrt", "use +head-int8b32"}},
	{"gpt2-l12-d576-f4096-h32", 21, []string{"head_dim to be a multiple of 8", "got 18", "+portable, or n_head 24 or 36"}},
	{good + "-hd12", 26, []string{"multiple of 8", "got 12", "head_dim 8 or 16"}},
	{"gpt2-l12-d1026-f4096-h27", 22, []string{"got 38", "use +portable"}},
	{"gpt2-l12-é1024-f4096-h16", 10, []string{"unknown part"}},
	{"gpt2-\xff", 0, []string{"not UTF-8"}},
	{"gpt2-l12\n-d1", 6, []string{`\n`}},
	{strings.Repeat("x", 1000), 0, []string{"1000 bytes are too long"}},
}

func TestBadNames(t *testing.T) {
	for _, c := range badNames {
		_, err := ParseCandidate(c.name)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %v", c.name, err)
			continue
		}
		if e.Column != c.column {
			t.Errorf("%q: column %d, want %d: %v", c.name, e.Column, c.column, err)
		}
		for _, want := range append(c.says, "arch: ") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v\nlacks %q", c.name, err, want)
			}
		}
		if strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), "arch: ") != 1 {
			t.Errorf("%q: %v", c.name, err)
		}
	}
}

func TestParseSpecAndBuild(t *testing.T) {
	s, err := ParseSpec(good)
	if err != nil || s.Name() != good {
		t.Errorf("%s, %v", s, err)
	}
	if _, err := ParseSpec(good + "+t2"); err == nil || !strings.Contains(err.Error(), "column 25") {
		t.Errorf("build parts: %v", err)
	}
	for in, want := range map[string]string{"": "", "+int4+t2": "+int4b32+t2", "int4+t2": "+int4b32+t2", "cuda": "+cuda"} {
		if b, err := ParseBuild(in); err != nil || b.Name() != want {
			t.Errorf("%q: %q, %v", in, b.Name(), err)
		}
	}
	for in, column := range map[string]int{"fp33": 1, "+fp33": 2, "t2+fp33": 4, "t2+t3": 4} {
		var e *Error
		if _, err := ParseBuild(in); !errors.As(err, &e) || e.Column != column || e.Input != in {
			t.Errorf("%q: %v, want column %d", in, err, column)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"n_layer", "n_head", "d_inner", "d_model", "decoder_params"}
	for in, want := range map[string]string{
		"n_heads": "n_head", "d_iner": "d_inner", "decoder_parameters": "decoder_params", "N_LAYER": "n_layer", "zebra": "", "": "",
	} {
		if got := Nearest(in, words); got != want {
			t.Errorf("nearest to %q: %q, want %q", in, got, want)
		}
	}
	if got := Nearest("LATHE_SED", []string{"LATHE_STORE", "LATHE_SEED"}); got != "LATHE_SEED" {
		t.Errorf("nearest of capitals: %q", got)
	}
	if d := EditDistance("kitten", "sitting"); d != 3 {
		t.Errorf("distance %d", d)
	}
}

func FuzzParseCandidate(f *testing.F) {
	for _, c := range badNames {
		f.Add(c.name)
	}
	for _, c := range paperTable {
		f.Add(c.name + "+int4b32+head-fp32+t2+portable+cuda@device_id=0")
	}
	f.Fuzz(func(t *testing.T, name string) {
		c, err := ParseCandidate(name)
		if err != nil {
			if len(err.Error()) > 1500 {
				t.Fatalf("a message of %d bytes", len(err.Error()))
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("%q: parsed, but %v", name, err)
		}
		back, err := ParseCandidate(c.Name())
		if err != nil || !back.Equal(c) || back.Hash() != c.Hash() {
			t.Fatalf("%q: printed %q, read %+v, %v", name, c.Name(), back, err)
		}
		c.Counts()
	})
}
