package graphgen_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/half"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
)

var corpusDir = flag.String("corpus", "", "folder to write the corpus's files to, for checks by other tools")

// corpusSize is how many seeded specs the corpus has.
const corpusSize = 110

// corpus is small specs of many shapes, of both families.
func corpus() []arch.Spec { return append(gpt2Corpus(), llamaCorpus()...) }

// gpt2Corpus has one head and many, head_dim up to 496, layers of different widths,
// tied and untied heads, sizes that are no multiple of a quantization block.
func gpt2Corpus() []arch.Spec {
	rng := rand.New(rand.NewPCG(7, 7))
	pick := func(vals ...int) int { return vals[rng.IntN(len(vals))] }
	var specs []arch.Spec
	for i := range corpusSize {
		heads := pick(1, 2, 3, 4, 8)
		headDim := 8 * (1 + rng.IntN(6))
		switch i % 10 {
		case 3:
			heads, headDim = 1, pick(128, 256, 320, 416, 496)
		case 7:
			heads, headDim = 2, pick(64, 160, 248)
		}
		s := arch.Spec{
			Family: arch.GPT2, Vocab: 30 + rng.IntN(300), Positions: 40 + rng.IntN(30),
			DModel: heads * headDim, Untied: rng.IntN(4) == 0,
		}
		if i%9 == 4 { // head_dim of its own
			s.HeadDim = headDim
			s.DModel = 24 + 8*rng.IntN(10)
		}
		for range 1 + rng.IntN(4) {
			l := arch.Layer{Type: arch.Transformer, NHead: heads, DInner: 8 + rng.IntN(200)}
			if i%11 == 5 && heads%2 == 0 && s.HeadDim == 0 && headDim*2 <= 496 && rng.IntN(2) == 0 {
				l.NHead = heads / 2 // a layer of fewer, wider heads
			}
			s.Layers = append(s.Layers, l)
		}
		specs = append(specs, s)
	}
	return specs
}

// llamaCorpusSize is how many of the corpus's specs are of the LLaMA family.
const llamaCorpusSize = 40

// llamaCorpus has, beside what gpt2Corpus has, heads that share keys and values in
// groups of all sizes, heads that GroupQueryAttention turns itself and such that it
// does not, biases, rotary bases and scalings, and another epsilon.
func llamaCorpus() []arch.Spec {
	rng := rand.New(rand.NewPCG(8, 8))
	pick := func(vals ...int) int { return vals[rng.IntN(len(vals))] }
	var specs []arch.Spec
	for i := range llamaCorpusSize {
		heads := pick(1, 2, 3, 4, 6, 8)
		headDim := 8 * (1 + rng.IntN(6))
		if i%10 == 3 {
			heads, headDim = 2, pick(64, 128, 160)
		}
		s := arch.Spec{
			Family: arch.LLaMA, Vocab: 30 + rng.IntN(300), Positions: 40 + rng.IntN(30),
			DModel: heads * headDim, Untied: rng.IntN(3) > 0, QKVBias: i%5 == 2,
		}
		if i%4 == 1 { // head_dim of its own
			s.HeadDim, s.DModel = headDim, 24+8*rng.IntN(10)
		}
		if i%6 == 5 {
			s.NormEps, s.RopeBase = 1e-6, 500000
		}
		switch i % 7 {
		case 2:
			s.RopeScaling = &arch.RopeScaling{Type: arch.RopeLinear, Factor: 4}
		case 4:
			s.RopeScaling = &arch.RopeScaling{Type: arch.RopeLLaMA3, Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalPositions: 32}
		}
		for range 1 + rng.IntN(4) {
			l := arch.Layer{Type: arch.Transformer, NHead: heads, DInner: 8 + rng.IntN(200)}
			if i%4 == 2 && heads%2 == 0 && rng.IntN(2) == 0 {
				l.NHead = heads / 2 // a layer of fewer, wider heads
			}
			for kv := 1 + rng.IntN(l.NHead); ; kv-- {
				if l.NHead%kv == 0 {
					l.NKVHead = kv
					break
				}
			}
			s.Layers = append(s.Layers, l)
		}
		specs = append(specs, s)
	}
	return specs
}

// lively draws norms' gains and biases too, around what they are at first, so that a
// test sees whether they are used. Other parameters are those of Random.
type lively struct{ weights.Random }

