package graphgen_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
)

var update = flag.Bool("update", false, "write the goldens anew")

// mixedSizes is a model of all types of layers.
const mixedSizes = "family: mixed, d_model: 32, vocab: 100, positions: 16, layers: [{type: lstm, hidden: 48}, {n_head: 2, d_inner: 40}, {type: gru}]"

func TestPrintedGraphs(t *testing.T) {
	for _, tc := range []struct {
		file, candidate string
		mode            graphgen.Mode
	}{
		{"portable", "gpt2-l2-d32-f48-h2-v100-p16+portable", graphgen.Cached},
		{"fused", "gpt2-l2-d32-f48-h2-v100-p16", graphgen.Cached},
		{"fused-int4", "gpt2-l1-d32-f48-h2-v100-p16+int4b16", graphgen.Cached},
		{"fused-int4-head-fp32", "gpt2-l1-d32-f48-h2-v100-p16-untied+int4b16+head-fp32", graphgen.Cached},
		{"fused-int8-embed", "gpt2-l1-d40-f48-h5-v100-p16+int8b32asym", graphgen.Cached},
		{"portable-int8dyn", "gpt2-l1-d32-f48-h2-v100-p16+portable+int8dyn", graphgen.Cached},
		{"llama-fused-int8dyn-embed-int4", "llama-l1-d32-f48-h2-v100-p16-tied+int8dyn+embed-int4b16asym", graphgen.Cached},
		{"fused-fp16", "gpt2-l1-d32-f48-h2-v100-p16+fp16", graphgen.Cached},
		{"fused-fp16-int4", "gpt2-l1-d32-f48-h2-v100-p16+int4b16+fp16", graphgen.Cached},
		{"portable-fp16", "gpt2-l1-d32-f48-h2-v100-p16+portable+fp16", graphgen.Cached},
		{"llama-portable-fp16", "llama-l1-d64-f48-h4-kv2-v100-p16+portable+fp16", graphgen.Cached},
		{"llama-fused-fp16", "llama-l1-d64-f48-h4-kv2-v100-p16+fp16", graphgen.Cached},
		{"plain-portable", "gpt2-l1-d32-f48-h2-v100-p16+portable", graphgen.Plain},
		{"plain-fused", "gpt2-l1-d32-f48-h2-v100-p16", graphgen.Plain},
		{"llama-portable", "llama-l2-d32-f48-h2-v100-p16+portable", graphgen.Cached},
		{"llama-portable-shared", "llama-l1-d64-f48-h4-kv2-v100-p16-tied+portable", graphgen.Cached},
		{"llama-fused", "llama-l2-d64-f48-h4-kv2-v100-p16", graphgen.Cached},
		{"llama-fused-small-heads", "llama-l1-d32-f48-h4-kv2-v100-p16", graphgen.Cached},
		{"llama-fused-int4", "llama-l1-d32-f48-h2-v100-p16+int4b16", graphgen.Cached},
		{"llama-plain-portable", "llama-l1-d32-f48-h2-v100-p16+portable", graphgen.Plain},
		{"lstm-portable", "lstm-l2-d32-hs48-v100+portable", graphgen.Cached},
		{"lstm-fused-int4", "lstm-l1-d32-v100+int4b16", graphgen.Cached},
		{"gru-fused", "gru-l1-d32-v100", graphgen.Cached},
		{"gru-plain-int4", "gru-l1-d32-v100+int4b16", graphgen.Plain},
		{"mixed-portable", "{" + mixedSizes + ", build: +portable}", graphgen.Cached},
		{"mixed-fused-int4", "{" + mixedSizes + ", build: +int4b16}", graphgen.Cached},
		{"llama-plain-fused", "llama-l1-d32-f48-h2-v100-p16", graphgen.Plain},
	} {
		t.Run(tc.file, func(t *testing.T) {
			c, err := arch.ParseCandidate(tc.candidate)
			if strings.HasPrefix(tc.candidate, "{") {
				c, err = arch.ParseYAML(tc.file, []byte(tc.candidate))
			}
			if err != nil {
				t.Fatal(err)
			}
			g, err := graphgen.Lower(c, tc.mode)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, tc.file, g)
		})
	}
}

// golden compares a printed graph with its file.
func golden(t *testing.T, file string, g *ir.Graph) {
	t.Helper()
	var got bytes.Buffer
	if err := g.Print(&got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", file+".txt")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("%s (-want +got); -update if it is meant:\n%s", path, d)
	}
}

func TestPrintedTraining(t *testing.T) {
	for file, text := range map[string]string{
		"train-gpt2":  "{family: gpt2, n_layer: 1, d_model: 32, d_inner: 48, n_head: 2, vocab: 100, positions: 16}",
		"train-llama": "{family: llama, n_layer: 1, d_model: 64, d_inner: 48, n_head: 4, n_kv_head: 2, vocab: 100, positions: 16}",
		"train-gru":   "{family: gru, n_layer: 2, d_model: 32, hidden: 48, vocab: 100}",
		"train-mixed": "{" + mixedSizes + "}",
	} {
		t.Run(file, func(t *testing.T) {
			c, err := arch.ParseYAML(file, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			b := ir.NewBuilder(file)
			f, err := graphgen.Train(b, c.Spec, graphgen.Training{Batch: 2, Sequence: 5, Dropout: 0.1})
			if err != nil {
				t.Fatal(err)
			}
			b.Output(graphgen.Logits, f.Logits(f.Hidden))
			g, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, file, g)
		})
	}
}

