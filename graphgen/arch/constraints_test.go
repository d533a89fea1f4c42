package arch

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Of models whose layers are alike, Constraints say what a Space's tables say.
func TestConstraintsAgainstSpace(t *testing.T) {
	texts := []string{
		"d_inner/d_model >= 2", "decoder_params <= 2e6", "total_params > 1.2e6", "head_dim % 16 == 0", "n_kv_head < 3",
		"kv_bytes_per_token <= 4096", "flops_per_token < 8e6", "embedding_params == vocab*d_model", "n_layer != 3 and positions > 0",
	}
	space := Space{
		Family: LLaMA, Vocab: 9000, HeadsPerKVHead: 2,
		NLayer: Axis{Min: 1, Max: 6}, DModel: Axis{Min: 32, Max: 192, Step: 32}, DInner: Axis{Min: 64, Max: 512, Step: 64}, NHead: Axis{Choices: []int{1, 2, 4}},
	}
	all, err := space.Compile()
	if err != nil {
		t.Fatal(err)
	}
	c, err := CompileConstraints(texts)
	if err != nil {
		t.Fatal(err)
	}
	for n, text := range texts {
		left := map[FloatType]int{}
		for _, b := range []Build{{}, {Float: FP16}} {
			only, err := space.With(text).CompileFor(b)
			if err != nil {
				t.Fatal(err)
			}
			for p := range all.Points() {
				got, err := c.Satisfied(n, all.Candidate(p, b))
				if err != nil || got != only.Contains(p) {
					t.Fatalf("%s at %+v%s: %v, %v; the space says %v", text, p, b.Name(), got, err, only.Contains(p))
				}
			}
			left[b.Float] = only.Count()
		}
		if differs := left[FP16] != left[""]; differs != c.OfBuild(n) {
			t.Errorf("%s leaves %d points in fp32 and %d in fp16, and is said to be of the build: %v", text, left[""], left[FP16], c.OfBuild(n))
		}
	}
}

// What names a layer's sizes holds where every layer that has them satisfies it.
func TestConstraintsOfLayers(t *testing.T) {
	c, err := CompileConstraints([]string{"d_inner/d_model >= 2", "hidden <= 64", "n_layer == 3"})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := Spec{Family: Mixed, Vocab: 100, Positions: 16, DModel: 64}
		want := []bool{true, true, false}
		n := rapid.IntRange(1, 4).Draw(t, "n_layer")
		want[2] = n == 3
		for range n {
			l := Layer{Type: Transformer, NHead: 2, DInner: 64 * rapid.IntRange(1, 3).Draw(t, "ratio")}
			if rapid.Bool().Draw(t, "recurrent") {
				l = Layer{Type: GRU, Hidden: 32 * rapid.IntRange(0, 3).Draw(t, "hidden")}
				want[1] = want[1] && l.Hidden <= 64
			} else {
				want[0] = want[0] && l.DInner >= 128
			}
			s.Layers = append(s.Layers, l)
		}
		for i := range want {
			if got, err := c.Satisfied(i, Candidate{Spec: s}); err != nil || got != want[i] {
				t.Fatalf("%s of %+v: %v, %v", c.Texts()[i], s.Layers, got, err)
			}
		}
	})
}

func TestCompileConstraintsRefuses(t *testing.T) {
	for text, want := range map[string]string{
		" ":                       "the expression is empty",
		"hiden > 2":               "did you mean hidden?",
		"n_layer":                 "bool",
		"hidden < d_inner":        "write one constraint for each",
		`$env["n_layer"] > 2`:     "$env stands for all names",
		"n_layer > 2 +":           "constraint 2",
		strings.Repeat("1", 1001): "too long",
	} {
		if _, err := CompileConstraints([]string{"n_layer > 1", text}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "constraint 2") {
			t.Errorf("%.40s: %v, want %q", text, err, want)
		}
	}
}
