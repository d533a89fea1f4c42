package surrogate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"lathe/graphgen/arch"

	"pgregory.net/rapid"
)

func trained(t testing.TB, o Options, n int, seed uint64) *Surrogate {
	t.Helper()
	s, err := New(o, rand.New(rand.NewPCG(seed, 1)))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	for range n {
		s.Add(known(rng))
	}
	s.Train()
	return s
}

// known is a triple of a function that a network of this size can learn.
func known(rng *rand.Rand) Triple {
	x := []float64{10 * rng.NormFloat64(), 3 + rng.NormFloat64(), rng.NormFloat64(), 7} // the last never differs
	t := Triple{Features: x, Y: 50 + 20*math.Tanh(x[0]/10) + 5*x[2]*(x[1]-3)}
	for k := range t.C {
		t.C[k] = 1e9 * (x[1] + float64(k)*0.1*x[0])
	}
	return t
}

// The gradient is that of the loss: central differences say the same of every parameter.
func TestGradientAgainstFiniteDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := New(Options{Hidden: 5, First: 3, Lambda: rapid.Float64Range(0.05, 1).Draw(t, "lambda")}, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "data"), 0))
		for range 7 {
			s.Add(known(rng))
		}
		s.Train()
		s.Loss()
		gradient := slices.Clone(s.gradient)
		for i := range s.net.theta {
			const h = 1e-5
			was := s.net.theta[i]
			s.net.theta[i] = was + h
			up := s.Loss()
			s.net.theta[i] = was - h
			down := s.Loss()
			s.net.theta[i] = was
			if want := (up - down) / (2 * h); math.Abs(gradient[i]-want) > 1e-7+1e-5*math.Abs(want) {
				t.Fatalf("parameter %d: gradient %g, by differences %g", i, gradient[i], want)
			}
		}
	})
}

// Loss is equation 6, computed here from predictions.
func TestLossIsThePapers(t *testing.T) {
	s := trained(t, Options{Lambda: 0.3}, 40, 5)
	want := 0.0
	for _, d := range s.data {
		h, c := s.Predict(d.Features)
		want += 0.3 * math.Pow(h-s.y.normalise(d.Y), 2) / 40
		for k := range c {
			want += 0.7 * math.Pow(c[k]-s.c[k].normalise(d.C[k]), 2) / NumCosts / 40
		}
	}
	if got := s.Loss(); math.Abs(got-want) > 1e-12 {
		t.Errorf("loss %v, by the formula %v", got, want)
	}
}

// What it has not seen is predicted within a twentieth of what differs, and more data
// makes that better.
func TestLearns(t *testing.T) {
	miss := func(n int) (y, c float64) {
		s := trained(t, Options{}, n, 7)
		s.Train()
		rng := rand.New(rand.NewPCG(8, 8))
		const held = 500
		for range held {
			d := known(rng)
			h, costs := s.Predict(d.Features)
			y += math.Pow(h-s.Performance(d.Y), 2) / held
			c += math.Pow(costs[Latency]-s.c[Latency].normalise(d.C[Latency]), 2) / held
		}
		return math.Sqrt(y), math.Sqrt(c)
	}
	y, c := miss(400)
	fewY, _ := miss(20)
	t.Logf("missed by %.4f and %.4f; of 20 by %.4f", y, c, fewY)
	if y > 0.05 || c > 0.05 || y > fewY {
		t.Errorf("performance is missed by %.3f and latency by %.3f of their ranges, performance by %.3f of 20 triples", y, c, fewY)
	}
}

// With lambda 1 costs bear on nothing; the trunk is one, so that otherwise they do.
func TestLambdaWeighsBoth(t *testing.T) {
	predict := func(lambda, unit float64) float64 {
		s, err := New(Options{Lambda: lambda, First: 50}, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(2, 2))
		for i := range 30 {
			d := known(rng)
			d.C[Latency] += unit * float64(i*i)
			s.Add(d)
		}
		s.Train()
		h, _ := s.Predict([]float64{1, 2, 3, 7})
		return h
	}
	if predict(1, 0) != predict(1, 1e9) {
		t.Error("with lambda 1 costs changed what is said of performance")
	}
	if predict(0.5, 0) == predict(0.5, 1e9) {
		t.Error("with lambda 0.5 costs changed nothing of the trunk that performance is computed by")
	}
}

func TestSameSeedSameSurrogate(t *testing.T) {
	predict := func(seed uint64) float64 {
		h, _ := trained(t, Options{}, 50, seed).Predict([]float64{1, 2, 3, 7})
		return h
	}
	if predict(3) != predict(3) || predict(3) == predict(4) {
		t.Error("a seed does not decide what is learned")
	}
}

