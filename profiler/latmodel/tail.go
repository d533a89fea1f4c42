package latmodel

import (
	"fmt"
	"math"
	"slices"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel/regress"
	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// Tail is what the baseline's own requests tell of a machine and medians of steps
// do not: how PL grows with the prompt, and how far its P95 lies over what medians
// make of the same requests. [Model.Tail] measures it.
type Tail struct {
	Requests int     // of the baseline that showed something; 0: nothing is known
	Factor   float64 // its measured P95 latency_char over that quantile of its medians' predictions
	Prompts  [2]int  // shortest and longest prompt among the requests
	Paused   float64 // share of them that came after a pause

	pl   []float64 // milliseconds: PL of n tokens is pl . (1, n, n^2)
	tlMS float64   // of one step with the model's number of tokens in the cache
}

// minTail is the fewest requests of a tail: under it a P95 is hardly more than the
// slowest of them.
const minTail = 20

// Tail takes the baseline's side of the records that hold requests and belong to
// the model. The sessions of candidates that were timed together have one baseline,
// which counts once.
//
// The medians are the records' own, so that the factor is the tail's alone and not
// that of another hour: PL by prompt length is a curve of non-negative terms in 1, n
// and n^2 through medians of neighbouring lengths, TL the median of all tokens
// brought to one cache length.
func (m *Model) Tail(records []record.Record) (Tail, error) {
	var requests []record.Request
	paused := 0
	for _, r := range record.Sessions(records) {
		if r.Validate() != nil || !r.Baseline.Equal(m.Baseline) || r.Host.Hash() != m.Host.Hash() || r.Binding != m.Binding {
			continue
		}
		for i, p := range r.Requests {
			if p.Partner.Chars == 0 {
				continue
			}
			requests = append(requests, p.Partner)
			if i < len(r.Workload.Requests) && r.Workload.Requests[i].ThinkMS > 0 {
				paused++
			}
		}
	}
	if len(requests) < minTail {
		return Tail{Factor: 1}, nil
	}
	t := Tail{Requests: len(requests), Paused: float64(paused) / float64(len(requests))}
	slices.SortStableFunc(requests, func(a, b record.Request) int { return a.PromptTokens - b.PromptTokens })
	t.Prompts = [2]int{requests[0].PromptTokens, requests[len(requests)-1].PromptTokens}
	var err error
	if t.pl, err = promptCurve(requests); err != nil {
		return Tail{}, fmt.Errorf("latmodel: PL by prompt length: %w", err)
	}
	const ms = 1e6 // ns
	grows := m.baselineGrowth()
	var tl []float64
	for _, q := range requests {
		for i, ns := range q.TL {
			tl = append(tl, float64(ns)/ms/grows.tl(q.PromptTokens+i))
		}
	}
	t.tlMS = m.tl.baselineMS
	if len(tl) > 0 {
		t.tlMS = stat.Median(tl)
	}
	var measured, predicted []float64
	for _, q := range requests {
		char, _ := q.LatencyChar()
		measured = append(measured, char/ms)
		predicted = append(predicted, perChar(record.WorkloadRequest{
			PromptTokens: q.PromptTokens, GeneratedTokens: q.GeneratedTokens, Chars: q.Chars,
		}, t.plMS, func(past int) float64 { return t.tlMS * grows.tl(past) }))
	}
	t.Factor = stat.Quantile(measured, p95) / stat.Quantile(predicted, p95)
	return t, nil
}

const p95 = 0.95

// plMS is the baseline's median PL of n tokens.
func (t *Tail) plMS(n int) float64 {
	x := float64(n)
	return t.pl[0] + t.pl[1]*x + t.pl[2]*x*x
}

// promptCurve fits PL in milliseconds by prompt length to requests in the order of
// their prompts: a median of a dozen neighbours each, since single ones have tails.
func promptCurve(requests []record.Request) ([]float64, error) {
	const neighbours = 12
	groups := max(1, len(requests)/neighbours)
	var rows []regress.Row
	for g := range groups {
		group := requests[g*len(requests)/groups : (g+1)*len(requests)/groups]
		var ns, n []float64
		for _, q := range group {
			ns, n = append(ns, float64(q.PL)), append(n, float64(q.PromptTokens))
		}
		x := stat.Median(n)
		rows = append(rows, regress.Row{Features: []float64{1, x, x * x}, Y: stat.Median(ns) / 1e6})
	}
	curve, err := regress.Fit(rows, regress.Options{Names: []string{"constant", "tokens", "tokens squared"}, SumOnly: true})
	if err != nil {
		return nil, err
	}
	return curve.Weights, nil
}

// perChar is a request's time a character, from PL by prompt length and TL by
// tokens in the cache.
func perChar(r record.WorkloadRequest, pl, tl func(int) float64) float64 {
	t := pl(r.PromptTokens)
	for i := range max(0, r.GeneratedTokens-1) {
		t += tl(r.PromptTokens + i)
	}
	return t / float64(r.Chars)
}

// growth is how a Spec's times depend on lengths, by the physical terms: relative
// to the lengths that the model was fitted at.
type growth struct {
	m          *Model
	spec       arch.Spec
	flat       bool // the Spec is not known: all lengths take the same time
	pl1, tl1   float64
	plAt, tlAt map[int]float64
}

func (m *Model) growth(s arch.Spec) *growth {
	g := &growth{m: m, spec: s, pl1: 1, tl1: 1, plAt: map[int]float64{}, tlAt: map[int]float64{}}
	g.pl1, g.tl1 = g.pl(m.Point.Prompt), g.tl(m.Point.Cache)
	clear(g.plAt)
	clear(g.tlAt)
	return g
}

// baselineGrowth is that of the baseline, whatever its build.
func (m *Model) baselineGrowth() *growth {
	if spec, ok := m.Baseline.Spec(); ok {
		return m.growth(spec)
	}
	return &growth{m: m, flat: true}
}

func (g *growth) pl(tokens int) float64 {
	return g.at(g.plAt, &g.m.pl, tokens, step{rows: float64(tokens)}, g.pl1)
}

func (g *growth) tl(past int) float64 {
	return g.at(g.tlAt, &g.m.tl, past, step{rows: 1, past: float64(past)}, g.tl1)
}

func (g *growth) at(known map[int]float64, t *target, n int, s step, one float64) float64 {
	if g.flat {
		return 1
	}
	v, ok := known[n]
	if !ok {
		counts := newGeometry(g.m.Build, s)
		v = math.Max(t.full.model.Sum(counts.row(t.features, g.spec)), 0) / one
		known[n] = v
	}
	return v
}
