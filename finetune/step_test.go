package finetune

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/runtime/ort"
)

// TestAccumulate: gradients add up over batches, whatever the way they are computed;
// the loss alone is the same loss.
func TestAccumulate(t *testing.T) {
	for name, text := range small {
		var want [][]float64
		var wantLoss float64
		for _, way := range []StepOptions{{}, {HeadChunks: 4}, {Checkpoint: true}, {Threads: 2}, {Parts: 3}, {Checkpoint: true, HeadChunks: 7, Threads: 2, Parts: 3}} {
			way.Spec, way.Batch, way.Sequence = spec(t, text), 3, 7
			m := made(t, way)
			var loss float64
			for k := range 3 {
				ids, labels := batch(m.opts, uint64(k))
				sum, n, err := m.Accumulate(ids, labels, 0.1)
				if err != nil {
					t.Fatal(err)
				}
				alone, an, err := m.Loss(ids, labels)
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(alone-sum) > 1e-5*sum || an != n {
					t.Errorf("%s: the loss alone is %g over %d tokens, with gradients %g over %d", name, alone, an, sum, n)
				}
				loss += sum
			}
			var got [][]float64
			for _, g := range m.Gradients() {
				got = append(got, wide(g.Values))
			}
			if want == nil {
				want, wantLoss = got, loss
				continue
			}
			if math.Abs(loss-wantLoss) > 1e-5*wantLoss {
				t.Errorf("%s %+v: the loss is %g, want %g", name, way, loss, wantLoss)
			}
			for i := range want {
				var diff float64
				for k, v := range got[i] {
					diff += (v - want[i][k]) * (v - want[i][k])
				}
				if diff > 1e-9*square(want[i]) {
					t.Errorf("%s, %d chunks, checkpoint %t: gradient of %s is %g off", name, way.HeadChunks, way.Checkpoint, m.places[i].param.Name, math.Sqrt(diff/square(want[i])))
				}
			}
		}
	}
}

// inline stores a source's values in the model.
type inline struct {
	t   *testing.T
	src weights.Source
}

func (p inline) Place(param *ir.Param) (ir.Placement, error) {
	var b bytes.Buffer
	err := p.src.WriteParam(p.t.Context(), &b, param)
	return ir.Placement{Inline: b.Bytes()}, err
}

// TestSource: after some steps the weights, in the graph that is shipped, give the
// losses that the training graph gives; loaded anew they are the same to the bit.
func TestSource(t *testing.T) {
	for name, text := range small {
		m := made(t, StepOptions{Spec: spec(t, text), Batch: 2, Sequence: 8})
		ids, labels := batch(m.opts, 1)
		hash := m.Source().Hash()
		for range 3 {
			if _, _, err := m.Accumulate(ids, labels, 0.1); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Apply(1e-2); err != nil {
				t.Fatal(err)
			}
		}
		if m.Source().Hash() == hash {
			t.Errorf("%s: other weights have the same hash", name)
		}
		want, _, err := m.Loss(ids, labels)
		if err != nil {
			t.Fatal(err)
		}
		if got := shippedLoss(t, m, ids, labels); math.Abs(got-want) > 1e-5*want {
			t.Errorf("%s: the shipped graph's loss is %g, the training graph's %g", name, got, want)
		}
		again := made(t, m.opts)
		if err := again.Load(t.Context(), m.Source()); err != nil {
			t.Fatal(err)
		}
		for i, p := range m.State().Parameters {
			for k, v := range again.State().Parameters[i].Values {
				if v != p.Values[k] {
					t.Fatalf("%s: value %d of %s is loaded as %g and was %g", name, k, p.Param.Name, v, p.Values[k])
				}
			}
		}
		if again.Source().Hash() != m.Source().Hash() {
			t.Errorf("%s: the same weights have another hash", name)
		}
	}
}

