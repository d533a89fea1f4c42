package record

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"lathe/profiler/stat"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawn makes a workload of n requests of many sizes, each of which shows
// something.
func drawn(n int) Workload {
	rng := newRand()
	w := Workload{Name: "drawn"}
	for range n {
		tokens := 1 + int(4*rng.ExpFloat64())
		w.Requests = append(w.Requests, WorkloadRequest{
			PromptTokens: 16 + rng.IntN(112), GeneratedTokens: tokens, Chars: tokens + rng.IntN(7*tokens),
		})
	}
	return w
}

// requests makes n request pairs: the candidate takes 0.8 of the baseline's PL and
// 0.5 of its TL, each with a little noise of its own.
func requests(n int) []RequestPair {
	rng := newRand()
	workload := drawn(256)
	out := make([]RequestPair, n)
	for i := range out {
		q := workload.Requests[i%len(workload.Requests)]
		side := func(pl, tl float64) Request {
			r := Request{PromptTokens: q.PromptTokens, GeneratedTokens: q.GeneratedTokens, Chars: q.Chars, TL: []int64{}}
			noise := func() float64 { return math.Exp(0.01 * rng.NormFloat64()) }
			r.PL = int64(pl * 2e6 * float64(q.PromptTokens) * noise())
			for range q.GeneratedTokens - 1 {
				r.TL = append(r.TL, int64(tl*2e7*noise()))
			}
			return r
		}
		out[i] = RequestPair{Own: side(0.8, 0.5), Partner: side(1, 1)}
	}
	return out
}

func TestLatencyCharByHand(t *testing.T) {
	q := Request{PromptTokens: 5, GeneratedTokens: 3, Chars: 10, PL: 100, TL: []int64{20, 40}}
	if ns, ok := q.LatencyChar(); !ok || ns != 16 { // (100 + 2 x 30)/10
		t.Errorf("latency_char %g", ns)
	}
	if ns, ok := q.LatencyToken(); !ok || math.Abs(ns-160.0/3) > 1e-12 {
		t.Errorf("time a token %g", ns)
	}
	if ns, ok := q.MeanTL(); !ok || ns != 30 {
		t.Errorf("TL %g", ns)
	}
	silent := Request{PromptTokens: 5, PL: 100}
	if _, ok := silent.LatencyChar(); ok {
		t.Error("a request that shows nothing has no latency_char")
	}
	if _, ok := silent.LatencyToken(); ok {
		t.Error("nor a time a token")
	}
	if _, ok := silent.MeanTL(); ok {
		t.Error("nor a TL")
	}
}

func TestSummarizeRequests(t *testing.T) {
	r := sample(t)
	r.PL, r.TL, r.Warnings = nil, nil, nil
	r.Requests = requests(100)
	r.Requests[3].Own.Chars, r.Requests[3].Partner.Chars = 0, 0
	s := Summarize(r, Options{})
	if s.Candidate != r.Candidate.Name() || s.Binding != Shared || s.Level != 0.95 {
		t.Errorf("heading: %+v", s)
	}
	if want := (Samples{Requests: 100, Silent: 1}); s.Samples != want {
		t.Errorf("samples %+v, want %+v", s.Samples, want)
	}
	if s.Silent == nil || s.Silent.N != 1 || s.Silent.P50 != r.Requests[3].Own.TotalNS()/1e6 || s.Silent.P95CI != nil {
		t.Errorf("silent %+v", s.Silent)
	}
	if s.LatencyChar.N != 99 || s.LatencyToken.N != 100 || s.LatencyChar.P95CI == nil || !s.LatencyChar.P95CI.Contains(s.LatencyChar.P95) {
		t.Errorf("latency_char %+v, latency_token %+v", s.LatencyChar, s.LatencyToken)
	}
	if got := s.Ratio.PL; got.N != 100 || math.Abs(got.Median-0.8) > 0.01 || !got.CI.Contains(got.Median) {
		t.Errorf("ratio.pl %+v", got)
	}
	multi := 0
	for _, p := range r.Requests {
		if p.Own.GeneratedTokens > 1 {
			multi++
		}
	}
	if got := s.Ratio.TL; got.N != multi || math.Abs(got.Median-0.5) > 0.01 {
		t.Errorf("ratio.tl %+v of %d requests with a TL", got, multi)
	}
	if got := s.Ratio.LatencyCharP95; got.N != 99 || got.Value < 0.5 || got.Value > 0.82 || !got.CI.Contains(got.Value) {
		t.Errorf("ratio.latency_char_p95 %+v", got)
	}
	// Records of one session have the baseline's samples in common: they count once.
	if base := SummarizeBaseline([]Record{r, r}, Options{}); base.Samples.Requests != 100 {
		t.Errorf("baseline of one session: %+v", base)
	}
	later := r
	later.Time = r.Time.Add(time.Second)
	base := SummarizeBaseline([]Record{r, later}, Options{})
	if base.Ratio != nil || base.Candidate != r.Baseline.Name() || base.Samples.Requests != 200 {
		t.Errorf("baseline %+v", base)
	}
	if got := base.PL.P50 / s.PL.P50; math.Abs(got-1/0.8) > 0.05 {
		t.Errorf("baseline's PL over the candidate's: %g", got)
	}
	if diff := cmp.Diff(SummarizeBaseline(nil, Options{}), Summary{}); diff != "" {
		t.Error(diff)
	}
}

