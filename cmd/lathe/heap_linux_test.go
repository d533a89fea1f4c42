package main

import (
	"flag"
	"io"
	"math/rand/v2"
	"runtime/metrics"
	"testing"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler"
	"lathe/profiler/record"
	"lathe/profiler/workload"
)

var (
	heapCandidate = flag.String("heap-candidate", "gpt2-l7-d1280-f6016-h16+int4b32", "BenchmarkMeasureHeap's")
	heapBaseline  = flag.String("heap-baseline", "gpt2-l12-d1024-f4096-h16+int4b32", "BenchmarkMeasureHeap's")
	heapMetric    = flag.String("heap-metric", record.MetricTL, "what BenchmarkMeasureHeap samples")
)

// memoryNow is what the process holds.
type memoryNow struct {
	share     float64 // of the run
	heap, rss int64   // Go's objects, those that are garbage among them; all anonymous memory
}

func readMemoryNow(share float64) memoryNow {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return memoryNow{share, int64(s[0].Value.Uint64()), anonymousMemory()}
}

// BenchmarkMeasureHeap samples for as long as -benchtime says, with a question that
// nothing answers, and prints what the heap and the process have grown by between
// the first eighth of the run and its end. The garbage collector is off meanwhile:
// all that sampling and looking allocate is in it.
//
//	go test ./cmd/lathe -run '^$' -bench MeasureHeap -benchtime 10m -timeout 15m
func BenchmarkMeasureHeap(b *testing.B) {
	budget, err := time.ParseDuration(flag.Lookup("test.benchtime").Value.String())
	if err != nil {
		b.Fatalf("-benchtime: want a time, such as 10m: %v", err)
	}
	l, err := library()
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := loadConfig("", nil)
	if err != nil {
		b.Fatal(err)
	}
	cfg.CacheDir, cfg.Runtime.Library = l.cacheDir, l.path
	a := &app{stdout: io.Discard, stderr: io.Discard, quiet: true, cfg: cfg}
	q := record.Question{Metric: *heapMetric, Precision: 1e-9}
	requests, err := workload.Named("default", 1, 20000) // more than ten minutes take
	if err != nil {
		b.Fatal(err)
	}
	plan := profiler.Plan{PromptTokens: 64, GeneratedTokens: 16, Workload: requests}.For(q)
	var sessions []profiler.Session
	vocab := 0
	for _, name := range []string{*heapBaseline, *heapCandidate} {
		c, err := arch.ParseCandidate(name)
		if err != nil {
			b.Fatal(err)
		}
		s, err := a.open(b.Context(), own(c), plan, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer s.close()
		sessions, vocab = append(sessions, profiler.Sequence(s.model)), c.Spec.Vocab
	}
	for b.Loop() { // once: it takes all of the time
		var seen []memoryNow
		result, err := profiler.Time(b.Context(), sessions[0], sessions[1:], profiler.Options{
			Plan: plan, Question: &q, Budget: budget, Vocab: vocab, Rand: rand.New(rand.NewPCG(1, 0)),
			Progress: func(share float64) {
				if share >= float64(len(seen)+1)/8 { // a benchmark may print ten lines
					seen = append(seen, readMemoryNow(share))
				}
			},
		})
		if err != nil {
			b.Fatal(err)
		}
		if len(seen) < 2 {
			b.Fatalf("%v are too short to see anything grow", budget)
		}
		for _, m := range seen {
			b.Logf("%3.0f %% of %v: heap %7.2f MB, process %8.1f MB", 100*m.share, budget, float64(m.heap)/1e6, float64(m.rss)/1e6)
		}
		first, last := seen[0], seen[len(seen)-1]
		t := result.Timed[0]
		b.ReportMetric(float64(len(t.PL)+len(t.TL)+len(t.Requests)), "pairs")
		b.ReportMetric(float64(last.heap)/1e6, "heap-MB")
		b.ReportMetric(float64(last.heap-first.heap)/1e6, "heap-growth-MB")
		b.ReportMetric(float64(last.rss)/1e6, "process-MB")
		b.ReportMetric(float64(last.rss-first.rss)/1e6, "process-growth-MB")
	}
}
