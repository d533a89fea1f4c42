package graphgen_test

import (
	"context"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"
	"lathe/graphgen/weights"
	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

// The paper's baseline: 151 million decoder parameters, 819 MB in fp32.
var baseline = arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 12, 1024, 4096, 16)}

// pool opens the user's pool, made if it is not there: that is not timed.
func pool(b *testing.B) *weights.Pool {
	b.Helper()
	dir, err := provisiontest.CacheDir()
	if err != nil {
		b.Fatal(err)
	}
	g, err := graphgen.Lower(baseline, graphgen.Cached)
	if err != nil {
		b.Fatal(err)
	}
	p, err := weights.OpenPool(context.Background(), filepath.Join(dir, "weights"), weights.NeedOf(g), nil)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func emit(b *testing.B, p *weights.Pool) []byte {
	b.Helper()
	g, err := graphgen.Lower(baseline, graphgen.Cached)
	if err != nil {
		b.Fatal(err)
	}
	model, err := ir.Encode(g, p.Placer())
	if err != nil {
		b.Fatal(err)
	}
	return model
}

// BenchmarkEmit is a candidate from its name's Spec to the bytes of its model:
// milliseconds, and bytes of heap a candidate.
func BenchmarkEmit(b *testing.B) {
	p := pool(b)
	b.ReportAllocs()
	for b.Loop() {
		emit(b, p)
	}
}

// BenchmarkEmitAndCreate is a candidate from its Spec to a session that is ready
// to run, with the pool in the page cache. The first session of a process, which
// finds no memory to use again and no page of the pool mapped, is reported apart.
func BenchmarkEmitAndCreate(b *testing.B) {
	p := pool(b)
	once := func() time.Duration {
		runtime.GC()
		start := time.Now()
		s, err := env.NewSession(emit(b, p), p.Dir(), ort.Options{})
		took := time.Since(start)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		return took
	}
	first := once()
	b.ResetTimer()
	var sum time.Duration
	n := 0
	for b.Loop() {
		sum += once()
		n++
	}
	b.ReportMetric(sum.Seconds()/float64(n), "s/candidate")
	b.ReportMetric(first.Seconds(), "s-first")
}
