package inherit

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lathe/graphgen"
	"lathe/graphgen/ir"
)

// A neuron's and a head's statistic is what the layer's output moves by without it, the
// length of that on average over tokens; found one by one, on the same tokens.
func TestAddedIsWhatIsMissed(t *testing.T) {
	for _, text := range []string{"gpt2-l2-d32-f24-h4-v61-p16", "llama-l2-d32-f24-h4-kv2-v61-p16"} {
		s := spec(t, text)
		m := drawn(t, s, 5)
		attention, mlp := "transformer.h.1.attn.c_proj.weight", "transformer.h.1.mlp.c_proj.weight"
		without := func(name string, at int) { m[name].clearRow(at) }
		if s.Rotary() {
			attention, mlp = "model.layers.1.self_attn.o_proj.weight", "model.layers.1.mlp.down_proj.weight"
			without = func(name string, at int) { m[name].clearColumn(at) }
		}
		after := func(f *graphgen.Forward) *ir.Value { return f.Layers[1].Out }
		missed := func(name string, from, to int) float64 {
			all := computed(t, s, m.given(), after)
			kept := append([]float32(nil), m[name].vals...)
			for at := from; at < to; at++ {
				without(name, at)
			}
			less := computed(t, s, m.given(), after)
			copy(m[name].vals, kept)
			var sum float64
			for r := range batch * sequence {
				var square float64
				for d := range s.DModel {
					diff := float64(all[r*s.DModel+d] - less[r*s.DModel+d])
					square += diff * diff
				}
				sum += math.Sqrt(square)
			}
			return sum / batch / sequence
		}
		one := func() *Statistics {
			return must(Measure(t.Context(), env, m.given(), Options{Spec: s, Batch: batch, Sequence: sequence, Batches: 1}, fixed{s.Vocab}))(t)
		}
		for n, got := range one().Layers[1].Neurons {
			if want := missed(mlp, n, n+1); math.Abs(got-want) > 1e-4*want {
				t.Errorf("%s: neuron %d adds %g, and %g is missed without it", text, n, got, want)
			}
		}
		clear(m[mlp].vals) // so that heads add to the output and to nothing else
		for h, got := range one().Layers[1].Heads {
			if want := missed(attention, h*8, h*8+8); math.Abs(got-want) > 1e-4*want {
				t.Errorf("%s: head %d adds %g, and %g is missed without it", text, h, got, want)
			}
		}
	}
}

// Influence by its definition.
func TestInfluence(t *testing.T) {
	for _, text := range []string{"gpt2-l2-d32-f24-h4-v61-p16", "gru-l2-d24-v61"} {
		s := spec(t, text)
		m := drawn(t, s, 6)
		stats := must(Measure(t.Context(), env, m.given(), Options{Spec: s, Batch: batch, Sequence: sequence, Batches: 1}, fixed{s.Vocab}))(t)
		in := computed(t, s, m.given(), func(f *graphgen.Forward) *ir.Value { return f.Layers[0].In })
		out := computed(t, s, m.given(), func(f *graphgen.Forward) *ir.Value { return f.Layers[0].Out })
		var want float64
		for r := 0; r < len(in); r += s.DModel {
			var xy, xx, yy float64
			for d := range s.DModel {
				x, y := float64(in[r+d]), float64(out[r+d])
				xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
			}
			want += (1 - xy/math.Sqrt(xx*yy)) / batch / sequence
		}
		if got := stats.Layers[0].Influence; math.Abs(got-want) > 1e-5 {
			t.Errorf("%s: influence %g, want %g", text, got, want)
		}
	}
}

// A smaller head of the rotary kind turns by the frequencies that its weights know.
func TestAngles(t *testing.T) {
	s := spec(t, "llama-l1-d64-f24-h2-v61-p16")
	for n, want := range map[int][]int{32: first(16), 16: {0, 2, 4, 6, 8, 10, 12, 14}, 8: {0, 4, 8, 12}} {
		if got := angles(s.RopeFrequencies(32), s.RopeFrequencies(n)); !slices.Equal(got, want) {
			t.Errorf("pairs %v of 16 for a head of %d, want %v", got, n, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 40).Draw(t, "half")
		n := rapid.IntRange(1, size).Draw(t, "smaller half")
		got := angles(s.RopeFrequencies(2*size), s.RopeFrequencies(2*n))
		for i, at := range got {
			if at < 0 || at >= size || i > 0 && at <= got[i-1] {
				t.Fatalf("%d pairs of %d: %v", n, size, got)
			}
		}
	})
}

