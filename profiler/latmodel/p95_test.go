package latmodel_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// msAt is the truth's time of a step of rows tokens with past in the cache.
func (m truth) msAt(c arch.Candidate, rows, past int) float64 {
	target, w := latmodel.PL, m.pl
	if rows == 1 {
		target, w = latmodel.TL, m.tl
	}
	sum := 0.0
	for j, x := range latmodel.Count(target, c, rows, past) {
		sum += w[j] * x
	}
	return sum
}

// tailed is how a neighbour makes some requests slow: one in ten by 40 %.
func tailed(rng *rand.Rand) float64 {
	f := math.Exp(0.01 * rng.NormFloat64())
	if rng.Float64() < 0.1 {
		f *= 1.4
	}
	return f
}

func (m truth) request(c arch.Candidate, r record.WorkloadRequest, rng *rand.Rand) record.Request {
	f := tailed(rng)
	q := record.Request{
		PromptTokens: r.PromptTokens, GeneratedTokens: r.GeneratedTokens, Chars: r.Chars, PL: int64(1e6 * f * m.msAt(c, r.PromptTokens, 0)),
	}
	for i := range r.GeneratedTokens - 1 {
		q.TL = append(q.TL, int64(1e6*f*m.msAt(c, 1, r.PromptTokens+i)))
	}
	return q
}

// requests is a record of a workload on both sides.
func (m truth) requests(c arch.Candidate, w record.Workload, rng *rand.Rand) record.Record {
	r := m.session(c, 1, 0, rng)
	r.PL, r.TL, r.Workload, r.Seed = nil, nil, w, rng.Uint64()
	r.Time = r.Time.Add(time.Duration(rng.IntN(1e6)) * time.Second)
	for _, q := range w.Requests {
		r.Requests = append(r.Requests, record.RequestPair{Own: m.request(c, q, rng), Partner: m.request(r.Baseline.Candidate, q, rng)})
	}
	return r
}

// someWorkload is requests of many lengths; every tenth shows nothing.
func someWorkload(n int) record.Workload {
	rng := rand.New(rand.NewPCG(1, 7))
	w := record.Workload{Name: "some"}
	for i := range n {
		r := record.WorkloadRequest{PromptTokens: 16 + rng.IntN(110), GeneratedTokens: 1 + rng.IntN(8)}
		if i%10 != 9 {
			r.Chars = 1 + 4*r.GeneratedTokens + rng.IntN(3)
		}
		w.Requests = append(w.Requests, r)
	}
	return w
}

// trueP95 is the candidate's by a long run.
func (m truth) trueP95(c arch.Candidate, w record.Workload) float64 {
	rng := rand.New(rand.NewPCG(9, 9))
	var ms []float64
	for range 40 {
		for _, q := range w.Requests {
			if char, ok := m.request(c, q, rng).LatencyChar(); ok {
				ms = append(ms, char/1e6)
			}
		}
	}
	return stat.Quantile(ms, 0.95)
}