// TestCountsEqualGraph holds the closed forms of arch equal to what is lowered:
// a count is the sum over the initializers of the fp32 graph, a tied matrix once.
func TestCountsEqualGraph(t *testing.T) {
	for _, s := range slices.Concat(corpus(), recurrentCorpus(), paperTable()) {
		for _, d := range []arch.Dialect{arch.Portable, arch.Fused} {
			g, err := graphgen.Lower(arch.Candidate{Spec: s, Build: arch.Build{Dialect: d}}, graphgen.Cached)
			if err != nil {
				t.Fatal(err)
			}
			var total, bytes int64
			for _, p := range g.Params {
				n, _ := p.Shape.Elements()
				total += n
				bytes += p.Bytes()
			}
			var states int64
			for _, v := range g.Outputs {
				if strings.HasPrefix(v.Name, "present_state.") {
					n, _ := v.Shape[1:].Elements()
					states += n * v.Type.Size()
				}
			}
			if want := s.StateBytes(); states != want {
				t.Errorf("%s %s: the graph's states take %d bytes, state_bytes says %d", s.Name(), d, states, want)
			}
			if want := s.TotalParams(); total != want {
				t.Errorf("%s %s: the graph has %d parameters, total_params says %d", s.Name(), d, total, want)
			}
			if want := s.WeightBytes(arch.Build{}); bytes != want {
				t.Errorf("%s %s: the graph's parameters take %d bytes, WeightBytes says %d", s.Name(), d, bytes, want)
			}
		}
		for _, b := range precisions() {
			if b.Float == arch.FP16 && recurrent(s) {
				continue
			}
			g, err := graphgen.Lower(arch.Candidate{Spec: s, Build: b}, graphgen.Cached)
			if err != nil {
				t.Fatal(err)
			}
			var bytes int64
			for _, p := range g.Params {
				bytes += p.Bytes()
			}
			if want := s.WeightBytes(b); bytes != want {
				t.Errorf("%s %s: the graph's parameters take %d bytes, WeightBytes says %d", s.Name(), b.Name(), bytes, want)
			}
		}
	}
}

// paperTable is the baseline and the three candidates of the paper's Table 1, and a
// LLaMA of the baseline's size.
func paperTable() []arch.Spec {
	return []arch.Spec{
		arch.NewSpec(arch.GPT2, 12, 1024, 4096, 16),
		arch.NewSpec(arch.GPT2, 7, 1984, 1664, 4),
		arch.NewSpec(arch.GPT2, 6, 1856, 3712, 4),
		arch.NewSpec(arch.GPT2, 7, 1280, 6016, 4),
		arch.NewSpec(arch.LLaMA, 12, 1024, 2816, 16).WithKVHeads(4),
	}
}

// TestHashTellsGraphsApart: equal graphs have equal hashes, whoever lowers them;
// another size, dialect, precision or mode has another.
func TestHashTellsGraphsApart(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{
		"gpt2-l2-d32-f48-h2-v100-p16", "gpt2-l2-d32-f48-h4-v100-p16", "gpt2-l2-d32-f64-h2-v100-p16",
		"llama-l2-d32-f48-h2-v100-p16", "llama-l2-d32-f48-h2-kv1-v100-p16", "llama-l2-d32-f48-h2-v100-p16-tied", "llama-l2-d32-f48-h2-v100-p17",
		"lstm-l2-d32-v100", "gru-l2-d32-v100", "lstm-l2-d32-hs48-v100", "lstm-l2-d32-v100+int4b16",
		"llama-l2-d32-f48-h2-v100-p16+portable", "llama-l2-d32-f48-h2-v100-p16+int4b16",
		"gpt2-l2-d32-f48-h2-v100-p16+portable", "gpt2-l2-d32-f48-h2-v100-p16+int4b32", "gpt2-l2-d32-f48-h2-v100-p16+int4b16",
		"gpt2-l2-d32-f48-h2-v100-p16+fp16", "gpt2-l2-d32-f48-h2-v100-p16+portable+fp16", "gpt2-l2-d32-f48-h2-v100-p16+int4b32+fp16",
		"gpt2-l2-d32-f48-h2-v100-p16+int4b32asym", "gpt2-l2-d32-f48-h2-v100-p16+int8b32", "gpt2-l2-d32-f48-h2-v100-p16+int8dyn",
		"gpt2-l2-d32-f48-h2-v100-p16+int4b32+embed-fp32", "gpt2-l2-d32-f48-h2-v100-p16+embed-int4b32",
	} {
		c, err := arch.ParseCandidate(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, mode := range []graphgen.Mode{graphgen.Cached, graphgen.Plain} {
			var hashes [2]string
			for i := range hashes {
				c.Build.Threads = i + 1 // threads do not change the graph
				g, err := graphgen.Lower(c, mode)
				if err != nil {
					t.Fatal(err)
				}
				if hashes[i], err = graphgen.Hash(g); err != nil {
					t.Fatal(err)
				}
			}
			if hashes[0] != hashes[1] {
				t.Errorf("%s: two lowerings, two hashes", name)
			}
			if other, ok := seen[hashes[0]]; ok {
				t.Errorf("%s mode %d has the hash of %s", name, mode, other)
			}
			seen[hashes[0]] = name
		}
	}
}