// Heads of keys and values that become one are its mean, of the neighbours that do most.
func TestJoined(t *testing.T) {
	b := spec(t, "llama-l1-d32-f24-h8-kv4-v61-p16")
	small := spec(t, "{family: llama, d_model: 32, head_dim: 4, n_head: 4, n_kv_head: 1, d_inner: 24, n_layer: 1, vocab: 61, positions: 16}")
	m := drawn(t, b, 7)
	stats := measured(t, b, m.given())
	copy(stats.Layers[0].Heads, []float64{1, 1, 5, 6, 1, 2, 3, 4})
	c := must(Choose(b, small, stats))(t)
	if got, want := fmt.Sprint(c.Layers[0].Groups, c.Layers[0].Heads), "[[1 3]] [2 3 6 7]"; got != want {
		t.Errorf("chosen %s, want %s", got, want)
	}
	tensors := must(c.Tensors(m.given().Tensors))(t)
	k, old := read(t, tensors["model.layers.0.self_attn.k_proj.weight"]), m["model.layers.0.self_attn.k_proj.weight"]
	for i, v := range k.vals {
		if want := (old.vals[4*32+i] + old.vals[12*32+i]) / 2; k.rows != 4 || math.Abs(float64(v-want)) > 1e-6 {
			t.Fatalf("[%d, %d]: value %d is %g, want the mean %g", k.rows, k.cols, i, v, want)
		}
	}
	if len(computed(t, small, must(c.Source(m.given()))(t), logits)) != batch*sequence*61 {
		t.Error("it does not run")
	}
}

// Layers come in order, each large enough, with the most influence there is: as trying
// all ways says.
func TestMatchLayers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "layers")
		k := rapid.IntRange(1, n).Draw(t, "kept")
		text := func(n int, label string) string {
			list := ""
			for i := range n {
				list += fmt.Sprintf("{n_head: 1, d_inner: %d},", rapid.IntRange(1, 3).Draw(t, fmt.Sprint(label, i)))
			}
			return "{family: gpt2, d_model: 8, vocab: 9, positions: 4, layers: [" + list + "]}"
		}
		b, err := specOf(text(n, "old"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := specOf(text(k, "new"))
		if err != nil {
			t.Fatal(err)
		}
		stats := &Statistics{Layers: make([]Layer, n)}
		for i := range stats.Layers {
			stats.Layers[i].Influence = rapid.Float64Range(0, 1).Draw(t, fmt.Sprint("influence", i))
		}
		most := math.Inf(-1)
		var try func(i, from int, sum float64)
		try = func(i, from int, sum float64) {
			if i == k {
				most = max(most, sum)
				return
			}
			for j := from; j < n; j++ {
				if c.Layers[i].DInner <= b.Layers[j].DInner {
					try(i+1, j+1, sum+stats.Layers[j].Influence)
				}
			}
		}
		try(0, 0, 0)
		got, err := matchLayers(b, c, stats)
		if math.IsInf(most, -1) {
			if err == nil {
				t.Fatalf("%v, and there is no way", got)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		for i, j := range got {
			if i > 0 && j <= got[i-1] || c.Layers[i].DInner > b.Layers[j].DInner {
				t.Fatalf("layers %v do not fit", got)
			}
			sum += stats.Layers[j].Influence
		}
		if math.Abs(sum-most) > 1e-9 {
			t.Fatalf("layers %v have %g, the most is %g", got, sum, most)
		}
	})
}

// Half of everything of every family runs; what is not there is refused.
func TestHalf(t *testing.T) {
	for baseline, small := range map[string]string{
		"gpt2-l4-d32-f24-h4-v61-p16":        "gpt2-l2-d16-f12-h2-v61-p8",
		"gpt2-l4-d32-f24-h4-v61-p16-untied": "gpt2-l2-d16-f12-h4-v61-p16-untied",
		"llama-l4-d64-f24-h4-kv2-v61-p16":   "llama-l2-d32-f12-h4-kv2-v61-p32",
		"llama-l4-d64-f24-h4-v61-p16":       "llama-l2-d24-f12-h4-kv2-v61-p16",
		"lstm-l4-d24-hs20-v61":              "lstm-l2-d12-hs10-v61",
		"gru-l4-d24-v61":                    "gru-l1-d12-v61",
		"lstm-l1-d24-hs20-v61":              "lstm-l1-d20-hs12-v61",
		"{family: gru, d_model: 24, vocab: 61, layers: [{hidden: 30}, {hidden: 30}, {}]}":                                      "{family: gru, d_model: 20, vocab: 61, layers: [{hidden: 15}, {}]}",
		"{family: mixed, d_model: 24, vocab: 61, positions: 16, layers: [{type: lstm, hidden: 20}, {n_head: 3, d_inner: 20}]}": "{family: gpt2, d_model: 12, vocab: 61, positions: 16, layers: [{n_head: 3, d_inner: 20}]}",
	} {
		b, c := spec(t, baseline), spec(t, small)
		m := drawn(t, b, 9)
		choice, err := Choose(b, c, measured(t, b, m.given()))
		if err != nil {
			t.Error(err)
			continue
		}
		src := must(choice.Source(m.given()))(t)
		for i, v := range computed(t, c, src, logits) {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Fatalf("%s: logit %d is %g", small, i, v)
			}
		}
		if src.Hash() == m.given().Hash() || src.Hash() == "" {
			t.Errorf("%s: its weights have the hash %q", small, src.Hash())
		}
	}
	b := spec(t, "gpt2-l2-d32-f24-h4-v61-p16")
	stats := measured(t, b, drawn(t, b, 9).given())
	for small, want := range map[string]string{
		"gpt2-l2-d40-f24-h4-v61-p16":  "d_model 40 is more than the baseline's 32",
		"gpt2-l3-d32-f24-h4-v61-p16":  "n_layer 3 is more than the baseline's 2",
		"gpt2-l2-d32-f25-h4-v61-p16":  "layer 0: d_inner 25 is more than the baseline's 24",
		"gpt2-l2-d32-f24-h8-v61-p16":  "n_head 8 is more than the baseline's 4",
		"gpt2-l2-d32-f24-h2-v61-p16":  "head_dim 16 is more than the baseline's 8",
		"gpt2-l2-d32-f24-h4-v61-p17":  "positions 17 is more than the baseline's 16",
		"gpt2-l2-d32-f24-h4-v60-p16":  "the vocabulary is 60, the baseline's 61",
		"llama-l2-d32-f24-h4-v61-p16": "the families are llama and gpt2",
		"lstm-l2-d32-v61":             "the families are lstm and gpt2",
	} {
		_, err := Choose(b, spec(t, small), stats)
		wants(t, err, want)
	}
	untied := spec(t, "gpt2-l2-d32-f24-h4-v61-p16-untied")
	_, err := Choose(untied, b, stats)
	wants(t, err, "let it be untied")
	_, err = Choose(spec(t, "gpt2-l2-d24-f24-h4-v61-p16"), spec(t, "gpt2-l1-d24-f24-h4-v61-p16"), stats)
	wants(t, err, "the statistics are of d_model 32")
	_, err = Choose(spec(t, "lstm-l2-d24-v61"), spec(t, "lstm-l2-d24-hs20-v61"), stats)
	wants(t, err, "one has a linear layer before the head")
	tensors := drawn(t, b, 1).given().Tensors
	delete(tensors, "transformer.h.1.ln_2.bias")
	c := must(Choose(b, b, stats))(t)
	_, err = c.Tensors(tensors)
	wants(t, err, "the baseline has no tensor transformer.h.1.ln_2.bias")
	tensors = drawn(t, b, 1).given().Tensors
	tensors["transformer.h.1.ln_2.bias"] = &dense{1, 31, make([]float32, 31)}
	_, err = c.Tensors(tensors)
	wants(t, err, "it has 31 columns, and number 31 is wanted")
}

