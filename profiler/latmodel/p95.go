package latmodel

import (
	"fmt"
	"math"
	"slices"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// P95 is the predicted 95 % quantile of latency_char over a workload's requests
// that show something.
type P95 struct {
	Candidate string `json:"candidate"`
	Workload  string `json:"workload"`
	Requests  int    `json:"requests"` // of the workload that show something
	// Estimate is to the baseline's P95 over the same requests: the tail is in the
	// milliseconds, and not in the ratio, of which it cancels.
	Estimate
	BaselineMS   float64  `json:"baseline_ms"`
	TailFactor   float64  `json:"tail_factor"`
	TailRequests int      `json:"tail_requests"` // of the baseline that the factor is from; 0: it is not known, and taken for 1
	Level        float64  `json:"level"`
	Warnings     []string `json:"warnings"`
}

// P95 predicts P95 latency_char of c over a workload: each request's time from the
// candidate's PL and TL, carried to the request's lengths by the physical terms,
// and PL's further by what the baseline measured at that length; the quantile of
// these times the baseline's tail factor. The interval is from the low ends of PL
// and TL to the high ends; how tails differ from the baseline's is not in it.
func (m *Model) P95(c arch.Candidate, w record.Workload, tail Tail) (P95, error) {
	p, err := m.Predict(c)
	if err != nil {
		return P95{}, err
	}
	if err := w.Validate(); err != nil {
		return P95{}, fmt.Errorf("latmodel: %w", err)
	}
	requests := slices.DeleteFunc(slices.Clone(w.Requests), func(r record.WorkloadRequest) bool { return r.Chars == 0 })
	if len(requests) == 0 {
		return P95{}, fmt.Errorf("latmodel: none of the %d requests of workload %q shows anything: latency_char is of those that do", len(w.Requests), w.Name)
	}
	most, baseline := c.Spec.Positions, m.Baseline.Positions()
	if baseline > 0 {
		most = min(most, baseline)
	}
	if _, known := m.Baseline.Spec(); !known && tail.Requests == 0 {
		return P95{}, fmt.Errorf("latmodel: P95: how the times of %s depend on lengths is not known: measure requests beside it, %d or more", m.Baseline.Name(), minTail)
	}
	for i, r := range w.Requests {
		if n := r.PromptTokens + r.GeneratedTokens; n > most {
			return P95{}, fmt.Errorf("latmodel: requests[%d] of workload %q takes %d tokens: %s and the baseline have %d positions", i, w.Name, n, c.Name(), most)
		}
	}
	out := P95{
		Candidate: c.Name(), Workload: w.Name, Requests: len(requests), TailRequests: tail.Requests, Level: p.Level, Warnings: p.Warnings,
	}
	times := m.times(c.Spec, tail)
	out.TailFactor = times.tail.Factor
	out.BaselineMS = times.baseline(requests)
	out.MS = times.candidate(requests, p.PL.Ratio, p.TL.Ratio)
	out.IntervalMS = stat.Interval{
		Low:  times.candidate(requests, p.PL.Interval.Low, p.TL.Interval.Low),
		High: times.candidate(requests, p.PL.Interval.High, p.TL.Interval.High),
	}
	out.Ratio, out.Interval = out.MS/out.BaselineMS, out.IntervalMS.Scale(1/out.BaselineMS)
	out.warn(m, tail, requests)
	return out, nil
}

func (out *P95) warn(m *Model, tail Tail, requests []record.WorkloadRequest) {
	say := func(format string, args ...any) { out.Warnings = append(out.Warnings, fmt.Sprintf(format, args...)) }
	if tail.Requests == 0 {
		say("P95: no requests of the baseline were measured here: the times are those of medians, without a tail; the ratio needs none")
		return
	}
	least, most := math.MaxInt, 0
	for _, r := range requests {
		least, most = min(least, r.PromptTokens), max(most, r.PromptTokens)
	}
	if 4*least < 3*tail.Prompts[0] || 4*most > 5*tail.Prompts[1] { // a little beyond is no matter
		say("P95: prompts of %d to %d tokens; the baseline's requests had %d to %d", least, most, tail.Prompts[0], tail.Prompts[1])
	}
	paused := 0
	for _, r := range requests {
		if r.ThinkMS > 0 {
			paused++
		}
	}
	if share := float64(paused) / float64(len(requests)); math.Abs(share-tail.Paused) > 0.25 {
		say("P95: %.0f %% of the requests come after a pause, and of the baseline's measured ones %.0f %%: first tokens after a pause are colder, and the tail is another", 100*share, 100*tail.Paused)
	}
	if _, known := m.Baseline.Spec(); !known {
		say("P95: the baseline is a file that was not recognised: its TL is taken to be the same after any number of tokens")
	}
	if !m.Baseline.SameBuild(m.Build) {
		say("P95: the baseline runs as another build: how PL grows with the prompt is the physical terms' word alone")
	}
}

// times predicts requests of a candidate and of the baseline.
type times struct {
	m         *Model
	tail      Tail
	base, own *growth
	sameBuild bool
}

func (m *Model) times(s arch.Spec, tail Tail) *times {
	if tail.Requests == 0 {
		tail.Factor = 1
	}
	return &times{m, tail, m.baselineGrowth(), m.growth(s), m.Baseline.SameBuild(m.Build)}
}

// basePL and baseTL are the baseline's medians, of its requests where there are
// some, else of steps.
func (t *times) basePL(n int) float64 {
	if t.tail.Requests > 0 {
		return t.tail.plMS(n)
	}
	return t.m.pl.baselineMS * t.base.pl(n)
}

func (t *times) baseTL(past int) float64 {
	if t.tail.Requests > 0 {
		return t.tail.tlMS * t.base.tl(past)
	}
	return t.m.tl.baselineMS * t.base.tl(past)
}

func (t *times) baseline(requests []record.WorkloadRequest) float64 {
	return t.quantile(requests, t.basePL, t.baseTL)
}

// candidate is of one whose ratios at the fitted lengths are pl and tl.
func (t *times) candidate(requests []record.WorkloadRequest, pl, tl float64) float64 {
	prompt := t.m.Point.Prompt
	ownPL := func(n int) float64 {
		if t.sameBuild {
			// The baseline's own growth, but for what the physics says that differs.
			return pl * t.basePL(n) * t.own.pl(n) / t.base.pl(n)
		}
		return pl * t.basePL(prompt) * t.own.pl(n)
	}
	ownTL := func(past int) float64 { return tl * t.baseTL(past) * t.own.tl(past) / t.base.tl(past) }
	return t.quantile(requests, ownPL, ownTL)
}

func (t *times) quantile(requests []record.WorkloadRequest, pl, tl func(int) float64) float64 {
	var ms []float64
	for _, r := range requests {
		ms = append(ms, perChar(r, pl, tl))
	}
	return t.tail.Factor * stat.Quantile(ms, p95)
}

// P95Check is how predicted P95s compare with those that were measured.
type P95Check struct {
	MAPE      float64    `json:"mape"`       // of the times
	RatioMAPE float64    `json:"ratio_mape"` // of the ratios to the baseline's P95 in the same session
	Points    []P95Point `json:"points"`
}

// P95Point is one candidate's, over all its requests.
type P95Point struct {
	Candidate      string  `json:"candidate"`
	Requests       int     `json:"requests"`
	PredictedMS    float64 `json:"predicted_ms"`
	MeasuredMS     float64 `json:"measured_ms"`
	PredictedRatio float64 `json:"predicted_ratio"`
	MeasuredRatio  float64 `json:"measured_ratio"`
}

// CheckP95 predicts P95 of every candidate of the records that hold requests and
// belong to the model, over the requests that were timed, and compares; nil where
// there is none. A candidate may be one whose steps the model was fitted to: its
// requests were not.
func (m *Model) CheckP95(records []record.Record, tail Tail) *P95Check {
	type pooled struct {
		c            arch.Candidate
		w            record.Workload
		own, partner []float64
	}
	by := map[string]*pooled{}
	var order []*pooled
	for _, r := range records {
		if r.Validate() != nil || !r.Baseline.Equal(m.Baseline) || !r.Candidate.SameBuild(m.Build) || r.Candidate.Equal(r.Baseline) ||
			r.Host.Hash() != m.Host.Hash() || r.Binding != m.Binding {
			continue
		}
		for _, q := range r.Requests {
			own, ok := q.Own.LatencyChar()
			partner, ok2 := q.Partner.LatencyChar()
			if !ok || !ok2 {
				continue
			}
			p := by[r.Candidate.Hash()]
			if p == nil {
				p = &pooled{c: r.Candidate.Candidate, w: record.Workload{Name: "as timed"}}
				by[r.Candidate.Hash()], order = p, append(order, p)
			}
			p.own, p.partner = append(p.own, own/1e6), append(p.partner, partner/1e6)
			p.w.Requests = append(p.w.Requests, record.WorkloadRequest{
				PromptTokens: q.Own.PromptTokens, GeneratedTokens: q.Own.GeneratedTokens, Chars: q.Own.Chars,
			})
		}
	}
	out := &P95Check{}
	var predicted, measured, predictedRatio, measuredRatio []float64
	for _, p := range order {
		said, err := m.P95(p.c, p.w, tail)
		if len(p.own) < minTail || err != nil {
			continue
		}
		point := P95Point{
			Candidate: p.c.Name(), Requests: len(p.own), PredictedMS: said.MS, MeasuredMS: stat.Quantile(p.own, p95), PredictedRatio: said.Ratio,
		}
		point.MeasuredRatio = point.MeasuredMS / stat.Quantile(p.partner, p95)
		out.Points = append(out.Points, point)
		predicted, measured = append(predicted, point.PredictedMS), append(measured, point.MeasuredMS)
		predictedRatio, measuredRatio = append(predictedRatio, point.PredictedRatio), append(measuredRatio, point.MeasuredRatio)
	}
	if len(out.Points) == 0 {
		return nil
	}
	out.MAPE, out.RatioMAPE = stat.MAPE(predicted, measured), stat.MAPE(predictedRatio, measuredRatio)
	return out
}
