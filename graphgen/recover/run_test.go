package recover_test

import (
	"encoding/json"
	"os"
	"slices"
	"sync"
	"testing"

	"lathe/graphgen/arch"
	"lathe/graphgen/recover"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

// library opens the runtime once.
var library = sync.OnceValues(func() (*ort.Env, error) {
	lib, err := provisiontest.Library()
	if err != nil {
		return nil, err
	}
	return ort.Open(lib.Path)
})

// greedy is n tokens that a file's model generates.
func greedy(t *testing.T, path string, prompt []int64, n int) []int64 {
	t.Helper()
	env, err := library()
	if err != nil {
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

// TestTinyGPT2: a GPT-2 that ONNX Runtime's optimizer fused, in fp32 and in fp16, is
// found, and what we emit from its weights generates what its authors' tests expect.
func TestTinyGPT2(t *testing.T) {
	text, err := os.ReadFile(provisiontest.Shared(t, "tiny-gpt2-onnx/expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Greedy []struct{ Prompt, Output []int64 }
	}
	if err := json.Unmarshal(text, &want); err != nil || len(want.Greedy) == 0 {
		t.Fatalf("%d sequences, %v", len(want.Greedy), err)
	}
	spec, err := arch.ParseCandidate("gpt2-l5-d32-f128-h4-v1000-p512")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"tiny_gpt2_fp32.onnx", "tiny_gpt2_fp16.onnx"} {
		m := open(t, provisiontest.Shared(t, "tiny-gpt2-onnx/"+file))
		if m.Kind != recover.ONNXRuntime || !m.Spec.Equal(spec.Spec) || m.Notes != nil {
			t.Errorf("%s: %s, %s, notes %q", file, m.Kind, m.Spec.Name(), m.Notes)
		}
		whole(t, m)
		for _, b := range []arch.Build{{Dialect: arch.Portable}, {Dialect: arch.Fused}} {
			path := again(t, m, b)
			for _, c := range want.Greedy {
				if got := greedy(t, path, c.Prompt, len(c.Output)-len(c.Prompt)); !slices.Equal(got, c.Output[len(c.Prompt):]) {
					t.Errorf("%s%s: after %v %v, want %v", file, b.Name(), c.Prompt, got, c.Output[len(c.Prompt):])
				}
			}
		}
	}
}
