package graphgen_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/weights"
	"lathe/runtime/decode"
)

// reference computes a recurrent or mixed model's logits in float64, from the
// equations of torch.nn.LSTM, torch.nn.GRU and GPT-2, one token after the other. Its
// weights are those of the fp32 graph.
type reference struct {
	s arch.Spec
	w map[string][]float64
	// What it carries: h and c by layer, and of a transformer layer keys and values.
	h, c         [][]float64
	keys, values [][][]float64
	position     int
}

func newReference(t *testing.T, s arch.Spec, seed uint64) *reference {
	t.Helper()
	g, err := graphgen.Lower(arch.Candidate{Spec: s, Build: arch.Build{Dialect: arch.Portable}}, graphgen.Plain)
	if err != nil {
		t.Fatal(err)
	}
	r := &reference{s: s.Normalized(), w: map[string][]float64{}}
	src := recurrentSource(seed)
	for _, p := range g.Params {
		var b bytes.Buffer
		if err := src.WriteParam(context.Background(), &b, p); err != nil {
			t.Fatal(err)
		}
		vals := make([]float32, b.Len()/4)
		if err := binary.Read(&b, binary.LittleEndian, vals); err != nil {
			t.Fatal(err)
		}
		for _, v := range vals {
			r.w[p.Name] = append(r.w[p.Name], float64(v))
		}
	}
	return r.fresh()
}

// fresh has the same weights and has read nothing.
func (r *reference) fresh() *reference {
	s, n := r.s, len(r.s.Layers)
	r = &reference{s: s, w: r.w}
	r.h, r.c, r.keys, r.values = make([][]float64, n), make([][]float64, n), make([][][]float64, n), make([][][]float64, n)
	for i := range s.Layers {
		r.h[i], r.c[i] = make([]float64, s.HiddenOf(i)), make([]float64, s.HiddenOf(i))
	}
	return r
}

// recurrentSource draws biases and norms too.
func recurrentSource(seed uint64) weights.Source { return &lively{weights.Random{Seed: seed}} }

// rows is w x + b for w [len(b), len(x)].
func rows(w, b, x []float64) []float64 {
	y := make([]float64, len(b))
	for i := range y {
		y[i] = b[i]
		for k := range x {
			y[i] += w[i*len(x)+k] * x[k]
		}
	}
	return y
}

