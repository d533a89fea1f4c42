package graphgen_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/runtime/ort"
)

// trained is a forward pass for training with outputs by name.
type trained struct {
	f *graphgen.Forward
	s *ort.Session
}

// train opens a forward pass with weights of a source; outputs says what comes out.
func train(t *testing.T, s arch.Spec, tr graphgen.Training, src weights.Source, outputs func(b *ir.Builder, f *graphgen.Forward)) trained {
	t.Helper()
	b := ir.NewBuilder(s.Name())
	f, err := graphgen.Train(b, s, tr)
	if err != nil {
		t.Fatal(err)
	}
	outputs(b, f)
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	model, err := ir.Encode(g, inline{src})
	if err != nil {
		t.Fatal(err)
	}
	sess, err := env.NewSession(model, "", ort.Options{Name: s.Name() + " for training"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sess.Close() })
	return trained{f, sess}
}

// run feeds tokens and masks: keep says for each mask whether all of it is kept.
func (tr trained) run(t *testing.T, rows [][]int64, keep func(name string) bool, output string) []float32 {
	t.Helper()
	var ids []int64
	for _, r := range rows {
		ids = append(ids, r...)
	}
	in := map[string]*ort.Tensor{}
	add := func(name string, v *ort.Tensor, err error) {
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		in[name] = v
	}
	v, err := ort.NewTensor([]int64{int64(len(rows)), int64(len(rows[0]))}, ids)
	add(graphgen.InputIDs, v, err)
	for _, m := range tr.f.Masks {
		var shape []int64
		for _, d := range m.Input.Shape {
			shape = append(shape, d.N)
		}
		n, _ := m.Input.Shape.Elements()
		kept := make([]bool, n)
		for i := range kept {
			kept[i] = keep(m.Input.Name)
		}
		v, err := ort.NewTensor(shape, kept)
		add(m.Input.Name, v, err)
	}
	out, err := tr.s.Run(in, output)
	if err != nil {
		t.Fatal(err)
	}
	defer out[output].Close()
	return append([]float32(nil), ort.Data[float32](out[output])...)
}

func trainCorpus() []arch.Spec {
	var out []arch.Spec
	for i, s := range append(corpus(), recurrentCorpus()...) {
		if i%4 == 0 {
			out = append(out, s)
		}
	}
	return out
}

// TestTrainEqualsPlain: the forward pass that is differentiated gives the logits of the
// graph that is evaluated, its head in one piece or two, its layers as they are or
// written once more.
func TestTrainEqualsPlain(t *testing.T) {
	for i, s := range trainCorpus() {
		rng := rand.New(rand.NewPCG(uint64(i), 2))
		batch, n := 1+i%3, 3+rng.IntN(9)
		prompts := tokens(rng, s.Vocab, batch, n)
		src := recurrentSource(uint64(i))
		want := plainLogits(t, sessionOf(t, s, portable, graphgen.Plain, src), prompts)
		tr := train(t, s, graphgen.Training{Batch: int64(batch), Sequence: int64(n)}, src, func(b *ir.Builder, f *graphgen.Forward) {
			b.Output("whole", f.Logits(f.Hidden))
			tokens := int64(batch * n)
			parts := b.SplitSizes(f.Hidden, 0, tokens-1, 1)
			b.Output("pieces", b.Concat(0, ir.D(tokens), f.Logits(parts[0]), f.Logits(parts[1])))
			x := f.Layers[0].In
			for k := range f.Layers {
				x = f.Again(k, x)
			}
			b.Output("again", f.Logits(f.Last(x)))
		})
		for _, output := range []string{"whole", "pieces", "again"} {
			if got := tr.run(t, prompts, nil, output); worst(got, want) > 2e-5 {
				t.Errorf("%d %s: %s differs from the plain graph by %g", i, s.Name(), output, worst(got, want))
			}
		}
	}
}