// All triples alike, and one alone, are data too.
func TestDegenerateData(t *testing.T) {
	s, err := New(Options{First: 20}, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	one := known(rand.New(rand.NewPCG(1, 2)))
	s.Add(one)
	s.Train()
	s.Add(one)
	s.Train()
	if h, c := s.Predict(one.Features); math.IsNaN(h) || math.IsInf(h, 0) || math.IsNaN(c[Latency]) {
		t.Errorf("predicts %v, %v", h, c)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{{Hidden: -1}, {First: -1}, {Update: -2}, {Lambda: 1.5}, {Lambda: -1}, {Lambda: math.NaN()}} {
		if _, err := New(o, nil); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func mixed(d int, layers ...arch.Layer) arch.Candidate {
	s := arch.NewSpec(arch.Mixed, 0, d, 0, 0)
	s.Vocab, s.Positions, s.Layers = 100, 8, layers
	return arch.Candidate{Spec: s}
}

var (
	attention = arch.Layer{Type: arch.Transformer, NHead: 2, DInner: 16}
	lstm      = arch.Layer{Type: arch.LSTM, Hidden: 8}
)

// Costs by hand, for one layer of each type and 8 positions.
func TestCountByHand(t *testing.T) {
	const text, pairs = 8, 36
	// d_model 4: c_attn 4x12, c_proj 4x4, c_fc 4x16, mlp 16x4, head 4x100.
	a := mixed(4, attention)
	flops := float64(text*2*(48+16+64+64+400) + 4*4*pairs)
	c := Count(a)
	if c[InferenceFlops] != flops || c[TrainFlops] != 3*flops {
		t.Errorf("FLOPs %v and %v, want %v and %v", c[InferenceFlops], c[TrainFlops], flops, 3*flops)
	}
	activations := float64(text*(4+4+4+16+4) + 2*pairs)
	if want := 4 * (4*float64(a.Spec.TotalParams()) + activations); c[TrainBytes] != want {
		t.Errorf("%v bytes in training, want %v", c[TrainBytes], want)
	}
	if want := 4*float64(a.Spec.TotalParams()) + text*2*4*4; c[InferenceBytes] != want {
		t.Errorf("%v bytes in inference, want %v: weights, tied, and caches of 8 tokens", c[InferenceBytes], want)
	}
	b := mixed(4, lstm) // weight_ih 4x32, weight_hh 8x32, proj 8x4
	c = Count(b)
	if want := float64(text * 2 * (128 + 256 + 32 + 400)); c[InferenceFlops] != want {
		t.Errorf("an LSTM's FLOPs %v, want %v", c[InferenceFlops], want)
	}
	if want := 4*float64(b.Spec.TotalParams()) + 2*8*4; c[InferenceBytes] != want {
		t.Errorf("an LSTM's bytes %v, want %v: weights and the states h and c", c[InferenceBytes], want)
	}
}

func TestWeights(t *testing.T) {
	c := Costs{1, 2, 3, 4, 10}
	if got := (Weights{}).Of(c); got != 4 {
		t.Errorf("the mean is %v", got)
	}
	if got := (Weights{Latency: 3, TrainFlops: 1}).Of(c); got != 31.0/4 {
		t.Errorf("weighted %v", got)
	}
}

// Features see order, and their sums do not; as many for any depth.
func TestFeaturesSeeOrder(t *testing.T) {
	a, b := Features(mixed(4, attention, lstm, lstm)), Features(mixed(4, lstm, attention, lstm))
	if len(a) != NumFeatures {
		t.Fatalf("%d features, want %d", len(a), NumFeatures)
	}
	for j := range perLayer {
		if a[j] != b[j] {
			t.Errorf("sum %d is %v and %v", j, a[j], b[j])
		}
	}
	if slices.Equal(a, b) {
		t.Error("order is not seen")
	}
	if n := len(Features(mixed(4, slices.Repeat([]arch.Layer{lstm}, 30)...))); n != NumFeatures {
		t.Errorf("30 layers have %d features", n)
	}
}

// Up to four layers, no two architectures look alike.
func TestFeaturesTellArchitecturesApart(t *testing.T) {
	kind := rapid.SampledFrom([]arch.Layer{
		attention, {Type: arch.Transformer, NHead: 1, DInner: 16}, {Type: arch.Transformer, NHead: 2, DInner: 32},
		lstm, {Type: arch.LSTM, Hidden: 16}, {Type: arch.GRU, Hidden: 8},
	})
	model := rapid.Custom(func(t *rapid.T) arch.Candidate {
		return mixed(rapid.SampledFrom([]int{4, 8}).Draw(t, "d_model"), rapid.SliceOfN(kind, 1, moments).Draw(t, "layers")...)
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := model.Draw(t, "a"), model.Draw(t, "b")
		fa, fb := Features(a), Features(b)
		apart := 0.0
		for i := range fa {
			apart = max(apart, math.Abs(fa[i]-fb[i]))
		}
		if same := a.Spec.Equal(b.Spec); same != (apart < 1e-9) {
			t.Fatalf("equal: %v, features differ by %g", same, apart)
		}
	})
}
