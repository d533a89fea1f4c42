package eval_test

import (
	"math"
	"os"
	"strings"
	"testing"

	"lathe/finetune/eval"
	"lathe/runtime/provision/provisiontest"
)

// The first 20 stories of the TinyStories sample under llama2.c's model of 260 K
// parameters: perplexities, and how often the next token is the likeliest, as
// transformers 4.57.6 and PyTorch 2.15.0 give them for the same windows
// (.ci/interop/eval.py, with a tokenizer of its own too).
func TestStories(t *testing.T) {
	spec, tensors := stories(t)
	begin := int64(1)
	e := eval.Encoder{Tokenizer: load(t, "llama2c/tok512.bin"), Begin: &begin}
	sample, err := os.ReadFile(provisiontest.Shared(t, "small-lm/tinystories_sample.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var docs []eval.Document
	for story := range strings.SplitSeq(string(sample), "<|endoftext|>") {
		if story = strings.TrimSpace(story); story != "" && len(docs) < 20 {
			docs = append(docs, e.Document(story))
		}
	}
	fp32 := map[int]eval.Result{}
	for _, build := range []string{"+fused", "+portable", "+int8b32", "+int4b32"} {
		s := sessionOf(t, candidate(t, spec, build), tensors)
		d := decoder(t, s, eval.DecoderOptions{Context: 512, Threads: 2})
		for _, c := range []struct {
			context, stride, tokens int
			perplexity, top1        float64
		}{
			{256, 128, 6405, 3.5743181, 0.64153005},
			{128, 128, 6363, 4.0159831, 0.61590445},
			{512, 512, 6405, 3.5712740, 0.64153005},
		} {
			r, err := eval.Perplexity(t.Context(), d, docs, eval.Options{Context: c.context, Stride: c.stride, Size: e.Size})
			if err != nil {
				t.Fatal(err)
			}
			if r.Tokens != c.tokens {
				t.Errorf("%d tokens, want %d", r.Tokens, c.tokens)
			}
			switch build {
			case "+fused", "+portable":
				if math.Abs(math.Log(r.Perplexity/c.perplexity)) > 1e-5 || math.Abs(*r.Top1-c.top1) > 1.5/float64(c.tokens) {
					t.Errorf("%s, windows of %d, %d apart: perplexity %.8g, top1 %.8g, want %.8g, %.8g", build, c.context, c.stride, r.Perplexity, *r.Top1, c.perplexity, c.top1)
				}
				if c.stride < c.context && !r.PerplexityCI.Contains(c.perplexity) {
					t.Errorf("interval %v", r.PerplexityCI)
				}
				fp32[c.context] = r
			default:
				// What quantization costs is seen: a few thousandths at eight bits, some
				// tenths at four of a model that is this small.
				base := fp32[c.context]
				ratio, ok := r.Against(&base, 1)
				least, most := 0.9995, 1.005
				if build == "+int4b32" {
					least, most = 1.1, 1.35
				}
				if !ok || ratio.Value < least || ratio.Value > most {
					t.Errorf("%s, windows of %d: %+v, want %g to %g", build, c.context, ratio, least, most)
				}
			}
		}
	}
}
