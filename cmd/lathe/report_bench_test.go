//go:build unix

package main

import (
	"flag"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/profiler/workload"
	"lathe/search"
)

var (
	reportRecords = flag.Int("report-records", 10000, "in BenchmarkReport's store")
	reportStore   = flag.String("report-store", "", "keep BenchmarkReport's store in this `FILE`")
)

// BenchmarkReport writes all forms of a report of a store of 10,000 records, of as many
// candidates, with the default plan's samples; one in fifty has requests. Each run is a
// process of its own, whose peak memory is reported.
func BenchmarkReport(b *testing.B) {
	dir := b.TempDir()
	path := *reportStore
	if path == "" {
		path = filepath.Join(dir, "lathe.db")
	}
	if !exists(path) {
		fillReportStore(b, path, *reportRecords)
	}
	peak := int64(0)
	for b.Loop() {
		cmd := exec.Command("lathe", "report", "--store", path, "-o", filepath.Join(dir, "report"))
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		peak = max(peak, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	}
	b.ReportMetric(float64(peak)/1024, "MB-peak")
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/1e6, "MB-store")
}

// fillReportStore makes a store of random candidates' records, and a search.
func fillReportStore(tb testing.TB, path string, n int) {
	tb.Helper()
	ctx := tb.Context()
	st, err := store.Open(ctx, path, store.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	defer st.Close()
	cfg, err := loadConfig("", nil)
	if err != nil {
		tb.Fatal(err)
	}
	a := &app{stdout: io.Discard, stderr: io.Discard, quiet: true, cfg: cfg}
	s, err := a.setup(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	p, err := s.problem()
	if err != nil {
		tb.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var cands []arch.Candidate
	for g := range p.Space.(*search.Homogeneous).All() {
		cands = append(cands, p.Candidate(g))
	}
	rng.Shuffle(len(cands), func(i, j int) { cands[i], cands[j] = cands[j], cands[i] })
	w := workload.Default(1).First(144)
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	err = st.Update(ctx, func(tx *store.Tx) error {
		for i := range n {
			r := syntheticRecord(cands[i%len(cands)], s.Baseline, rng)
			r.Time, r.Seed = began.Add(time.Duration(i)*time.Second), uint64(i)
			if i%50 == 0 {
				r.Workload = w
				for _, q := range w.Requests {
					r.Requests = append(r.Requests, record.RequestPair{Own: syntheticRequest(q, rng), Partner: syntheticRequest(q, rng)})
				}
			}
			if _, err := tx.AddRecord(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	body := syntheticFront(s, p, cands)
	if body.Search, err = st.CreateSearch(ctx, store.Search{Created: began, Config: []byte("{}")}); err == nil {
		err = a.keepFront(ctx, st, body.Search, body)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// syntheticRecord has times that follow parameters, with noise.
func syntheticRecord(c arch.Candidate, baseline record.Subject, rng *rand.Rand) record.Record {
	r := record.Record{
		Candidate: record.Of(c), Baseline: baseline, GraphHash: c.Hash(), BuildHash: c.Build.Hash(), WeightsHash: "pool", Binding: record.Shared,
		Host: record.Host{CPUModel: "a processor", Flags: []string{"avx2", "fma"}, Cores: 2, MemoryBytes: 24 << 30, Kernel: "6.1", OS: "linux", Arch: "amd64", LibraryVersion: "1.32.0", Provider: "cpu", HugePages: true},
	}
	const wall = 30e9
	r.Conditions = record.Conditions{CPUs: []int{1}, Usage: record.Usage{WallNS: wall, OwnNS: wall, OthersNS: rng.Int64N(wall / 10)}}
	ratio := float64(c.Spec.DecoderParams()) / 151e6
	pair := func(length int, ns float64) record.StepPair {
		noise := func() float64 { return math.Exp(0.03 * rng.NormFloat64()) }
		return record.StepPair{Len: length, NS: int64(ratio * ns * noise()), PartnerNS: int64(ns * noise()), PartnerFirst: rng.IntN(2) == 0}
	}
	for range 16 + rng.IntN(9) {
		r.PL = append(r.PL, pair(64, 129e6))
	}
	for i := range 128 {
		r.TL = append(r.TL, pair(64+i%16, 25e6))
	}
	return r
}

func syntheticRequest(q record.WorkloadRequest, rng *rand.Rand) record.Request {
	r := record.Request{PromptTokens: q.PromptTokens, GeneratedTokens: q.GeneratedTokens, Chars: q.Chars, PL: 100e6 + rng.Int64N(50e6)}
	for range q.GeneratedTokens - 1 {
		r.TL = append(r.TL, 20e6+rng.Int64N(10e6))
	}
	return r
}

// syntheticFront is a front of 40 candidates, with ten iterations and as many evaluated
// candidates as are kept.
func syntheticFront(s *setup, p *search.Problem, cands []arch.Candidate) *frontBody {
	quality := float64(s.Baseline.Candidate.Spec.DecoderParams())
	body := &frontBody{
		Version: frontVersion, Setup: s, Status: search.Status{Reason: search.Converged}, Objectives: []string{"decoder_params", search.Latency.Name},
		Proxy: "decoder_params", Quality: &quality, Evaluations: len(cands),
	}
	body.Points, _ = p.Space.Count()
	one := func(c arch.Candidate) frontEntry {
		q := float64(c.Spec.DecoderParams())
		l := 1.2 * q / quality
		return frontEntry{Candidate: c, Evaluation: search.Evaluation{Values: []float64{q, l}, Kind: search.Predicted, PL: l, TL: l}, Quality: q, Latency: l, LatencyCI: search.Interval{Low: 0.97 * l, High: 1.03 * l}}
	}
	for i := range 40 {
		body.Front = append(body.Front, one(cands[i]))
	}
	body.Pick = &frontPick{frontEntry: body.Front[0], Reason: "synthetic"}
	for it := range 10 {
		step := search.Iteration{Number: it + 1, Evaluations: 100 * (it + 1)}
		for _, e := range body.Front[:4*(it+1)] {
			step.Front = append(step.Front, search.FrontPoint{Point: []byte("{}"), Values: e.Values})
		}
		body.Iterations = append(body.Iterations, step)
	}
	for i := range plotPoints {
		body.Evaluated = append(body.Evaluated, search.FrontPoint{Point: []byte("{}"), Values: one(cands[i]).Values})
	}
	return body
}
