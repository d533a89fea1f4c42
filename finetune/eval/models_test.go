package eval_test

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"lathe/finetune/eval"
	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/graphgen/weights/llama2c"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

// env is the library that every test runs on; without one there are no tests.
var env *ort.Env

func TestMain(m *testing.M) {
	provisiontest.Main(m, func(path string) (err error) {
		env, err = ort.Open(path)
		return err
	})
}

// session writes a candidate as the program does, and loads it. Weights are random, and
// so large that what the model holds for likely is far from even; or given ones.
func session(t testing.TB, name string, given map[string]weights.Matrix) *ort.Session {
	t.Helper()
	c, err := arch.ParseCandidate(name)
	if err != nil {
		t.Fatal(err)
	}
	return sessionOf(t, c, given)
}

func sessionOf(t testing.TB, c arch.Candidate, given map[string]weights.Matrix) *ort.Session {
	t.Helper()
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		t.Fatal(err)
	}
	var src weights.Source = &weights.Random{Seed: 11}
	if given != nil {
		src = &weights.Given{Tensors: given}
	} else {
		loud(g)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := weights.Write(context.Background(), path, g, src, nil); err != nil {
		t.Fatal(err)
	}
	s, err := env.NewSessionFromFile(path, ort.Options{Name: c.Name(), NoMemPattern: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// loud makes random weights large.
func loud(g *ir.Graph) {
	for _, p := range g.Params {
		p.Init.Std *= 12
		p.Init.Bound *= 8
	}
}

// stories is llama2.c's model of 260 K parameters.
func stories(t testing.TB) (arch.Spec, map[string]weights.Matrix) {
	t.Helper()
	data, err := os.ReadFile(provisiontest.Shared(t, "llama2c/stories260K.bin"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := llama2c.Read(bytes.NewReader(data), int64(len(data)), "stories260K.bin")
	if err != nil {
		t.Fatal(err)
	}
	return m.Spec, m.Matrices()
}

// stepper is the second implementation: one token after the other, every logarithm by
// its definition in float64, and no windows put together.
type stepper struct{ m *decode.Model }

func newStepper(t testing.TB, s *ort.Session, maxLen int) stepper {
	t.Helper()
	m, err := decode.New(s, decode.Options{MaxLen: maxLen, NoProbe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return stepper{m}
}

// follow gives, for each token but the first, minus the logarithm of its probability
// and whether it is the likeliest.
func (s stepper) follow(t testing.TB, ids []int64) (nll []float64, right []bool) {
	t.Helper()
	s.m.Reset()
	greedy := make([]int64, 1)
	for i, id := range ids[:len(ids)-1] {
		var err error
		if i == 0 {
			err = s.m.Prefill([][]int64{{id}})
		} else {
			err = s.m.Step([]int64{id})
		}
		if err != nil {
			t.Fatal(err)
		}
		high, sum := math.Inf(-1), 0.0
		for _, x := range s.m.Last(0) {
			high = max(high, float64(x))
		}
		for _, x := range s.m.Last(0) {
			sum += math.Exp(float64(x) - high)
		}
		s.m.Greedy(greedy)
		nll = append(nll, math.Log(sum)+high-float64(s.m.Last(0)[ids[i+1]]))
		right = append(right, greedy[0] == ids[i+1])
	}
	return nll, right
}

// perplexity goes through the documents as Hugging Face's example does.
func (s stepper) perplexity(t testing.TB, docs []eval.Document, context, stride int) (perplexity float64, top1 float64, tokens int) {
	t.Helper()
	total, hits := 0.0, 0
	for _, d := range docs {
		previous := 0
		for begin := 0; begin < len(d.IDs); begin += stride {
			end := min(begin+context, len(d.IDs))
			if end-begin > 1 {
				nll, right := s.follow(t, d.IDs[begin:end])
				for i := max(previous, begin+1); i < end; i++ {
					total += nll[i-begin-1]
					tokens++
					if right[i-begin-1] {
						hits++
					}
				}
			}
			if previous = end; end == len(d.IDs) {
				break
			}
		}
	}
	return math.Exp(total / float64(tokens)), float64(hits) / float64(tokens), tokens
}

// candidate is a spec in a build.
func candidate(t testing.TB, spec arch.Spec, build string) arch.Candidate {
	t.Helper()
	b, err := arch.ParseBuild(build)
	if err != nil {
		t.Fatal(err)
	}
	return arch.Candidate{Spec: spec, Build: b}
}
