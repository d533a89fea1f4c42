package graphgen_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/weights"
)

var corpusDir = flag.String("corpus", "", "folder to write the corpus's files to, for checks by other tools")

// corpusSize is how many seeded specs the corpus has.
const corpusSize = 110

// corpus is small GPT-2 specs of many shapes: one head and many, head_dim up to
// 496, layers of different widths, tied and untied heads, sizes that are no
// multiple of a quantization block.
func corpus() []arch.Spec {
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

// builds of the corpus.
func builds() []arch.Build {
	var out []arch.Build
	for _, d := range []arch.Dialect{arch.Portable, arch.Fused} {
		out = append(out, arch.Build{Dialect: d})
		out = append(out, arch.Build{Dialect: d, Precision: arch.Precision{Type: arch.Int4, Block: 32}})
	}
	return out
}

func TestCorpusIsSound(t *testing.T) {
	for i, s := range corpus() {
		for _, b := range builds() {
			for _, mode := range []graphgen.Mode{graphgen.Cached, graphgen.Plain} {
				if _, err := graphgen.Lower(arch.Candidate{Spec: s, Build: b}, mode); err != nil {
					t.Fatalf("spec %d %s %s: %v", i, s.Name(), b.Name(), err)
				}
			}
		}
	}
}

// TestWriteCorpus writes every graph of the corpus for tools outside the product
// to read; it does so only when asked for.
func TestWriteCorpus(t *testing.T) {
	if *corpusDir == "" {
		t.Skip("no -corpus folder given: this only writes files for other tools")
	}
	if err := os.MkdirAll(*corpusDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, s := range corpus() {
		for _, b := range builds() {
			b = b.Normalized()
			for name, mode := range map[string]graphgen.Mode{"cached": graphgen.Cached, "plain": graphgen.Plain} {
				g, err := graphgen.Lower(arch.Candidate{Spec: s, Build: b}, mode)
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(*corpusDir, fmt.Sprintf("%03d-%s-%s-%s.onnx", i, b.Dialect, b.Precision.Type, name))
				if err := weights.Write(context.Background(), path, g, &weights.Random{Seed: uint64(i)}, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
