package record

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"lathe/graphgen/arch"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func candidate(t testing.TB, name string) arch.Candidate {
	t.Helper()
	c, err := arch.ParseCandidate(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sample returns a valid record with every field set.
func sample(t testing.TB) Record {
	return Record{
		ID: "r1", Time: time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC), Seed: 1<<64 - 1,
		Candidate: Of(candidate(t, "gpt2-l2-d64-f256-h4+int4b32")), Baseline: Of(candidate(t, "gpt2-l3-d64-f256-h4")),
		GraphHash: "aa", BuildHash: "bb", WeightsHash: "cc",
		Workload: Workload{Name: "w", Description: "two", Requests: []WorkloadRequest{{5, 2, 9, 0}, {7, 1, 0, 1500}}},
		Host: Host{CPUModel: "cpu", Flags: []string{"avx2", "fma"}, Cores: 2, Governor: "performance",
			MemoryBytes: 8 << 30, Kernel: "6.1", OS: "linux", Arch: "amd64", LibraryVersion: "1.32.0", Provider: "cpu"},
		Binding: Shared,
		PL:      []StepPair{{Len: 64, NS: 90, PartnerNS: 100, PartnerFirst: true}},
		TL:      []StepPair{{Len: 0, NS: 9, PartnerNS: 10}},
		Requests: []RequestPair{
			{Own: Request{5, 2, 9, 50, []int64{5}}, Partner: Request{5, 3, 12, 60, []int64{6, 7}}, PartnerFirst: true},
			{Own: Request{7, 1, 0, 70, []int64{}}, Partner: Request{7, 0, 0, 80, []int64{}}},
		},
		Conditions: Conditions{CPUs: []int{1}, Child: true, Usage: Usage{8e9, 7.9e9, 6e7, 5e7, 4, 0, 2000, 2100}},
		Stop:       &Stop{Question{MetricTL, 0.05, 0.01}, Faster, StopDecided, 0.95, 0.99, 3, 12345},
		EmitNS:     1, CreateNS: 2, WarmupNS: 3, Warnings: []string{"noisy"},
	}
}

// failed returns r as a session that has no samples.
func failed(r Record) Record {
	r.PL, r.TL, r.Requests, r.Stop = nil, nil, nil, nil
	r.Failure = &Failure{FailedProcess, "killed", 80}
	return r
}

func TestFailedRecord(t *testing.T) {
	r := failed(sample(t))
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	if r.Kind() != Failed || r.Kind().String() != "failed" {
		t.Errorf("its kind is %v", r.Kind())
	}
	b, err := Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.Failure, back.Failure); diff != "" {
		t.Error(diff)
	}
}

