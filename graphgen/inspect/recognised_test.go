package inspect_test

import (
	"testing"

	"lathe/graphgen/inspect"
	"lathe/runtime/provision/provisiontest"
)

// TestRecognised: a file of another's is described with the model that it is.
func TestRecognised(t *testing.T) {
	for _, file := range []string{"tiny_gpt2_fp32.onnx", "tiny_gpt2_fp16.onnx"} {
		r, err := inspect.File(provisiontest.Shared(t, "tiny-gpt2-onnx/"+file))
		if err != nil {
			t.Fatal(err)
		}
		c := r.Candidate
		if c == nil || c.Spec != "gpt2-l5-d32-f128-h4-v1000-p512" || c.Recognised != "onnxruntime" || c.TotalParams != 111_968 || c.Agrees || len(c.Notes) > 0 {
			t.Errorf("%s: %+v", file, c)
		}
		if len(r.Problems) > 0 {
			t.Errorf("%s: problems %q", file, r.Problems)
		}
	}
}
