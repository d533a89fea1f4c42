package finetune

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"

	"lathe/graphgen/weights"
)

var (
	benchChunks     = flag.Int("chunks", 0, "pieces of the head in benchmarks; 0: the model's choice")
	benchParts      = flag.Int("parts", 0, "runs of a batch in benchmarks; 0: the model's choice")
	benchCheckpoint = flag.Bool("checkpoint", false, "activation checkpointing in benchmarks")
	benchDropout    = flag.Float64("dropout", 0, "dropout in benchmarks")
	benchProfile    = flag.String("step.profile", "", "prefix of the library's profile of the gradients in benchmarks")
)

// size is one of those that the design was measured with.
func size(b testing.TB, name string) StepOptions {
	o, ok := map[string]struct {
		candidate   string
		batch, rows int
	}{
		"a": {"gpt2-l4-d256-f1024-h4-v8192-p128", 8, 128},
		"b": {"gpt2-l6-d512-f2048-h8-v50257-p256", 4, 256},
	}[name]
	if !ok {
		b.Fatalf("there is no size %s", name)
	}
	return StepOptions{
		Spec: spec(b, o.candidate), Batch: o.batch, Sequence: o.rows,
		HeadChunks: *benchChunks, Parts: *benchParts, Checkpoint: *benchCheckpoint, Dropout: *benchDropout, ProfilePrefix: *benchProfile,
	}
}

// BenchmarkStep is a step of one batch: gradients, their norm and the update.
func BenchmarkStep(b *testing.B) {
	for _, name := range []string{"a", "b"} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/threads=%d", name, threads), func(b *testing.B) {
				o := size(b, name)
				o.Threads = threads
				m, err := New(b.Context(), env, o)
				if err != nil {
					b.Fatal(err)
				}
				defer m.Close()
				if err := m.Load(b.Context(), &weights.Random{Seed: 1}); err != nil {
					b.Fatal(err)
				}
				ids, labels := batch(o, 1)
				for b.Loop() {
					if _, _, err := m.Accumulate(ids, labels, 1/float32(len(ids))); err != nil {
						b.Fatal(err)
					}
					if _, err := m.Apply(1e-3); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(ids)*b.N)/b.Elapsed().Seconds(), "tokens/s")
				b.ReportMetric(peakMB(), "MB-peak")
			})
		}
	}
}

// BenchmarkApply is the update alone.
func BenchmarkApply(b *testing.B) {
	for _, name := range []string{"a", "b"} {
		b.Run(name, func(b *testing.B) {
			m, err := New(b.Context(), env, size(b, name))
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			for b.Loop() {
				if _, err := m.Apply(1e-3); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N*m.size), "ns/parameter")
		})
	}
}

// peakMB is the process's largest resident memory so far, where the system says it: run
// one benchmark a process to have it of that one.
func peakMB() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	if kb := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status); kb != nil {
		n, _ := strconv.ParseFloat(string(kb[1]), 64)
		return n / 1024
	}
	return 0
}
