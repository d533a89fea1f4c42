package latmodel_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
)

// observations are of random points, with noise that moves PL and TL alike and what each
// has of its own besides.
func (m truth) observations(tb testing.TB, n int, noise, own float64, rng *rand.Rand) []latmodel.Observation {
	tb.Helper()
	var out []latmodel.Observation
	for range n {
		pt, err := paperSpace().Sample(rng)
		if err != nil {
			tb.Fatal(err)
		}
		c := paperSpace().Candidate(pt, arch.Build{})
		luck := math.Exp(noise*rng.NormFloat64() + own*rng.NormFloat64())
		out = append(out, latmodel.Observation{
			Spec: c.Spec, PL: luck * m.ratio(latmodel.PL, c, 70), TL: luck * m.ratio(latmodel.TL, c, 70), PLSD: noise, TLSD: noise,
		})
	}
	return out
}

var point = latmodel.Point{Prompt: 64, Cache: 70}

// A belief is off by about as much as it says, says less the more it has seen, and its
// means are its Predictor's.
func TestABeliefKnowsWhatItDoesNotKnow(t *testing.T) {
	machine := plain
	machine.ripple = 0.02
	rng := rand.New(rand.NewPCG(11, 2))
	seen := machine.observations(t, 60, 0.02, 0, rng)
	var specs []arch.Spec
	var points []arch.Point
	for range 200 {
		pt, _ := paperSpace().Sample(rng)
		points, specs = append(points, pt), append(specs, paperSpace().Spec(pt))
	}
	var mean [2]float64 // of standard deviations, after 15 and after 60
	for k, n := range []int{15, 60} {
		b, err := latmodel.NewBelief(seen[:n], arch.Build{}, record.Of(baseline()), point)
		if err != nil {
			t.Fatal(err)
		}
		joint, predictor := b.Joint(specs), b.Predictor(paperSpace().Space())
		z2 := 0.0
		for i, s := range specs {
			pl, tl := b.At(s)
			if p, q := predictor.At(points[i]); math.Abs(p/pl-1) > 1e-9 || math.Abs(q/tl-1) > 1e-9 {
				t.Fatalf("%v: %v %v, its predictor says %v %v", points[i], pl, tl, p, q)
			}
			c := arch.Candidate{Spec: s}
			z := math.Log(tl/machine.ratio(latmodel.TL, c, 70)) / joint.TL.SD(i)
			z2 += z * z / float64(len(specs))
			mean[k] += joint.TL.SD(i) / float64(len(specs))
		}
		if z2 < 0.1 || z2 > 4 {
			t.Errorf("after %d: errors are %.2f of what the belief says, want about 1", n, math.Sqrt(z2))
		}
		before := joint.TL.SD(0)
		if joint.Observe(0, 0.02, 0.02); !(joint.TL.SD(0) < before) {
			t.Errorf("after %d: a point's sd is %v before it is measured and %v after", n, before, joint.TL.SD(0))
		}
	}
	if !(mean[1] < mean[0]) {
		t.Errorf("standard deviations are %v after 15 observations and %v after 60", mean[0], mean[1])
	}
}

// Before anything is measured the baseline has 1 and larger models are slower.
func TestABeliefBeforeAnyMeasurement(t *testing.T) {
	b, err := latmodel.NewBelief(nil, arch.Build{}, record.Of(baseline()), point)
	if err != nil {
		t.Fatal(err)
	}
	if pl, tl := b.At(baseline().Spec); math.Abs(pl-1) > 1e-12 || math.Abs(tl-1) > 1e-12 || b.Known() {
		t.Errorf("the baseline's ratios are %v and %v, known %v", pl, tl, b.Known())
	}
	if pl, tl := b.At(arch.NewSpec(arch.GPT2, 18, 1024, 4096, 16)); !(pl > 1.4 && tl > 1.2) {
		t.Errorf("half as many layers more: ratios %v and %v", pl, tl)
	}
}

// What candidates have of their own is told from noise by its size.
func TestWhatIsACandidatesOwn(t *testing.T) {
	for _, c := range []struct{ own, low, high float64 }{{0, 0, 0.015}, {0.05, 0.03, 0.07}} {
		rng := rand.New(rand.NewPCG(12, 3))
		b, err := latmodel.NewBelief(plain.observations(t, 60, 0.02, c.own, rng), arch.Build{}, record.Of(baseline()), point)
		if err != nil {
			t.Fatal(err)
		}
		own := b.Own(latmodel.TL)
		if own < c.low || own > c.high {
			t.Errorf("own %v: found %v", c.own, own)
		}
		share, unknown := b.Left(latmodel.TL, 0.02)
		if share < 0 || share > 1 || unknown > own || c.own > 0 && share < 0.5 {
			t.Errorf("own %v: share %v, unknown %v", c.own, share, unknown)
		}
	}
}

// What is off is noise as long as nobody knows how far measurements are off: a belief does
// not follow lucky ones.
func TestABeliefWithoutErrorsOfMeasurementsTrustsNone(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 3))
	seen := plain.observations(t, 60, 0.05, 0, rng)
	for i := range seen {
		seen[i].PLSD, seen[i].TLSD = 0, 0
	}
	believe := func() *latmodel.Belief {
		b, err := latmodel.NewBelief(seen, arch.Build{}, record.Of(baseline()), point)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := believe()
	if share, unknown := b.Left(latmodel.TL, 0); share != 0 || unknown != 0 || b.Own(latmodel.TL) != 0 {
		t.Errorf("share %v, unknown %v, own %v of what cannot be told from noise", share, unknown, b.Own(latmodel.TL))
	}
	joint := b.Joint([]arch.Spec{seen[0].Spec})
	before := joint.TL.SD(0)
	joint.Observe(0, 0, 0)
	if after := joint.TL.SD(0); after < 0.5*before {
		t.Errorf("one more measurement takes what is unknown from %v to %v", before, after)
	}
	// Where some errors are known, an unknown one counts as the greatest of them.
	for i := range seen[1:] {
		seen[i+1].PLSD, seen[i+1].TLSD = 0.05, 0.05
	}
	with := believe()
	seen[0].PLSD, seen[0].TLSD = 0.05, 0.05
	pl, tl := with.At(seen[9].Spec)
	if p, q := believe().At(seen[9].Spec); p != pl || q != tl {
		t.Errorf("ratios %v and %v with one error unknown, %v and %v with all known", pl, tl, p, q)
	}
}
