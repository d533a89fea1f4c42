package operators_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/profiler/operators"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

var env *ort.Env

func TestMain(m *testing.M) {
	provisiontest.Main(m, func(path string) (err error) {
		env, err = ort.Open(path)
		return err
	})
}

type inline struct{ src weights.Source }

func (p inline) Place(param *ir.Param) (ir.Placement, error) {
	var b bytes.Buffer
	err := p.src.WriteParam(context.Background(), &b, param)
	return ir.Placement{Inline: b.Bytes()}, err
}

// sequence is a model of batch 1.
type sequence struct{ *decode.Model }

func (s sequence) PreparePrefill(ids []int64) error { return s.Model.PreparePrefill([][]int64{ids}) }
func (s sequence) PrepareStep(id int64) error       { return s.Model.PrepareStep([]int64{id}) }

// open makes a session and a model of a graph.
func open(t *testing.T, c arch.Candidate, g *ir.Graph, prefix string) (*ort.Session, *decode.Model) {
	t.Helper()
	model, err := ir.Encode(g, inline{&weights.Random{Seed: 3}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := env.NewSession(model, "", ort.Options{Name: c.Name(), Threads: c.Build.Normalized().Threads, ProfilePrefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	mode := decode.Shared
	if c.Build.Normalized().Dialect == arch.Portable {
		mode = decode.Copied
	}
	m, err := decode.New(s, decode.Options{MaxLen: 32, Mode: mode, NoProbe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return s, m
}

// A real trace of every kind of build: all its nodes are known, all weights are
// found, and all sums are whole.
func TestRealTraces(t *testing.T) {
	for _, name := range []string{
		"gpt2-l2-d64-f128-h2-v300-p64", "gpt2-l2-d64-f128-h2-v300-p64+portable", "gpt2-l2-d64-f128-h2-v300-p64+int4b32",
		"gpt2-l2-d64-f128-h2-v300-p64-untied+portable+int4b16+head-fp32", "gpt2-l2-d64-f128-h2-v300-p64+t2",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := arch.ParseCandidate(name)
			if err != nil {
				t.Fatal(err)
			}
			g, err := graphgen.Lower(c, graphgen.Cached)
			if err != nil {
				t.Fatal(err)
			}
			s, traced := open(t, c, g, filepath.Join(t.TempDir(), "trace"))
			_, plain := open(t, c, g, "")
			plan := operators.Plan{Prompt: 8, Generated: 5, Rounds: 4, Prefill: true, Decode: true, KeepsLast: traced.Info().KeepsLast}
			with, without, err := operators.Alternate(t.Context(), sequence{traced}, sequence{plain}, plan, make([]int64, 13), nil)
			if err != nil {
				t.Fatal(err)
			}
			traced.Close()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(s.Profile())
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			trace, err := operators.Read(f)
			if err != nil {
				t.Fatal(err)
			}
			ps, err := operators.Analyze(trace, operators.Options{Graph: g, Schedule: plan.Schedule(), Machine: operators.Machine{ReadBytesPerSecond: 40e9, FlopsPerSecond: 1e11}})
			if err != nil {
				t.Fatal(err)
			}
			for i := range ps {
				if err := ps[i].Compare(plan.Schedule(), with, without); err != nil {
					t.Error(err)
				}
			}
			prefill, decode := ps[0], ps[1]
			if prefill.Runs != 4 || decode.Runs != 20 || decode.PastTokens != 10 || decode.Plain.Pairs != 20 {
				t.Errorf("%d and %d runs after %v", prefill.Runs, decode.Runs, decode.PastTokens)
			}
			for _, p := range ps {
				sum := operators.Merge("", p.Operators).MS
				if layers := operators.Merge("", p.Layers).MS; math.Abs(sum+p.DispatchMS-p.RunMS) > 1e-9 || math.Abs(layers-sum) > 1e-9 {
					t.Errorf("%s: operators sum to %v ms, layers to %v, with dispatch of %v the run is %v", p.Phase, sum, layers, p.DispatchMS, p.RunMS)
				}
				if p.UnknownMS != 0 || p.WeightBytes < float64(c.Spec.BytesPerToken(c.Build)) {
					t.Errorf("%s: %v ms unknown, %v B of weights, %d in a step", p.Phase, p.UnknownMS, p.WeightBytes, c.Spec.BytesPerToken(c.Build))
				}
			}
			if want := float64(c.Spec.BytesPerToken(c.Build)); decode.WeightBytes != want {
				t.Errorf("a step moves %v B of weights, want %v", decode.WeightBytes, want)
			}
		})
	}
}

func TestFlopRate(t *testing.T) {
	rate, err := operators.FlopRate(t.Context(), env, 1)
	if err != nil || rate < 1e8 || rate > 1e14 {
		t.Errorf("%v FLOP/s, %v", rate, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := operators.FlopRate(ctx, env, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := operators.FlopRate(t.Context(), env, 0); err == nil || !strings.Contains(err.Error(), "operators: rate of 0 threads") {
		t.Errorf("error %v", err)
	}
}