func TestUsageWarnings(t *testing.T) {
	quiet := Usage{WallNS: 1000, OwnNS: 990, OthersNS: 20, StealNS: 10, MinMHz: 2000, MaxMHz: 2100}
	if w := quiet.Warnings(); w != nil {
		t.Errorf("a quiet session warns: %q", w)
	}
	if w := (Usage{OthersNS: 1 << 40}).Warnings(); w != nil {
		t.Errorf("a session that was not watched warns: %q", w)
	}
	loud := Usage{WallNS: 1e9, OthersNS: 5e8, StealNS: 6e7, InvoluntarySwitches: 40, MajorFaults: 3, MinMHz: 2000, MaxMHz: 3000}
	w := strings.Join(loud.Warnings(), "\n")
	for _, want := range []string{"50 % of a core", "6 % of a core to other machines", "40 times a second", "3 pages", "2000 and 3000 MHz"} {
		if !strings.Contains(w, want) {
			t.Errorf("no %q in %q", want, w)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := sample(t).Validate(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Record){
		"time is missing":               func(r *Record) { r.Time = time.Time{} },
		"year 10000":                    func(r *Record) { r.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"candidate: ":                   func(r *Record) { r.Candidate.Candidate.Spec.DModel = -1 },
		"baseline: ":                    func(r *Record) { r.Baseline = Subject{} },
		`binding is "both"`:             func(r *Record) { r.Binding = "both" },
		"-1 cores":                      func(r *Record) { r.Host.Cores = -1 },
		"create_ns is -4":               func(r *Record) { r.CreateNS = -4 },
		"all empty":                     func(r *Record) { r.PL, r.TL, r.Requests = nil, nil, nil },
		"pl[0].len is 0":                func(r *Record) { r.PL[0].Len = 0 },
		"tl[0].len is -1":               func(r *Record) { r.TL[0].Len = -1 },
		"pl[0].ns is 0":                 func(r *Record) { r.PL[0].NS = 0 },
		"tl[0].partner_ns is -2":        func(r *Record) { r.TL[0].PartnerNS = -2 },
		"requests[0].own.pl_ns is 0":    func(r *Record) { r.Requests[0].Own.PL = 0 },
		"partner.tl_ns[1] is 0":         func(r *Record) { r.Requests[0].Partner.TL[1] = 0 },
		"requests[1].think_ms is -1":    func(r *Record) { r.Workload.Requests[1].ThinkMS = -1 },
		"failure beside 4 pairs":        func(r *Record) { r.Failure = &Failure{FailedRun, "no", 0} },
		"failure.stage is \"late\"":     func(r *Record) { *r = failed(*r); r.Failure.Stage = "late" },
		"failure.message is empty":      func(r *Record) { *r = failed(*r); r.Failure.Message = "" },
		"conditions.cpus[0] is -1":      func(r *Record) { r.Conditions.CPUs[0] = -1 },
		"usage.steal_ns is -1":          func(r *Record) { r.Conditions.Usage.StealNS = -1 },
		"question.metric is \"p95\"":    func(r *Record) { r.Stop.Question.Metric = "p95" },
		"question.margin is 1":          func(r *Record) { r.Stop.Question.Margin = 1 },
		"question.precision is -1":      func(r *Record) { r.Stop.Question.Precision = -1 },
		"verdict is \"maybe\"":          func(r *Record) { r.Stop.Verdict = "maybe" },
		"reason is \"\"":                func(r *Record) { r.Stop.Reason = "" },
		"nominal_level 0.9":             func(r *Record) { r.Stop.NominalLevel = 0.9 },
		"1 times for 3 generated":       func(r *Record) { r.Requests[0].Own.GeneratedTokens = 3 },
		"own.chars is -1":               func(r *Record) { r.Requests[0].Own.Chars = -1 },
		"chars is 3 with no generated":  func(r *Record) { r.Requests[1].Partner.Chars = 3 },
		"own.generated_tokens is -1":    func(r *Record) { r.Requests[1].Own.GeneratedTokens = -1 },
		"own.prompt_tokens is 0":        func(r *Record) { r.Requests[1].Own.PromptTokens = 0 },
		"6 tokens for the candidate":    func(r *Record) { r.Requests[0].Own.PromptTokens = 6 },
		"workload.name is empty":        func(r *Record) { r.Workload.Name = "" },
		"has no requests":               func(r *Record) { r.Workload.Requests = nil },
		"requests[0].prompt_tokens":     func(r *Record) { r.Workload.Requests[0].PromptTokens = 0 },
		"workload.requests[1].chars is": func(r *Record) { r.Workload.Requests[1].Chars = -1 },
	} {
		r := sample(t)
		spoil(&r)
		err := r.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "record: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	// Steps alone need no workload.
	r := sample(t)
	r.Requests, r.Workload = nil, Workload{}
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
}

func TestKind(t *testing.T) {
	r := sample(t)
	if r.Kind() != Steps|Requests || r.Kind().String() != "steps+requests" {
		t.Errorf("got %v", r.Kind())
	}
	r.TL = nil
	if r.Kind() != Requests {
		t.Errorf("PL without TL: %v", r.Kind())
	}
	r.Requests = nil
	if r.Kind() != 0 || r.Kind().String() != "none" {
		t.Errorf("PL alone: %v", r.Kind())
	}
}

func TestHashes(t *testing.T) {
	h := sample(t).Host
	same := h
	same.Flags = []string{"fma", "avx2", "fma"}
	same.MemoryBytes += 100 << 20
	if h.Hash() != same.Hash() {
		t.Error("order of flags and a few MiB must not change a host")
	}
	if h.Flags[0] != "avx2" || h.MemoryBytes != 8<<30 {
		t.Error("Hash changed its receiver")
	}
	other := h
	other.LibraryVersion = "1.31.0"
	if h.Hash() == other.Hash() {
		t.Error("another library is another host")
	}
	w := sample(t).Workload
	renamed := w
	renamed.Name, renamed.Description = "x", ""
	if w.Hash() != renamed.Hash() || w.Hash() == w.First(1).Hash() || (Workload{}).Hash() != "" {
		t.Error("a workload's hash is that of its requests")
	}
	a, err := sample(t).ContentID()
	if err != nil || len(a) != 32 {
		t.Fatal(a, err)
	}
	r := sample(t)
	r.ID = "another"
	if b, _ := r.ContentID(); a != b {
		t.Error("the ID must not be in its own hash")
	}
	r.PL[0].NS++
	if b, _ := r.ContentID(); a == b {
		t.Error("a sample changed and the ID did not")
	}
}

func TestDrift(t *testing.T) {
	series := func(last int64) Record {
		r := sample(t)
		r.PL, r.TL, r.Requests = nil, nil, nil
		for i := range 30 {
			ns := int64(1000)
			if i >= 20 {
				ns = last
			}
			// One outlier a third: the median does not care.
			if i%10 == 3 {
				ns *= 9
			}
			r.TL = append(r.TL, StepPair{Len: 64, NS: 5, PartnerNS: ns})
		}
		return r
	}
	for _, c := range []struct {
		last    int64
		want    float64
		drifted bool
	}{{1000, 0, false}, {1050, 0.05, false}, {1200, 0.2, true}, {800, -0.2, true}} {
		r := series(c.last)
		if got := Drift(r); got < c.want-1e-9 || got > c.want+1e-9 || Drifted(r) != c.drifted {
			t.Errorf("last third at %d: drift %g (%t), want %g (%t)", c.last, got, Drifted(r), c.want, c.drifted)
		}
	}
	r := series(2000)
	r.TL = r.TL[14:22]
	if got := Drift(r); got != 0 {
		t.Errorf("eight samples have a drift of %g", got)
	}
	// Requests count as well, by their time a token.
	r = series(1000)
	for i := range 9 {
		r.Requests = append(r.Requests, RequestPair{Partner: Request{TL: []int64{int64(100 + 50*(i/6))}}})
	}
	if got := Drift(r); got < 0.499 || got > 0.501 {
		t.Errorf("requests: drift %g, want 0.5", got)
	}
}

// drawRecord makes arbitrary valid records.
func drawRecord(t *rapid.T, base Record) Record {
	ns := rapid.Int64Range(1, 1e12)
	steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) StepPair {
		return StepPair{rapid.IntRange(1, 2048).Draw(t, "len"), ns.Draw(t, "ns"), ns.Draw(t, "partner_ns"), rapid.Bool().Draw(t, "first")}
	}), 0, 20)
	side := func(t *rapid.T, prompt int) Request {
		q := Request{PromptTokens: prompt, GeneratedTokens: rapid.IntRange(0, 5).Draw(t, "tokens"), PL: ns.Draw(t, "pl")}
		n := max(q.GeneratedTokens-1, 0)
		q.TL = rapid.SliceOfN(ns, n, n).Draw(t, "tl")
		if q.GeneratedTokens > 0 {
			q.Chars = rapid.IntRange(0, 30).Draw(t, "chars")
		}
		return q
	}
	base.Candidate, base.Baseline = drawSubject(t, base.Candidate), drawSubject(t, base.Baseline)
	base.ID = rapid.StringN(0, 10, -1).Draw(t, "id")
	base.Seed = rapid.Uint64().Draw(t, "seed")
	base.Binding = rapid.SampledFrom([]string{Shared, Copied}).Draw(t, "binding")
	base.PL, base.TL = steps.Draw(t, "PL"), steps.Draw(t, "TL")
	base.Requests = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) RequestPair {
		prompt := rapid.IntRange(1, 128).Draw(t, "prompt")
		return RequestPair{side(t, prompt), side(t, prompt), rapid.Bool().Draw(t, "first")}
	}), 1, 10).Draw(t, "requests")
	base.Warnings = rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "warnings")
	return base
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
