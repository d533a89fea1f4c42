package decode_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"lathe/runtime/decode"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

// A GPT-2 as ONNX Runtime's own exporter and optimizer leave it, with keys and values
// in one tensor, int32 tokens and fused attention, generates what its publishers'
// tests say: each prompt alone, after a truncation, and both in a batch. Published in
// float32 and in float16, for which the same tokens are promised.
func TestTinyGPT2(t *testing.T) {
	for file, limit := range map[string]float64{"tiny_gpt2_fp32.onnx": 2e-6, "tiny_gpt2_fp16.onnx": 2e-3} {
		t.Run(file, func(t *testing.T) { tinyGPT2(t, file, limit) })
	}
}

// tinyGPT2 holds logits to those of the file in float32 within limit.
func tinyGPT2(t *testing.T, file string, limit float64) {
	dir := provisiontest.Shared(t, "tiny-gpt2-onnx")
	var expected struct {
		Greedy []struct{ Prompt, Output []int64 }
		First  struct{ Rows [][]float64 } `json:"greedy_first_step_logits_0_8_fp32"`
	}
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(dir, "expected.json")))(t), &expected); err != nil {
		t.Fatal(err)
	}
	s := must(env.NewSessionFromFile(filepath.Join(dir, file), ort.Options{}))(t)
	defer s.Close()
	length := len(expected.Greedy[0].Output)
	generate := func(m *decode.Model, prompts [][]int64) [][]int64 {
		t.Helper()
		out := slices.Clone(prompts)
		next := make([]int64, len(prompts))
		for step := range length - len(prompts[0]) {
			var err error
			if step == 0 {
				err = m.Prefill(prompts)
			} else {
				err = m.Step(next)
			}
			if err != nil {
				t.Fatal(err)
			}
			m.Greedy(next)
			for row := range out {
				out[row] = append(slices.Clip(out[row]), next[row])
			}
		}
		return out
	}
	var prompts, outputs [][]int64
	alone := must(decode.New(s, decode.Options{MaxLen: length}))(t)
	defer alone.Close()
	if i := alone.Info(); i.Vocab != 1000 || i.Mode != decode.Copied || len(i.Layers) != 5 || i.Layers[4] != (decode.Layer{Index: 4, Heads: 4, HeadDim: 8}) {
		t.Errorf("%+v", i)
	}
	for i, c := range expected.Greedy {
		prompts, outputs = append(prompts, c.Prompt), append(outputs, c.Output)
		alone.Reset()
		if err := alone.Prefill([][]int64{c.Prompt}); err != nil {
			t.Fatal(err)
		}
		for id, want := range expected.First.Rows[i] {
			if got := float64(alone.Last(0)[id]); math.Abs(got-want) > limit {
				t.Errorf("after %v logit %d is %g, want %g", c.Prompt, id, got, want)
			}
		}
		alone.Reset()
		if got := generate(alone, [][]int64{c.Prompt})[0]; !slices.Equal(got, c.Output) {
			t.Errorf("after %v: got %v, want %v", c.Prompt, got, c.Output)
		}
		// Back behind the prompt's second token, and on again from there.
		if err := alone.Truncate(2); err != nil {
			t.Fatal(err)
		}
		if err := alone.Prefill([][]int64{c.Output[2 : length-1]}); err != nil {
			t.Fatal(err)
		}
		next := []int64{-1}
		if alone.Greedy(next); next[0] != c.Output[length-1] {
			t.Errorf("after %v, truncated and fed again: %d", c.Output[:length-1], next[0])
		}
	}
	both := must(decode.New(s, decode.Options{Batch: len(prompts), MaxLen: length}))(t)
	defer both.Close()
	for row, got := range generate(both, prompts) {
		if !slices.Equal(got, outputs[row]) {
			t.Errorf("in a batch, after %v: got %v, want %v", prompts[row], got, outputs[row])
		}
	}
}