// Any rectangle of a view is what its lines say.
func TestView(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, cols := rapid.IntRange(1, 12).Draw(t, "rows"), rapid.IntRange(1, 12).Draw(t, "cols")
		d := &dense{rows, cols, make([]float32, rows*cols)}
		for i := range d.vals {
			d.vals[i] = float32(i*i%37) - 11
		}
		draw := func(label string, n int) (out []line) {
			for range rapid.IntRange(1, 10).Draw(t, label) {
				out = append(out, line{
					rapid.SliceOfN(rapid.IntRange(0, n-1), 1, 3).Draw(t, label),
					float32(rapid.IntRange(-2, 4).Draw(t, label)) / 2,
				})
			}
			return out
		}
		rl, cl := draw("row lines", rows), draw("column lines", cols)
		m, err := see(d, rl, cl)
		if err != nil {
			t.Fatal(err)
		}
		r0, c0 := rapid.IntRange(0, len(rl)-1).Draw(t, "r0"), rapid.IntRange(0, len(cl)-1).Draw(t, "c0")
		r1, c1 := rapid.IntRange(r0, len(rl)).Draw(t, "r1"), rapid.IntRange(c0, len(cl)).Draw(t, "c1")
		got := make([]float32, (r1-r0)*(c1-c0))
		if err := m.Read(got, int64(r0), int64(r1), int64(c0), int64(c1)); err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			r, c := rl[r0+i/(c1-c0)], cl[c0+i%(c1-c0)]
			var want float32
			for _, a := range r.of {
				for _, b := range c.of {
					want += d.vals[a*cols+b] * r.scale * c.scale
				}
			}
			if v != want {
				t.Fatalf("row %v, column %v: %g, want %g", r, c, v, want)
			}
		}
	})
}