// columns is x w + b for w [len(x), len(b)].
func columns(w, b, x []float64) []float64 {
	y := append([]float64(nil), b...)
	for k := range x {
		for i := range y {
			y[i] += x[k] * w[k*len(b)+i]
		}
	}
	return y
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func (r *reference) recurrent(i int, prefix string, x []float64) []float64 {
	n, gates := r.s.HiddenOf(i), r.s.TypeOf(i).Gates()
	bias := r.w[prefix+"B"]
	in := rows(r.w[prefix+"W"], bias[:gates*n], x)
	state := rows(r.w[prefix+"R"], bias[gates*n:], r.h[i])
	at := func(v []float64, gate, j int) float64 { return v[gate*n+j] }
	for j := range n {
		if gates == 4 { // i, o, f, c
			gate := func(k int) float64 { return at(in, k, j) + at(state, k, j) }
			r.c[i][j] = sigmoid(gate(2))*r.c[i][j] + sigmoid(gate(0))*math.Tanh(gate(3))
			r.h[i][j] = sigmoid(gate(1)) * math.Tanh(r.c[i][j])
			continue
		}
		z, reset := sigmoid(at(in, 0, j)+at(state, 0, j)), sigmoid(at(in, 1, j)+at(state, 1, j))
		candidate := math.Tanh(at(in, 2, j) + reset*at(state, 2, j))
		r.h[i][j] = (1-z)*candidate + z*r.h[i][j]
	}
	return append([]float64(nil), r.h[i]...)
}

func (r *reference) norm(name string, x []float64) []float64 {
	var mean, variance float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for j, v := range x {
		y[j] = (v-mean)/math.Sqrt(variance+r.s.NormEpsilon())*r.w[name+".weight"][j] + r.w[name+".bias"][j]
	}
	return y
}

func (r *reference) linear(name string, x []float64) []float64 {
	return columns(r.w[name+".weight"], r.w[name+".bias"], x)
}

func (r *reference) attention(i int, prefix string, x []float64) []float64 {
	heads, size := r.s.Layers[i].NHead, r.s.HeadDimOf(i)
	qkv := r.linear(prefix+"c_attn", x)
	inner := heads * size
	r.keys[i], r.values[i] = append(r.keys[i], qkv[inner:2*inner]), append(r.values[i], qkv[2*inner:])
	y := make([]float64, inner)
	for head := range heads {
		from, to := head*size, (head+1)*size
		var scores []float64
		sum := 0.0
		for _, key := range r.keys[i] {
			score := 0.0
			for k := from; k < to; k++ {
				score += qkv[k] * key[k]
			}
			scores = append(scores, math.Exp(score/math.Sqrt(float64(size))))
			sum += scores[len(scores)-1]
		}
		for p, value := range r.values[i] {
			for k := from; k < to; k++ {
				y[k] += scores[p] / sum * value[k]
			}
		}
	}
	return r.linear(prefix+"c_proj", y)
}

func (r *reference) mlp(prefix string, x []float64) []float64 {
	u := r.linear(prefix+"c_fc", x)
	for j, v := range u {
		u[j] = 0.5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
	}
	return r.linear(prefix+"c_proj", u)
}

// next is the logits after one more token.
func (r *reference) next(token int64) []float64 {
	d := r.s.DModel
	row := func(name string, i int) []float64 { return append([]float64(nil), r.w[name][i*d:(i+1)*d]...) }
	add := func(x, y []float64) {
		for j := range x {
			x[j] += y[j]
		}
	}
	var x []float64
	embedding, head := "transformer.wte.weight", "lm_head.weight"
	if r.s.Stack() {
		embedding = "encoder.weight"
		x = row(embedding, int(token))
		for i := range r.s.Layers {
			x = r.recurrent(i, fmt.Sprintf("rnn.%d.", i), x)
		}
		if r.w["proj.weight"] != nil {
			x = r.linear("proj", x)
		}
	} else {
		x = row(embedding, int(token))
		add(x, row("transformer.wpe.weight", r.position))
		for i := range r.s.Layers {
			p := fmt.Sprintf("transformer.h.%d.", i)
			if r.s.TypeOf(i).Recurrent() {
				add(x, r.linear(p+"proj", r.recurrent(i, p+"rnn.", r.norm(p+"ln_1", x))))
				continue
			}
			add(x, r.attention(i, p+"attn.", r.norm(p+"ln_1", x)))
			add(x, r.mlp(p+"mlp.", r.norm(p+"ln_2", x)))
		}
		x = r.norm("transformer.ln_f", x)
	}
	r.position++
	if !r.s.Untied {
		head = embedding
	}
	return rows(r.w[head], make([]float64, r.s.Vocab), x)
}

// recurrentCorpus is stacks and mixed models of many shapes: hidden sizes that are
// d_model's, larger, smaller and of every layer's own, layers of all types in all
// places, tied and untied, a GQA of the fused dialect beside an LSTM.
func recurrentCorpus() []arch.Spec {
	rng := rand.New(rand.NewPCG(9, 9))
	var specs []arch.Spec
	for i := range 36 {
		s := arch.Spec{
			Family: []arch.Family{arch.LSTM, arch.GRU, arch.Mixed}[i%3], Vocab: 30 + rng.IntN(200), Positions: 40,
			DModel: 16 * (1 + rng.IntN(5)), Untied: rng.IntN(3) == 0,
		}
		for k := range 1 + rng.IntN(4) {
			l := arch.Layer{Type: arch.LayerType(s.Family)}
			if s.Family == arch.Mixed {
				l.Type = []arch.LayerType{arch.LSTM, arch.Transformer, arch.GRU}[(i/3+k)%3]
			}
			if l.Type == arch.Transformer {
				l.NHead, l.DInner = []int{1, 2}[rng.IntN(2)], 8+rng.IntN(100)
			} else if rng.IntN(2) == 0 {
				l.Hidden = 1 + rng.IntN(100)
			}
			s.Layers = append(s.Layers, l)
		}
		specs = append(specs, s)
	}
	return specs
}

// exact is how far logits may be from the reference: the library's sigmoid and tanh are
// approximations in fp32.
const exact = 1e-5

// relativeTo is the largest difference over the largest logit.
func relativeTo(want []float64, got []float32) float64 {
	var d, largest float64
	for i, w := range want {
		d = math.Max(d, math.Abs(float64(got[i])-w))
		largest = math.Max(largest, math.Abs(w))
		if math.IsNaN(float64(got[i])) {
			return math.Inf(1)
		}
	}
	return d / largest
}

// TestRecurrentAgainstReference: a batch of prompts of different lengths, read at once,
// then token by token, then a second prompt appended: every row's logits are the
// reference's, in both dialects; and those of the plain graph are, for every position.
func TestRecurrentAgainstReference(t *testing.T) {
	worstOf := map[string]float64{}
	for i, s := range recurrentCorpus() {
		rng := rand.New(rand.NewPCG(uint64(i), 4))
		batch := 1 + i%4
		prompts := tokens(rng, s.Vocab, batch, 7)
		for r := range prompts {
			prompts[r] = prompts[r][:1+rng.IntN(7)]
		}
		steps, more := tokens(rng, s.Vocab, 3, batch), tokens(rng, s.Vocab, batch, 4)
		ref := newReference(t, s, 11)
		for _, b := range []arch.Build{portable, fused} {
			what := fmt.Sprintf("%d %s%s", i, s.Name(), b.Name())
			m, err := decode.New(sessionOf(t, s, b, graphgen.Cached, recurrentSource(11)), decode.Options{Batch: batch, MaxLen: 16})
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			defer m.Close()
			refs := make([]*reference, batch)
			check := func(at string, want [][]float64) {
				t.Helper()
				for r := range refs {
					d := relativeTo(want[r], m.Last(r))
					worstOf[at] = max(worstOf[at], d)
					if !(d <= exact) {
						t.Errorf("%s: %s, row %d differs by %g", what, at, r, d)
					}
				}
			}
			read := func(of func(r int) []int64) (last [][]float64) {
				for r := range refs {
					var l []float64
					for _, id := range of(r) {
						l = refs[r].next(id)
					}
					last = append(last, l)
				}
				return last
			}
			for range 2 { // the second time after a Reset
				m.Reset()
				for r := range refs {
					refs[r] = ref.fresh()
				}
				if err := m.Prefill(prompts); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				check("prompt", read(func(r int) []int64 { return prompts[r] }))
				for _, ids := range steps {
					if err := m.Step(ids); err != nil {
						t.Fatalf("%s: %v", what, err)
					}
					check("step", read(func(r int) []int64 { return ids[r : r+1] }))
				}
				if b.Dialect == arch.Fused && batch > 1 && s.Family == arch.Mixed {
					continue // GroupQueryAttention appends to one row only
				}
				if err := m.Prefill(more); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				check("second prompt", read(func(r int) []int64 { return more[r] }))
			}

			r := ref.fresh()
			got := plainLogits(t, sessionOf(t, s, b, graphgen.Plain, recurrentSource(11)), more[:1])
			for k, id := range more[0] {
				if d := relativeTo(r.next(id), got[k*s.Vocab:(k+1)*s.Vocab]); !(d <= exact) {
					t.Errorf("%s: token %d of the plain graph differs by %g", what, k, d)
				}
			}
		}
	}
	t.Logf("worst differences %v", worstOf)
}

// quantized replaces a reference's layer matrices with what their int4 codes stand for.
// It is called once.
func (r *reference) quantized(block int) {
	coded := func(vals []float64, n, k int, at func(n, k int) int) {
		row, codes, scales := make([]float32, k), make([]byte, (k+block-1)/block*block/2), make([]float32, (k+block-1)/block)
		for i := range n {
			for j := range row {
				row[j] = float32(vals[at(i, j)])
			}
			weights.Quantize4(row, block, codes, scales)
			for j := range row {
				code := codes[j/2] >> (4 * (j % 2)) & 15
				vals[at(i, j)] = float64(int(code)-8) * float64(scales[j/block])
			}
		}
	}
	for _, m := range r.s.MatMuls() {
		if m.Layer < 0 {
			continue
		}
		prefix := fmt.Sprintf("transformer.h.%d.", m.Layer)
		if r.s.Stack() {
			prefix = fmt.Sprintf("rnn.%d.", m.Layer)
		}
		switch m.Name {
		case "rnn.weight_ih", "rnn.weight_hh":
			name := prefix
			if !r.s.Stack() {
				name += "rnn."
			}
			coded(r.w[name+map[string]string{"rnn.weight_ih": "W", "rnn.weight_hh": "R"}[m.Name]], m.N, m.K, func(n, k int) int { return n*m.K + k })
		default:
			name := prefix + m.Name
			if r.s.Stack() {
				name = m.Name
			}
			coded(r.w[name+".weight"], m.N, m.K, func(n, k int) int { return k*m.N + n })
		}
	}
}

// TestQuantizedCells: with kernels that multiply in fp32, as another provider than the
// CPU's is asked to, a quantized model is the reference with the weights that the codes
// stand for. The CPU's int8 activations add no more than 2 % of the largest logit, by
// prompt and by steps, and rows of a padded batch agree with rows alone.
func TestQuantizedCells(t *testing.T) {
	const int8Activations = 0.02
	worstOf := map[string]float64{}
	for i, s := range recurrentCorpus() {
		rng := rand.New(rand.NewPCG(uint64(i), 5))
		batch := 1 + i%3
		prompts := tokens(rng, s.Vocab, batch, 6)
		for r := range prompts {
			prompts[r] = prompts[r][:1+rng.IntN(6)]
		}
		steps := tokens(rng, s.Vocab, 3, batch)
		ref := newReference(t, s, 11)
		ref.quantized(16)
		for _, p := range []struct {
			provider string
			limit    float64
		}{{arch.OpenVINO, exact}, {arch.CPU, int8Activations}} {
			b := arch.Build{Precision: arch.Precision{Type: arch.Int4, Block: 16}, Head: arch.Precision{Type: arch.Unquantized}, Provider: arch.Provider{Name: p.provider}}
			what := fmt.Sprintf("%d %s%s", i, s.Name(), b.Name())
			m, err := decode.New(sessionOf(t, s, b, graphgen.Cached, recurrentSource(11)), decode.Options{Batch: batch, MaxLen: 16, NoProbe: true})
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			defer m.Close()
			if err := m.Prefill(prompts); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			refs, want := make([]*reference, batch), make([][]float64, batch)
			for r := range refs {
				refs[r] = ref.fresh()
				for _, id := range prompts[r] {
					want[r] = refs[r].next(id)
				}
			}
			for k := 0; ; k++ {
				for r := range refs {
					d := relativeTo(want[r], m.Last(r))
					worstOf[p.provider] = max(worstOf[p.provider], d)
					if !(d <= p.limit) {
						t.Errorf("%s: row %d, %d tokens on, differs by %g", what, r, k, d)
					}
				}
				if k == len(steps) {
					break
				}
				if err := m.Step(steps[k]); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				for r := range refs {
					want[r] = refs[r].next(steps[k][r])
				}
			}
			r := ref.fresh()
			got := plainLogits(t, sessionOf(t, s, b, graphgen.Plain, recurrentSource(11)), prompts[:1])
			for k, id := range prompts[0] {
				if d := relativeTo(r.next(id), got[k*s.Vocab:(k+1)*s.Vocab]); !(d <= p.limit) {
					t.Errorf("%s: token %d of the plain graph differs by %g", what, k, d)
				}
			}
		}
	}
	t.Logf("worst differences %v", worstOf)
}

// TestStatesCannotGoBack: a state is that of all tokens together, and goes over the
// padding that stands before them.
func TestStatesCannotGoBack(t *testing.T) {
	for _, s := range recurrentCorpus()[:3] {
		sess := sessionOf(t, s, fused, graphgen.Cached, recurrentSource(11))
		if _, err := decode.New(sess, decode.Options{Padding: decode.PadLeft}); err == nil || !strings.Contains(err.Error(), "takes padding on the right") {
			t.Errorf("%s: padding on the left: %v", s.Name(), err)
		}
		m, err := decode.New(sess, decode.Options{MaxLen: 8})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if i := m.Info(); i.CacheBytes < 3*s.StateBytes() {
			t.Errorf("%s: %d bytes of caches and states, the states alone have three times %d", s.Name(), i.CacheBytes, s.StateBytes())
		}
		if err := m.Prefill([][]int64{{1, 2, 3}}); err != nil {
			t.Fatal(err)
		}
		if err := m.Truncate(2); !errors.Is(err, decode.ErrState) || m.Len() != 3 {
			t.Errorf("%s: truncate to 2 of 3: %v, %d are left", s.Name(), err, m.Len())
		}
		if err := errors.Join(m.Truncate(3), m.Step([]int64{4}), m.Truncate(0)); err != nil || m.Len() != 0 {
			t.Errorf("%s: %v, %d tokens", s.Name(), err, m.Len())
		}
	}
}