func TestP95OverAWorkload(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 1))
	for _, b := range []arch.Build{{}, int4} {
		m := mustFit(t, plain.draw(t, 30, b, 0.005, rng), latmodel.Options{})
		w := someWorkload(300)
		var records []record.Record
		for _, r := range plain.draw(t, 6, b, 0, rng) {
			records = append(records, plain.requests(r.Candidate.Candidate, w, rng))
		}
		tail, err := m.Tail(records)
		if err != nil {
			t.Fatal(err)
		}
		base := baseline()
		base.Build = b
		if tail.Requests != 6*270 || tail.Factor < 1 || tail.Factor > 1.2 || tail.Prompts[0] != 16 || tail.Prompts[1] != 125 {
			t.Errorf("tail %+v", tail)
		}
		check := m.CheckP95(records, tail)
		t.Logf("%s: tail %.3f, error of P95 %.2f %%, of its ratio %.2f %%", base.Name(), tail.Factor, 100*check.MAPE, 100*check.RatioMAPE)
		if len(check.Points) != 6 || check.MAPE > 0.05 || check.RatioMAPE > 0.06 || check.Points[0].Requests != 270 {
			t.Errorf("%+v", check)
		}
		for _, s := range []arch.Spec{arch.NewSpec(arch.GPT2, 8, 1024, 4096, 16), arch.NewSpec(arch.GPT2, 17, 640, 4096, 8)} {
			c := arch.Candidate{Spec: s, Build: b}
			p, err := m.P95(c, w, tail)
			if err != nil {
				t.Fatal(err)
			}
			want, wantBase := plain.trueP95(c, w), plain.trueP95(base, w)
			if math.Abs(p.MS/want-1) > 0.06 || math.Abs(p.Ratio/(want/wantBase)-1) > 0.04 || !p.Interval.Contains(p.Ratio) || !p.IntervalMS.Contains(p.MS) {
				t.Errorf("%s: %.3f ms, ratio %.3f; truth %.3f and %.3f", c.Name(), p.MS, p.Ratio, want, want/wantBase)
			}
			if p.Requests != 270 || p.TailRequests != tail.Requests || contains(p.Warnings, "P95") {
				t.Errorf("%+v", p)
			}
			// The tail is of requests back to back, and not of those after a pause.
			slow := w
			slow.Requests = slices.Clone(w.Requests)
			for i := range slow.Requests {
				slow.Requests[i].ThinkMS = 1500
			}
			if p, err := m.P95(c, slow, tail); err != nil || !contains(p.Warnings, "after a pause, and of the baseline's measured ones 0 %") {
				t.Errorf("%+v, %v", p.Warnings, err)
			}
			// Without the baseline's requests there is no tail, and the ratio is there.
			alone, err := m.P95(c, w, latmodel.Tail{})
			if err != nil {
				t.Fatal(err)
			}
			if alone.TailFactor != 1 || alone.TailRequests != 0 || math.Abs(alone.Ratio/(want/wantBase)-1) > 0.06 || !contains(alone.Warnings, "no requests of the baseline") {
				t.Errorf("without a tail: %+v", alone)
			}
		}
	}
}

// TestTailCountsABaselineOnce: candidates timed together share its samples, and
// what is of another host, baseline or binding is not of this machine.
func TestTailCountsABaselineOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 2))
	m := fitted(t)
	w := someWorkload(50)
	r := plain.requests(arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 8, 1024, 4096, 16)}, w, rng)
	same, host, binding, other, few := r, r, r, r, r
	host.Host.Cores, host.Seed = 64, 1
	binding.Binding, binding.Seed = record.Copied, 2
	other.Baseline.Candidate.Spec, other.Seed = arch.NewSpec(arch.GPT2, 6, 512, 2048, 8), 3
	tail, err := m.Tail([]record.Record{r, same, host, binding, other})
	if err != nil || tail.Requests != 45 {
		t.Errorf("%+v, %v", tail, err)
	}
	few.Requests = few.Requests[:10]
	if tail, err = m.Tail([]record.Record{few}); err != nil || tail.Requests != 0 || tail.Factor != 1 {
		t.Errorf("of 10 requests: %+v, %v", tail, err)
	}
	if m.CheckP95([]record.Record{few, host, binding, other}, tail) != nil {
		t.Error("a check of nothing")
	}
}

func TestP95Refuses(t *testing.T) {
	m := fitted(t)
	c := arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 8, 1024, 4096, 16)}
	long := record.Workload{Name: "long", Requests: []record.WorkloadRequest{{PromptTokens: 64, GeneratedTokens: 2, Chars: 8}, {PromptTokens: 2048, GeneratedTokens: 1, Chars: 4}}}
	silent := record.Workload{Name: "silent", Requests: []record.WorkloadRequest{{PromptTokens: 64, GeneratedTokens: 2}}}
	for _, bad := range []struct {
		c    arch.Candidate
		w    record.Workload
		want string
	}{
		{c, long, `requests[1] of workload "long" takes 2049 tokens`},
		{c, silent, `none of the 1 requests of workload "silent" shows anything`},
		{c, record.Workload{Name: "none"}, "no requests"},
		{arch.Candidate{Spec: c.Spec, Build: int4}, someWorkload(5), "+int4b32"},
	} {
		_, err := m.P95(bad.c, bad.w, latmodel.Tail{})
		wantError(t, err, bad.want)
	}
	rng := rand.New(rand.NewPCG(41, 3))
	tail, err := m.Tail([]record.Record{plain.requests(c, someWorkload(50), rng)})
	if err != nil {
		t.Fatal(err)
	}
	far := record.Workload{Name: "far", Requests: []record.WorkloadRequest{{PromptTokens: 500, GeneratedTokens: 2, Chars: 8}}}
	p, err := m.P95(c, far, tail)
	if err != nil || !strings.Contains(strings.Join(p.Warnings, "\n"), "prompts of 500 to 500 tokens; the baseline's requests had ") {
		t.Errorf("%q, %v", p.Warnings, err)
	}
}
