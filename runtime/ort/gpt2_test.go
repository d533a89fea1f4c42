package ort_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

// A real decoder, token by token: what comes out goes in again, the past being
// empty at first.
func TestTinyGPT2(t *testing.T) {
	dir := provisiontest.Shared(t, "tiny-gpt2-onnx")
	var expected struct {
		Greedy []struct{ Prompt, Output []int32 }
	}
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(dir, "expected.json")))(t), &expected); err != nil {
		t.Fatal(err)
	}
	const layers, heads, dim, vocab = 5, 4, 8, 1000
	s := must(env.NewSessionFromFile(filepath.Join(dir, "tiny_gpt2_fp32.onnx"), ort.Options{}))(t)
	defer s.Close()
	for _, c := range expected.Greedy {
		in := map[string]*ort.Tensor{}
		for i := range layers {
			in[fmt.Sprintf("past_%d", i)] = must(ort.NewTensor([]int64{2, 1, heads, 0, dim}, []float32{}))(t)
		}
		seen, ids := 0, slices.Clone(c.Prompt)
		for new := ids; len(ids) < len(c.Output); new = ids[len(ids)-1:] {
			var pos, mask []int32
			for range new {
				pos = append(pos, int32(seen))
				seen++
			}
			for range seen {
				mask = append(mask, 1)
			}
			n := int64(len(new))
			in["input_ids"] = must(ort.NewTensor([]int64{1, n}, new))(t)
			in["position_ids"] = must(ort.NewTensor([]int64{1, n}, pos))(t)
			in["attention_mask"] = must(ort.NewTensor([]int64{1, int64(seen)}, mask))(t)
			out := must(s.Run(in))(t)
			for _, v := range in {
				v.Close()
			}
			logits := ort.Data[float32](out["logits"])[(n-1)*vocab:]
			best := 0
			for id, x := range logits {
				if x > logits[best] {
					best = id
				}
			}
			ids = append(ids, int32(best))
			out["logits"].Close()
			for i := range layers {
				in[fmt.Sprintf("past_%d", i)] = out[fmt.Sprintf("present_%d", i)]
			}
		}
		for i := range layers {
			in[fmt.Sprintf("past_%d", i)].Close()
		}
		if !slices.Equal(ids, c.Output) {
			t.Errorf("after %v: got %v, want %v", c.Prompt, ids, c.Output)
		}
	}
}