// TestTrainedParameters: parameters are those of the portable fp32 graph, so that what
// writes its weights fills a training graph.
func TestTrainedParameters(t *testing.T) {
	for _, s := range trainCorpus() {
		g, err := graphgen.Lower(arch.Candidate{Spec: s, Build: portable}, graphgen.Plain)
		if err != nil {
			t.Fatal(err)
		}
		b := ir.NewBuilder("t")
		f, err := graphgen.Train(b, s, graphgen.Training{Batch: 2, Sequence: 3})
		if err != nil {
			t.Fatal(err)
		}
		b.Output("logits", f.Logits(f.Hidden))
		tg, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for _, p := range g.Params {
			want[p.Name] = p.Shape.String()
		}
		for _, p := range tg.Params {
			if want[p.Name] != p.Shape.String() {
				t.Errorf("%s: %s is %v for training and %s otherwise", s.Name(), p.Name, p.Shape, want[p.Name])
			}
			delete(want, p.Name)
		}
		if len(want) > 0 {
			t.Errorf("%s: training has no %v", s.Name(), want)
		}
	}
}

// TestDropout: masks that keep everything change nothing but the scale; without
// branches, or without what attention looks at, what is left is as it must be.
func TestDropout(t *testing.T) {
	for i, text := range []string{
		"gpt2-l2-d32-f48-h2-v100-p16", "llama-l2-d32-f48-h4-kv2-v100-p16", "lstm-l2-d32-v100", "gru-l2-d32-hs48-v100", mixedSizes,
	} {
		c, err := arch.ParseYAML("spec", []byte("{"+text+"}"))
		if !strings.HasPrefix(text, "family") {
			c, err = arch.ParseCandidate(text)
		}
		if err != nil {
			t.Fatal(err)
		}
		s := c.Spec
		prompts := tokens(rand.New(rand.NewPCG(uint64(i), 3)), s.Vocab, 2, 5)
		logits := func(b *ir.Builder, f *graphgen.Forward) { b.Output("logits", f.Logits(f.Hidden)) }
		of := func(rate float64) trained {
			return train(t, s, graphgen.Training{Batch: 2, Sequence: 5, Dropout: rate}, recurrentSource(5), logits)
		}
		all := func(string) bool { return true }
		plain := of(0).run(t, prompts, nil, "logits")
		if got := of(1e-9).run(t, prompts, all, "logits"); worst(got, plain) != 0 {
			t.Errorf("%s: with masks that keep all the logits differ by %g", s.Name(), worst(got, plain))
		}
		half := of(0.5)
		doubled := half.run(t, prompts, all, "logits")
		if worst(doubled, plain) < 1e-3 {
			t.Errorf("%s: what is kept is not scaled", s.Name())
		}
		names := map[string]bool{}
		for _, m := range half.f.Masks {
			names[m.Input.Name] = true
			without := half.run(t, prompts, func(name string) bool { return name != m.Input.Name }, "logits")
			if worst(without, doubled) < 1e-5 {
				t.Errorf("%s: mask %s changes nothing", s.Name(), m.Input.Name)
			}
			if m.Rate != 0.5 {
				t.Errorf("%s: mask %s has rate %g", s.Name(), m.Input.Name, m.Rate)
			}
		}
		want := 1
		for k := range s.Layers {
			if s.TypeOf(k).Recurrent() {
				want++
			} else {
				want += 3
			}
		}
		if len(names) != want {
			t.Errorf("%s: masks %v, %d are wanted", s.Name(), names, want)
		}
		// Nothing embedded and no branch: every row is the same.
		empty := half.run(t, prompts, func(string) bool { return false }, "logits")
		for k, v := range empty {
			if v != empty[k%s.Vocab] {
				t.Errorf("%s: with everything dropped, logit %d is %g and that of the first token %g", s.Name(), k, v, empty[k%s.Vocab])
				break
			}
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	s := arch.NewSpec(arch.GPT2, 1, 32, 48, 2)
	s.Positions = 16
	for _, tc := range []struct {
		tr   graphgen.Training
		want string
	}{
		{graphgen.Training{Sequence: 4}, "0 rows of 4 tokens"},
		{graphgen.Training{Batch: 1, Sequence: 17}, "16 positions"},
		{graphgen.Training{Batch: 1, Sequence: 4, Dropout: 1}, "dropout 1"},
	} {
		_, err := graphgen.Train(ir.NewBuilder("t"), s, tc.tr)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: error %v, it should say %q", tc.tr, err, tc.want)
		}
	}
	s.Layers[0].NHead = 5
	if _, err := graphgen.Train(ir.NewBuilder("t"), s, graphgen.Training{Batch: 1, Sequence: 4}); err == nil {
		t.Error("a spec that is not valid is lowered")
	}
}