// shippedLoss is the loss by the logits of the fused graph.
func shippedLoss(t *testing.T, m *Model, ids, labels []int64) (sum float64) {
	t.Helper()
	g, err := graphgen.Lower(arch.Candidate{Spec: m.opts.Spec}, graphgen.Plain)
	if err != nil {
		t.Fatal(err)
	}
	model, err := ir.Encode(g, inline{t, m.Source()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := env.NewSession(model, "", ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	positions, mask := make([]int64, len(ids)), make([]int64, len(ids))
	for i := range ids {
		positions[i], mask[i] = int64(i%m.opts.Sequence), 1
	}
	in := map[string]*ort.Tensor{}
	for name, data := range map[string][]int64{graphgen.InputIDs: ids, graphgen.PositionIDs: positions, graphgen.AttentionMask: mask} {
		if _, takes := s.Input(name); !takes {
			continue
		}
		v, err := ort.NewTensor([]int64{int64(m.opts.Batch), int64(m.opts.Sequence)}, data)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		in[name] = v
	}
	out, err := s.Run(in, graphgen.Logits)
	if err != nil {
		t.Fatal(err)
	}
	defer out[graphgen.Logits].Close()
	logits, vocab := ort.Data[float32](out[graphgen.Logits]), m.opts.Spec.Vocab
	for i, label := range labels {
		if label == Ignored {
			continue
		}
		var total float64
		for _, v := range logits[i*vocab:][:vocab] {
			total += math.Exp(float64(v))
		}
		sum += math.Log(total) - float64(logits[i*vocab+int(label)])
	}
	return sum
}

// TestStateGoesOn: a model that takes over another's state goes on as that one does, to
// the bit, masks of dropout too.
func TestStateGoesOn(t *testing.T) {
	o := StepOptions{Spec: spec(t, small["mixed"]), Batch: 2, Sequence: 6, Dropout: 0.3, Seed: 7}
	m := made(t, o)
	step := func(m *Model, k int) float64 {
		ids, labels := batch(m.opts, uint64(k))
		loss, _, err := m.Accumulate(ids, labels, 0.1)
		if err == nil {
			_, err = m.Apply(1e-2)
		}
		if err != nil {
			t.Fatal(err)
		}
		return loss
	}
	for k := range 3 {
		step(m, k)
	}
	other := made(t, o)
	from, to := m.State(), other.State()
	for i := range from.Parameters {
		copy(to.Parameters[i].Values, from.Parameters[i].Values)
		copy(to.First[i].Values, from.First[i].Values)
		copy(to.Second[i].Values, from.Second[i].Values)
	}
	other.Stepped(int(from.Steps))
	for k := range 3 {
		if a, b := step(m, 3+k), step(other, 3+k); a != b {
			t.Errorf("step %d: %v, and %v with the state taken over", 3+k, a, b)
		}
	}
	ids, labels := batch(o, 9)
	m.Discard()
	first, _, _ := m.Accumulate(ids, labels, 1)
	second, _, _ := m.Accumulate(ids, labels, 1)
	if first == second {
		t.Error("two batches of a step drop the same")
	}
}

func TestKeep(t *testing.T) {
	for _, rate := range []float64{0, 0.1, 0.5, 0.97} {
		mask := make([]bool, 1<<18+3)
		keep(mask, rate, 1, 2, 3, 4)
		var dropped float64
		for _, k := range mask {
			if !k {
				dropped++
			}
		}
		n := float64(len(mask))
		if sigma := math.Sqrt(rate*(1-rate)/n) + 1e-5; math.Abs(dropped/n-rate) > 4*sigma {
			t.Errorf("rate %g: a share of %g is dropped", rate, dropped/n)
		}
	}
	draw := func(seed uint64, step, batch int64, i int) string {
		mask := make([]bool, 64)
		keep(mask, 0.5, seed, step, batch, i)
		var s strings.Builder
		binary.Write(&s, binary.LittleEndian, mask) //nolint:errcheck // it takes all
		return s.String()
	}
	first := draw(1, 1, 1, 1)
	seen := map[string]bool{first: true, draw(2, 1, 1, 1): true, draw(1, 2, 1, 1): true, draw(1, 1, 2, 1): true, draw(1, 1, 1, 2): true}
	if len(seen) != 5 || draw(1, 1, 1, 1) != first {
		t.Error("masks are not a function of seed, step, batch and place, or not of all of them")
	}
}

// TestParts: a run has 512 tokens or more, and a recurrent layer's has all rows.
func TestParts(t *testing.T) {
	for _, c := range []struct {
		spec                  string
		batch, sequence, want int
	}{
		{"gpt2-l1-d16-f16-h1-p1024", 8, 128, 2},
		{"gpt2-l1-d16-f16-h1-p1024", 4, 256, 2},
		{"gpt2-l1-d16-f16-h1-p1024", 4, 1024, 4},
		{"gpt2-l1-d16-f16-h1-p1024", 9, 200, 3},
		{"gpt2-l1-d16-f16-h1-p1024", 7, 512, 7},
		{"gpt2-l1-d16-f16-h1-p1024", 7, 500, 1},
		{"gpt2-l1-d16-f16-h1-p1024", 1, 16, 1},
		{"lstm-l1-d16", 64, 128, 1},
		{small["mixed"], 64, 16, 1},
	} {
		if got := parts(StepOptions{Spec: spec(t, c.spec), Batch: c.batch, Sequence: c.sequence}); got != c.want {
			t.Errorf("%d parts of %d rows of %d tokens of %s, want %d", got, c.batch, c.sequence, c.spec, c.want)
		}
	}
}

func TestRefuses(t *testing.T) {
	good := StepOptions{Spec: spec(t, small["gpt2"]), Batch: 2, Sequence: 4}
	for want, change := range map[string]func(o *StepOptions){
		"0 rows":             func(o *StepOptions) { o.Batch = 0 },
		"16 positions":       func(o *StepOptions) { o.Sequence = 17 },
		"dropout 1":          func(o *StepOptions) { o.Dropout = 1 },
		"3 equal parts":      func(o *StepOptions) { o.Parts = 3 },
		"-1 equal parts":     func(o *StepOptions) { o.Parts = -1 },
		"5 chunks":           func(o *StepOptions) { o.Parts, o.HeadChunks = 2, 5 },
		"9 chunks":           func(o *StepOptions) { o.HeadChunks = 9 },
		"beta2 is 1":         func(o *StepOptions) { o.Optimizer.Beta2 = 1 },
		"epsilon is 1e-40":   func(o *StepOptions) { o.Optimizer.Epsilon = 1e-40 },
		"weight decay is +I": func(o *StepOptions) { o.Optimizer.WeightDecay = math.Inf(1) },
	} {
		o := good
		change(&o)
		if m, err := New(t.Context(), env, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, it should say %q", err, want)
			if m != nil {
				m.Close()
			}
		}
	}
	m := made(t, good)
	ids, labels := batch(m.opts, 1)
	for want, change := range map[string]func(ids, labels []int64) ([]int64, []int64){
		"7 ids":                      func(ids, labels []int64) ([]int64, []int64) { return ids[1:], labels },
		"token 1 of row 1 is 61":     func(ids, labels []int64) ([]int64, []int64) { ids[5] = 61; return ids, labels },
		"label 0 of row 0 is -1":     func(ids, labels []int64) ([]int64, []int64) { labels[0] = -1; return ids, labels },
		"label 3 of row 1 is 100000": func(ids, labels []int64) ([]int64, []int64) { labels[7] = 100000; return ids, labels },
	} {
		a, b := change(append([]int64(nil), ids...), append([]int64(nil), labels...))
		if _, _, err := m.Accumulate(a, b, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, it should say %q", err, want)
		}
	}
}
