package modelbased_test

import (
	"runtime"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"
	"lathe/search/modelbased"
)

// large is the paper's sizes, each to be run in 100 ways: 14.7 million points.
func large(tb testing.TB) *search.Problem {
	tb.Helper()
	s := arch.PaperSpace()
	s.Constraints = nil
	c, err := s.Compile()
	if err != nil {
		tb.Fatal(err)
	}
	fp32, int4 := arch.Precision{Type: arch.Unquantized}, func(block int) arch.Precision { return arch.Precision{Type: arch.Int4, Block: block} }
	precisions := []arch.Precision{fp32, int4(16), int4(32), int4(64), int4(128)}
	joint, err := search.NewJoint(search.NewHomogeneous(c, arch.Build{}),
		search.PrecisionAxis(precisions), search.HeadAxis(precisions), search.ThreadsAxis([]int{1, 2, 3, 4}))
	if err != nil {
		tb.Fatal(err)
	}
	p := &search.Problem{
		Space: joint, Objectives: search.TwoObjectives(search.DecoderParams{}),
		Baseline: arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 12, 1024, 4096, 16)},
	}
	if err := p.Validate(); err != nil {
		tb.Fatal(err)
	}
	return p
}

// heapLimit is what a search of any space may take, in bytes: the pool has 65,536 points
// at most, of some hundred bytes each.
const heapLimit = 256 << 20

// A space of over ten million points is searched without listing it: most of its front's
// ends are found, and the heap stays small.
func TestALargeSpaceIsSearchedInLittleMemory(t *testing.T) {
	p := large(t)
	if n := p.Space.Size(); n < 1e7 {
		t.Fatalf("%g points, want more than 10 million", n)
	}
	m, err := modelbased.New(&oracle{p: p}, modelbased.Options{Share: -1})
	if err != nil {
		t.Fatal(err)
	}
	d := &search.Driver{Problem: p, Method: m, Evaluator: &lab{p: p}, Settings: search.Settings{Seed: 2, MaxEvaluations: 24}}
	res, err := d.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Evaluations) != 24 {
		t.Errorf("%d evaluations, want 24", len(res.Evaluations))
	}
	report, err := m.Report()
	if err != nil {
		t.Fatal(err)
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("%g points, %d on the believed front, heap of %d MB from the system", p.Space.Size(), len(report.Front), mem.HeapSys>>20)
	if mem.HeapSys > heapLimit {
		t.Errorf("the heap took %d MB of the system", mem.HeapSys>>20)
	}
	// The largest model there is, in the cheapest way to run it.
	largest, _ := p.Space.(*search.Joint).Base().(*search.Homogeneous).Genome(arch.Point{NLayer: 18, DModel: 2048, DInner: 8192, NHead: 32})
	best := report.Front[0]
	if architecture, b := p.Space.(*search.Joint).Split(best.Genome); architecture[:9] != largest[:9] || b.Precision.Type != arch.Int4 {
		t.Errorf("the best quality is expected of %s", p.Candidate(best.Genome).Name())
	}
	if len(report.Front) < 100 {
		t.Errorf("%d points on the front, want hundreds", len(report.Front))
	}
}