func TestSummarizeFewSamples(t *testing.T) {
	r := sample(t)
	s := Summarize(r, Options{})
	want := []string{
		"noisy",
		"too few samples for a 95 % interval of P95, which takes 72: latency_char (1), latency_token (2), request (1), silent (1)",
		"ratio.pl: 1 samples give no 95 % interval of the 0.5 quantile with two ends, which takes 6",
		"ratio.tl: 1 samples give no 99 % interval of the 0.5 quantile with two ends, which takes 8", // it was sampled for TL,
		"ratio.latency_char_p95: 1 samples give no 95 % interval of the 0.95 quantile with two ends, which takes 72",
	}
	if diff := cmp.Diff(want, s.Warnings); diff != "" {
		t.Error(diff)
	}
	if s.Ratio.PL.CI != nil || s.Ratio.LatencyCharP95.CI != nil || s.Ratio.LatencyCharP95.Value == 0 {
		t.Errorf("%+v", s.Ratio)
	}
	if s.PL.P50 != 90.0/1e6 { // steps, where there are any
		t.Errorf("pl %+v", s.PL)
	}
	// The form that `lathe measure --json` promises.
	r.TL, r.Requests, r.Warnings = nil, nil, nil
	b, err := json.Marshal(Summarize(r, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"samples":{"pl":1,"tl":0,"requests":0,"silent":0},"pl_ms":{"n":1,"p50":0.00009,"p90":0.00009,"p95":0.00009,"p99":0.00009,"p95_ci":null},"tl_ms":null,"latency_char_ms":null`,
		`"ratio":{"pl":{"median":0.9,"ci":null,"n":1},"tl":null,"latency_char_p95":null}`,
		`"binding":"shared","conditions":{"cpus":[1],"child_process":true`, `"host":{"cpu_model":"cpu"`,
		`"stop":{"question":{"metric":"tl","margin":0.05,"precision":0.01},"verdict":"faster"`,
	} {
		if !strings.Contains(string(b), part) {
			t.Errorf("%s\nis not in\n%s", part, b)
		}
	}
}

// The interval of what was sampled for is wider, by what the looks before cost;
// the others are as ever.
func TestSummarizeStopped(t *testing.T) {
	r := sample(t)
	r.PL, r.TL, r.Stop = nil, nil, nil
	r.Requests = requests(100)
	fixed := Summarize(r, Options{})
	r.Stop = &Stop{Question{MetricPL, 0.05, 0}, Faster, StopDecided, 0.95, 0.999, 2, 1}
	stopped := Summarize(r, Options{})
	wide, narrow := stopped.Ratio.PL.CI, fixed.Ratio.PL.CI
	if wide.Low >= narrow.Low || wide.High <= narrow.High {
		t.Errorf("stopped %v, fixed %v", wide, narrow)
	}
	if diff := cmp.Diff(stopped.Ratio.TL, fixed.Ratio.TL); diff != "" {
		t.Error(diff)
	}
	if stopped.Stop != r.Stop || stopped.Level != 0.95 {
		t.Errorf("%+v at %g", stopped.Stop, stopped.Level)
	}
	if q := stopped.Request; q.N != 100 || !(q.P50 <= q.P90 && q.P90 <= q.P95 && q.P95 <= q.P99) {
		t.Errorf("request %+v", q)
	}
}

// Candidates timed together leave as they have their answers: the baseline's
// samples are those of the one that stayed longest.
func TestSessionsKeepTheLongestRecord(t *testing.T) {
	short, long, other := sample(t), sample(t), sample(t)
	short.Requests, long.Requests = requests(3), requests(9)
	other.Seed++
	got := Sessions([]Record{short, other, long})
	if len(got) != 2 || len(got[0].Requests) != 9 || got[1].Seed != other.Seed {
		t.Errorf("%d sessions, the first with %d requests", len(got), len(got[0].Requests))
	}
	if base := SummarizeBaseline([]Record{short, long}, Options{}); base.Samples.Requests != 9 {
		t.Errorf("the baseline has %d requests, want 9", base.Samples.Requests)
	}
}

func TestSummarizeFailure(t *testing.T) {
	s := Summarize(failed(sample(t)), Options{})
	if s.Failure == nil || s.Failure.Stage != FailedProcess || s.PL != nil || s.Ratio.PL != nil {
		t.Errorf("%+v", s)
	}
}

func TestSummarizeDoubts(t *testing.T) {
	r := sample(t)
	r.PL, r.TL, r.Requests, r.Warnings = nil, nil, nil, []string{}
	rng := newRand()
	noise := 0.0
	for i := range 90 {
		noise = 0.8*noise + 0.01*rng.NormFloat64()
		partner := 1e6 * (1 + float64(i)/100) // rises by more than half
		r.TL = append(r.TL, StepPair{Len: 64, NS: int64(0.9 * partner * math.Exp(noise)), PartnerNS: int64(partner)})
	}
	s := Summarize(r, Options{})
	text := strings.Join(s.Warnings, "\n")
	if s.Drift < 0.3 || !strings.Contains(text, "the baseline's time changed by +") {
		t.Errorf("drift %g, warnings %s", s.Drift, text)
	}
	exact := stat.PairedRatio(ownNS(r.TL), partnerNS(r.TL), 0)
	if s.Ratio.TL.CI.Low > exact.CI.Low || s.Ratio.TL.CI.High < exact.CI.High || *s.Ratio.TL.CI == exact.CI {
		t.Errorf("interval %v is not wider than %v", s.Ratio.TL.CI, exact.CI)
	}
	r.Requests = []RequestPair{{Own: Request{5, 1, 0, 9, nil}, Partner: Request{5, 1, 3, 9, nil}}}
	if s := Summarize(r, Options{}); s.Ratio.LatencyCharP95 != nil || !strings.Contains(strings.Join(s.Warnings, "\n"), "1 of 1 requests show something on one side only") {
		t.Errorf("%+v", s)
	}
	other := r
	other.Time = r.Time.Add(time.Second)
	other.Binding = Copied
	other.Host.Kernel = "x"
	if s := SummarizeBaseline([]Record{r, other}, Options{}); !strings.Contains(strings.Join(s.Warnings, "\n"), "different hosts") || !strings.Contains(strings.Join(s.Warnings, "\n"), "buffers are pooled") {
		t.Errorf("%v", s.Warnings)
	}
}

// A summary is a function of the record; it marshals whatever the samples are; and
// slowing the candidate by a factor moves its ratios by that factor.
func TestSummaryProperties(t *testing.T) {
	base := sample(t)
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t, base)
		s := Summarize(r, Options{})
		if diff := cmp.Diff(s, Summarize(r, Options{})); diff != "" {
			t.Fatal(diff)
		}
		if _, err := json.Marshal(s); err != nil {
			t.Fatal(err)
		}
		slow := r
		slow.PL = append([]StepPair{}, r.PL...)
		for i := range slow.PL {
			slow.PL[i].NS *= 4
		}
		slow.Requests = append([]RequestPair{}, r.Requests...)
		for i, p := range slow.Requests {
			p.Own.PL *= 4
			slow.Requests[i] = p
		}
		if got, want := Summarize(slow, Options{}).Ratio.PL.Median, 4*s.Ratio.PL.Median; math.Abs(got/want-1) > 1e-9 {
			t.Fatalf("ratio %g, want %g", got, want)
		}
	})
}
