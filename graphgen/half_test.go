package graphgen_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/runtime/decode"
)

// TestFP16StaysNearFP32: over a quarter of the corpus, in both dialects, float16 graphs give the
// logits of float32 ones to about float16's own precision, and reading a prompt token
// by token gives what reading it at once gives, in shared and copied buffers.
func TestFP16StaysNearFP32(t *testing.T) {
	// Relative to the norm of the logits; a rounding to float16 is 2^-11 at most.
	const nearFP32, nearPrefill = 4.0 / 2048, 4.0 / 2048
	var worstFP32, worstPrefill float64
	for i, s := range corpus() {
		if i%4 != 0 {
			continue
		}
		rng := rand.New(rand.NewPCG(uint64(i), 6))
		n := 4 + rng.IntN(6)
		prompt := tokens(rng, s.Vocab, 1, n)
		all := decode.Options{MaxLen: n, AllLogits: true}
		want := prefill(t, decoder(t, s, fused, all), prompt)
		for _, way := range []struct {
			build arch.Build
			mode  decode.Mode
		}{{portable, decode.Copied}, {fused, decode.Copied}, {fused, decode.Shared}} {
			b := fp16(way.build)
			all.Mode = way.mode
			m := decoder(t, s, b, all)
			got := prefill(t, m, prompt)
			cosine, relative := compare(got, want)
			worstFP32 = math.Max(worstFP32, relative)
			if !(relative <= nearFP32 && cosine >= 1-nearFP32) {
				t.Errorf("%d %s%s %v: relative error %.5f, cosine %.5f", i, s.Name(), b.Name(), way.mode, relative, cosine)
			}
			m.Reset()
			for pos, id := range prompt[0] {
				if err := m.Step([]int64{id}); err != nil {
					t.Fatal(err)
				}
				_, relative := compare(m.Last(0), got[pos*s.Vocab:][:s.Vocab])
				worstPrefill = math.Max(worstPrefill, relative)
				if !(relative <= nearPrefill) {
					t.Fatalf("%d %s%s %v: token %d by steps differs from the prefill's by %.5f", i, s.Name(), b.Name(), way.mode, pos, relative)
				}
			}
		}
	}
	t.Logf("largest relative differences: %.5f from float32, %.5f of steps from prefills", worstFP32, worstPrefill)
}

// TestFP16SumsInFloat32: what could leave float16's range or lose its precision in a
// sum is computed in float32, in standard operators: squares and means of norms, scores
// with their mask, and softmax. The library's CPU provider computes nearly everything
// in float32, so that no logits would show it; check_corpus.py runs such graphs by
// onnx's reference evaluator, which does not.
func TestFP16SumsInFloat32(t *testing.T) {
	wide := map[string]bool{"Pow": true, "ReduceMean": true, "Sqrt": true, "Div": true, "Softmax": true, "Where": true}
	for i, s := range corpus() {
		for _, b := range []arch.Build{fp16(portable), fp16(fused)} {
			g, err := graphgen.Lower(arch.Candidate{Spec: s, Build: b}, graphgen.Cached)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range g.Nodes {
				for _, v := range n.Inputs {
					if v != nil && wide[n.Op] && v.Type == ir.Float16 {
						t.Fatalf("%d %s%s: %s takes %s in float16", i, s.Name(), b.Name(), n.Name, v.Name)
					}
				}
			}
			for _, p := range g.Params {
				if p.Type != ir.Float16 {
					t.Fatalf("%d %s%s: parameter %s is %v", i, s.Name(), b.Name(), p.Name, p.Type)
				}
			}
			for _, v := range append(g.Inputs, g.Outputs...) {
				if v.Type != ir.Int64 && v.Type != ir.Float16 {
					t.Fatalf("%d %s%s: %s is %v", i, s.Name(), b.Name(), v.Name, v.Type)
				}
			}
		}
	}
}

func fp16(b arch.Build) arch.Build {
	b.Float = arch.FP16
	return b
}
