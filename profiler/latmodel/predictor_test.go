package latmodel_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
)

func TestPredictorAgreesWithPredict(t *testing.T) {
	for _, b := range []arch.Build{
		{}, int4, {Dialect: arch.Portable},
		{Precision: arch.Precision{Type: arch.Int4, Block: 128}, Head: arch.Precision{Type: arch.Unquantized}, Threads: 2},
	} {
		rng := rand.New(rand.NewPCG(5, 6))
		machine, noise := plain, 0.02
		if b.Equal(int4) { // with a process
			machine, noise = rippled, 0.002
		}
		m := mustFit(t, machine.draw(t, 30, b, noise, rng), latmodel.Options{})
		if b.Equal(int4) && (m.Process(latmodel.PL) == nil || m.Process(latmodel.TL) == nil) {
			t.Fatal("no process is tried")
		}
		p := m.Predictor(arch.Space{})
		inside := 0
		for range 100 {
			pt, err := paperSpace().Sample(rng)
			if err != nil {
				t.Fatal(err)
			}
			want, err := m.Predict(paperSpace().Candidate(pt, b))
			if err != nil {
				t.Fatal(err)
			}
			pl, tl := p.At(pt)
			if math.Abs(pl/want.PL.Ratio-1) > 1e-12 || math.Abs(tl/want.TL.Ratio-1) > 1e-12 {
				t.Fatalf("%+v: %g and %g, Predict says %g and %g", pt, pl, tl, want.PL.Ratio, want.TL.Ratio)
			}
			if p.Within(pt) != (len(want.Warnings) == 0) {
				t.Fatalf("%+v: within %v, Predict warns %q", pt, p.Within(pt), want.Warnings)
			}
			if p.Within(pt) {
				inside++
			}
		}
		if inside == 0 || inside == 100 {
			t.Errorf("%d of 100 points lie within the ranges: Within is not tried on both", inside)
		}
	}
}

// TestPredictorOfAnotherFamily: what a point means is its space's to say, heads that
// share keys and values among it.
func TestPredictorOfAnotherFamily(t *testing.T) {
	space := arch.Space{
		Family: arch.LLaMA, HeadsPerKVHead: 4, Vocab: 5000,
		NLayer: arch.Axis{Min: 2, Max: 14}, DModel: arch.Axis{Min: 256, Max: 1024, Step: 64},
		DInner: arch.Axis{Min: 512, Max: 4096, Step: 64}, NHead: arch.Axis{Choices: []int{2, 4, 8, 16}},
		Constraints: []string{"head_dim % 8 == 0"},
	}
	compiled, err := space.Compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []arch.Build{{}, int4, {Dialect: arch.Portable}} {
		rng := rand.New(rand.NewPCG(7, 6))
		m := mustFit(t, plain.draw(t, 30, b, 0.02, rng), latmodel.Options{})
		for _, s := range []arch.Space{space, compiled.Space()} {
			p := m.Predictor(s)
			for range 50 {
				pt, err := compiled.Sample(rng)
				if err != nil {
					t.Fatal(err)
				}
				want, err := m.Predict(compiled.Candidate(pt, b))
				if err != nil {
					t.Fatal(err)
				}
				pl, tl := p.At(pt)
				if math.Abs(pl/want.PL.Ratio-1) > 1e-12 || math.Abs(tl/want.TL.Ratio-1) > 1e-12 {
					t.Fatalf("%+v: %g and %g, Predict says %g and %g", pt, pl, tl, want.PL.Ratio, want.TL.Ratio)
				}
				if p.Within(pt) != (len(want.Warnings) == 0) {
					t.Fatalf("%+v: within %v, Predict warns %q", pt, p.Within(pt), want.Warnings)
				}
			}
		}
	}
}

func TestPredictorAllocatesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	p := mustFit(t, rippled.draw(t, 30, int4, 0.002, rng), latmodel.Options{}).Predictor(arch.Space{})
	pt := arch.Point{NLayer: 12, DModel: 1024, DInner: 4096, NHead: 16}
	if n := testing.AllocsPerRun(100, func() { p.At(pt); p.Within(pt) }); n != 0 {
		t.Errorf("%g allocations a point", n)
	}
}

var sink float64

// BenchmarkEnumeratePaperSpace predicts every point of the paper's space that its
// constraints leave, the evaluation of the constraints included, and every one of
// its 146,900 points without them, with and without Gaussian processes.
func BenchmarkEnumeratePaperSpace(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	enumerate := func(b *testing.B, s arch.Space, build arch.Build, machine truth, candidates int) {
		m := mustFit(b, machine.draw(b, candidates, build, 0.002, rng), latmodel.Options{})
		if machine.ripple > 0 && (m.Process(latmodel.PL) == nil || m.Process(latmodel.TL) == nil) {
			b.Fatal("no process")
		}
		p := m.Predictor(arch.Space{})
		b.ReportAllocs()
		points, size := 0, 0
		for b.Loop() {
			c, err := s.Compile()
			if err != nil {
				b.Fatal(err)
			}
			size = c.Size()
			points = 0
			for pt := range c.Points() {
				pl, tl := p.At(pt)
				sink += pl + tl
				points++
			}
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/space")
		b.ReportMetric(float64(size), "points")
		b.ReportMetric(float64(points), "predicted")
	}
	free := arch.PaperSpace()
	free.Constraints = nil
	b.Run("constraints/fp32", func(b *testing.B) { enumerate(b, arch.PaperSpace(), arch.Build{}, plain, 30) })
	b.Run("constraints/int4", func(b *testing.B) { enumerate(b, arch.PaperSpace(), int4, plain, 30) })
	b.Run("all/int4", func(b *testing.B) { enumerate(b, free, int4, plain, 30) })
	b.Run("all/int4/processes-of-30", func(b *testing.B) { enumerate(b, free, int4, rippled, 30) })
	b.Run("all/int4/processes-of-100", func(b *testing.B) { enumerate(b, free, int4, rippled, 100) })
}

func BenchmarkPredictorAt(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	p := mustFit(b, plain.draw(b, 24, int4, 0.02, rng), latmodel.Options{}).Predictor(arch.Space{})
	pt := arch.Point{NLayer: 12, DModel: 1024, DInner: 4096, NHead: 16}
	b.ReportAllocs()
	for b.Loop() {
		pl, tl := p.At(pt)
		sink += pl + tl
	}
}

func BenchmarkFit24(b *testing.B) {
	records := plain.draw(b, 24, arch.Build{}, 0.02, rand.New(rand.NewPCG(1, 1)))
	for b.Loop() {
		mustFit(b, records, latmodel.Options{})
	}
}