func (s *lively) WriteParam(ctx context.Context, w io.Writer, p *ir.Param) error {
	if len(p.Shape) != 1 || p.Quant != nil {
		return s.Random.WriteParam(ctx, w, p)
	}
	h := fnv.New64a()
	io.WriteString(h, p.Name)
	rng := rand.New(rand.NewPCG(s.Seed, h.Sum64()))
	middle := float32(0)
	if p.Init.Kind == ir.Ones {
		middle = 1
	}
	vals := make([]float32, p.Shape[0].N)
	for i := range vals {
		vals[i] = middle + 0.2*(2*rng.Float32()-1)
	}
	if p.Type == ir.Float16 {
		for _, v := range vals {
			if err := binary.Write(w, binary.LittleEndian, half.From(v)); err != nil {
				return err
			}
		}
		return nil
	}
	return binary.Write(w, binary.LittleEndian, vals)
}

// sourceOf is where a test's weights come from.
func sourceOf(s arch.Spec, seed uint64) weights.Source {
	if s.Rotary() {
		return &lively{weights.Random{Seed: seed}}
	}
	return &weights.Random{Seed: seed}
}

// precisions are ways to store weights: every form of each place.
func precisions() []arch.Build {
	var out []arch.Build
	for _, parts := range []string{
		"+int4b32", "+int4b16asym", "+int8b32", "+int8b64asym", "+int8dyn",
		"+int4b16+head-int8b128", "+int8dyn+head-int4b32asym", "+int4b64+head-fp32", "+int4b32+embed-fp32", "+embed-int8b16asym",
		"+head-int8dyn+embed-int4b32", "+fp16", "+int4b32+fp16", "+int8b64asym+fp16+head-fp16", "+embed-int4b16asym+fp16",
	} {
		b, err := arch.ParseBuild(parts)
		if err != nil {
			panic(err)
		}
		out = append(out, b)
	}
	return out
}

// builds of the corpus.
func builds() []arch.Build {
	var out []arch.Build
	for _, d := range []arch.Dialect{arch.Portable, arch.Fused} {
		out = append(out, arch.Build{Dialect: d})
		for _, p := range precisions() {
			p.Dialect = d
			out = append(out, p)
		}
	}
	return out
}

// buildsOf are those that s can have: recurrent layers are fp32.
func buildsOf(s arch.Spec) []arch.Build {
	return slices.DeleteFunc(builds(), func(b arch.Build) bool { return b.Float == arch.FP16 && recurrent(s) })
}

func recurrent(s arch.Spec) bool {
	return slices.ContainsFunc(s.Layers, func(l arch.Layer) bool { return l.Type.Recurrent() })
}

func TestCorpusIsSound(t *testing.T) {
	for i, s := range append(corpus(), recurrentCorpus()...) {
		for _, b := range buildsOf(s) {
			for _, mode := range []graphgen.Mode{graphgen.Cached, graphgen.Plain} {
				if _, err := graphgen.Lower(arch.Candidate{Spec: s, Build: b}, mode); err != nil {
					t.Fatalf("spec %d %s %s: %v", i, s.Name(), b.Name(), err)
				}
			}
		}
	}
}

// TestWriteCorpus writes the graphs of the corpus for tools outside the product
// to read, of every tenth spec in all builds, and each spec as JSON; it does so only
// when asked for.
func TestWriteCorpus(t *testing.T) {
	if *corpusDir == "" {
		t.Skip("no -corpus folder given: this only writes files for other tools")
	}
	if err := os.MkdirAll(*corpusDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, s := range append(corpus(), recurrentCorpus()...) {
		t.Run(fmt.Sprintf("%03d", i), func(t *testing.T) {
			t.Parallel()
			writeOfSpec(t, i, s)
		})
	}
}

// writeOfSpec writes the i-th spec and the graphs of its builds.
func writeOfSpec(t *testing.T, i int, s arch.Spec) {
	spec, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(filepath.Join(*corpusDir, fmt.Sprintf("%03d.json", i)), spec, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range buildsOf(s) {
		b = b.Normalized()
		plain := b
		plain.Dialect = arch.Fused
		parts := cmp.Or(strings.TrimPrefix(strings.ReplaceAll(plain.Name(), "+", "-"), "-"), string(arch.FP32))
		if i%10 != 0 && parts != string(arch.FP32) && parts != string(arch.FP16) && parts != "int4b32" {
			continue
		}
		for name, mode := range map[string]graphgen.Mode{"cached": graphgen.Cached, "plain": graphgen.Plain} {
			g, err := graphgen.Lower(arch.Candidate{Spec: s, Build: b}, mode)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(*corpusDir, fmt.Sprintf("%03d-%s-%s-%s.onnx", i, b.Dialect, parts, name))
			if err := weights.Write(t.Context(), path, g, sourceOf(s, uint64(i)), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}
