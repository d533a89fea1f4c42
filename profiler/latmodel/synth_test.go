package latmodel_test

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
)

// paperSpace is the space that is searched, with what the default build asks for.
var paperSpace = sync.OnceValue(func() *arch.Compiled {
	more, err := arch.Build{}.SpaceConstraints()
	if err != nil {
		panic(err)
	}
	c, err := arch.PaperSpace().With(more...).Compile()
	if err != nil {
		panic(err)
	}
	return c
})

// truth is a synthetic machine: its time is a sum of physical terms, in
// milliseconds, about as those of the machine that was measured.
type truth struct {
	pl, tl []float64 // ms a unit, in the order of latmodel.Features
	bend   float64   // narrow matrices run slower: what only a mixture of features can express
	ripple float64   // what no mixture of features expresses: some widths and heads run slower
}

var plain = truth{
	//            run  ops    GFLOP split one-row attention scores gelu sequential uncached gates
	pl: []float64{0.5, 0.010, 6.0, 0.4, 0.033, 9.0, 1.5, 0.8, 0.015, 0.016, 3.0},
	//            run  ops    layers head   split  kv     heads  gelu
	tl: []float64{0.1, 0.002, 0.031, 0.033, 0.003, 0.040, 0.004, 2.0},
}

func (m truth) ms(t latmodel.Target, c arch.Candidate, past int) float64 {
	rows, w := 64, m.pl
	if t == latmodel.TL {
		rows, w = 1, m.tl
	} else {
		past = 0
	}
	sum := 0.0
	for j, x := range latmodel.Count(t, c, rows, past) {
		sum += w[j] * x
	}
	d := float64(c.Spec.DModel)
	ripple := math.Sin(4*math.Log(d/1024)) + math.Tanh(math.Log(float64(c.Spec.HeadDimOf(0))/96))
	return sum * (1 + m.bend*256/d) * math.Exp(m.ripple*ripple)
}

var testHost = record.Host{
	CPUModel: "Test CPU", Flags: []string{"avx2", "avx512f"}, Cores: 2, Governor: "performance",
	MemoryBytes: 8 << 30, Kernel: "6.1", OS: "linux", Arch: "amd64", LibraryVersion: "1.32.0", Provider: "cpu",
}

func baseline() arch.Candidate {
	return arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 12, 1024, 4096, 16)}.Normalized()
}

// session is a record of c on machine m: pairs pairs, all of which the session's
// own luck moves by noise (a standard deviation, relative), and each by as much
// again.
func (m truth) session(c arch.Candidate, pairs int, noise float64, rng *rand.Rand) record.Record {
	b := baseline()
	b.Build = c.Build
	r := record.Record{
		ID: "x", Time: time.Unix(1700000000, 0).UTC(), Candidate: record.Of(c), Baseline: record.Of(b), Host: testHost, Binding: record.Shared,
	}
	drift := 1.0
	fill := func(t latmodel.Target, length func(i int) int) (out []record.StepPair) {
		luck := math.Exp(noise * rng.NormFloat64())
		for i := range pairs {
			drift *= math.Exp(0.01 * rng.NormFloat64()) // cancels in the ratio
			n := length(i)
			own, partner := m.ms(t, c, n)*luck*math.Exp(noise*rng.NormFloat64()), m.ms(t, b, n)
			out = append(out, record.StepPair{Len: n, NS: int64(1e6 * drift * own), PartnerNS: int64(1e6 * drift * partner)})
		}
		return out
	}
	r.PL = fill(latmodel.PL, func(int) int { return 64 })
	r.TL = fill(latmodel.TL, func(i int) int { return 64 + i })
	return r
}

// draw measures n random candidates of the space.
func (m truth) draw(tb testing.TB, n int, b arch.Build, noise float64, rng *rand.Rand) []record.Record {
	tb.Helper()
	var out []record.Record
	for range n {
		pt, err := paperSpace().Sample(rng)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, m.session(paperSpace().Candidate(pt, b), 12, noise, rng))
	}
	return out
}

func mustFit(tb testing.TB, records []record.Record, o latmodel.Options) *latmodel.Model {
	tb.Helper()
	m, err := latmodel.Fit(records, o)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// ratio is the truth without noise.
func (m truth) ratio(t latmodel.Target, c arch.Candidate, past int) float64 {
	b := baseline()
	b.Build = c.Build
	return m.ms(t, c, past) / m.ms(t, b, past)
}

var int4 = arch.Build{Precision: arch.Precision{Type: arch.Int4, Block: 32}}

func TestTruthIsRecoveredUnderNoise(t *testing.T) {
	for _, b := range []arch.Build{{}, int4} {
		rng := rand.New(rand.NewPCG(1, 2))
		m := mustFit(t, plain.draw(t, 30, b, 0.02, rng), latmodel.Options{})
		if m.Point != (latmodel.Point{Prompt: 64, Cache: 70}) {
			t.Errorf("point %+v", m.Point)
		}
		var worst float64
		for range 200 {
			pt, _ := paperSpace().Sample(rng)
			c := paperSpace().Candidate(pt, b)
			p, err := m.Predict(c)
			if err != nil {
				t.Fatal(err)
			}
			for target, got := range map[latmodel.Target]float64{latmodel.PL: p.PL.Ratio, latmodel.TL: p.TL.Ratio} {
				worst = math.Max(worst, math.Abs(got/plain.ratio(target, c, 70)-1))
			}
		}
		if worst > 0.06 {
			t.Errorf("%v: a prediction misses the truth by %.1f %%", b.Precision, 100*worst)
		}
		for _, target := range []latmodel.Target{latmodel.PL, latmodel.TL} {
			cv := m.CV(target)
			t.Logf("%v %s: %+v", b.Precision, target, cv)
			if cv.Model.MAPE > 0.03 || cv.Model.Spearman < 0.97 || cv.Model.Within10 < 1 {
				t.Errorf("%v %s: cross-validation %+v", b.Precision, target, cv.Model)
			}
			if cv.Naive.MAPE < 1.2*cv.Model.MAPE {
				t.Errorf("%v %s: decoder parameters alone give %.3f, the model %.3f", b.Precision, target, cv.Naive.MAPE, cv.Model.MAPE)
			}
		}
	}
}

func TestTruthIsExactWithoutNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	m := mustFit(t, plain.draw(t, 40, arch.Build{}, 0, rng), latmodel.Options{})
	for _, target := range []latmodel.Target{latmodel.PL, latmodel.TL} {
		if e := m.CV(target).Model.MaxError; e > 2e-3 {
			t.Errorf("%s: held-out error of %.4f without noise", target, e)
		}
	}
	for _, term := range m.Terms() {
		t.Logf("%+v", term)
	}
}
