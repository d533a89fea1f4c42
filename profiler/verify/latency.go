package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"lathe/graphgen/bundle"
	"lathe/profiler"
	"lathe/profiler/record"
	"lathe/profiler/stat"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
)

// Latency is the baseline that models are timed beside, and what is requested of both.
type Latency struct {
	Name string
	// Open makes the baseline's session.
	Open func(ctx context.Context) (*ort.Session, error)
	// Mode is how a loader binds the baseline's past and present: Shared or Copied.
	Mode func(l bundle.Loader) decode.Mode
	// Plan has the requests, whose tokens are drawn from both vocabularies.
	Plan profiler.Plan
	CPUs []int // that the timing thread is pinned to
}

// ModeOf is how a loader binds a folder's past and present: genai in one buffer where
// its configuration says so and the graph is made for it, all others by copies.
func ModeOf(b *bundle.Bundle, l bundle.Loader) decode.Mode {
	if l == bundle.GenAI && b.GenAI != nil && b.GenAI.Shared {
		return decode.Shared
	}
	return decode.Copied
}

// latency times the model beside the baseline, once for each mode that its loaders bind
// it in.
func (r *running) latency(ctx context.Context) error {
	l := r.o.Latency
	if l == nil || r.m.Optimized() {
		return nil
	}
	loaders := r.opens
	if len(loaders) == 0 {
		loaders = []bundle.Loader{""}
	}
	type pair struct{ own, base decode.Mode }
	byMode := map[pair][]string{}
	var order []pair
	for _, x := range loaders {
		p := pair{ModeOf(r.b, x), l.Mode(x)}
		if byMode[p] == nil {
			order = append(order, p)
		}
		name := string(x)
		if name == "" {
			name = "no loader"
		}
		byMode[p] = append(byMode[p], name)
	}
	for _, p := range order {
		c, err := r.timed(ctx, p.own, p.base, byMode[p])
		if err != nil {
			return err
		}
		r.add(c)
	}
	return nil
}

func (r *running) timed(ctx context.Context, own, base decode.Mode, loaders []string) (_ Check, err error) {
	l := r.o.Latency
	conditions := fmt.Sprintf("%s buffers, as in %s; baseline %s, %s buffers", own, strings.Join(loaders, ", "), l.Name, base)
	r.progress("%s: timing, %s", r.m.File, conditions)
	if p := r.positions(); p > 0 && l.Plan.MaxLen() > p {
		return skipped(LatencyP95, r.m.File, fmt.Sprintf("requests take %d tokens, and it has %d positions", l.Plan.MaxLen(), p)), nil
	}
	s, err := l.Open(ctx)
	if err != nil {
		return Check{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	open := func(s *ort.Session, mode decode.Mode) (*decode.Model, error) {
		m, err := decode.New(s, decode.Options{Mode: mode, MaxLen: l.Plan.MaxLen()})
		if err != nil {
			return nil, err
		}
		if err := m.Reserve(l.Plan.PromptLens(), l.Plan.MaxLen()); err != nil {
			m.Close()
			return nil, err
		}
		return m, nil
	}
	mine, err := open(r.s, own)
	if err != nil {
		return failed(LatencyP95, r.m.File, err), nil
	}
	defer mine.Close()
	theirs, err := open(s, base)
	if err != nil {
		return failed(LatencyP95, r.m.File, fmt.Errorf("baseline %s: %w", l.Name, err)), nil
	}
	defer theirs.Close()
	if a, b := mine.Info().Vocab, theirs.Info().Vocab; a != b {
		return skipped(LatencyP95, r.m.File, fmt.Sprintf("it has a vocabulary of %d and the baseline %s one of %d: the same text is other tokens to each", a, l.Name, b)), nil
	}
	res, err := profiler.Time(ctx, profiler.Sequence(theirs), []profiler.Session{profiler.Sequence(mine)}, profiler.Options{
		Plan: l.Plan, CPUs: l.CPUs, Vocab: mine.Info().Vocab, Rand: r.o.Rand,
	})
	if ctx.Err() != nil {
		return Check{}, ctx.Err()
	}
	if err != nil {
		return failed(LatencyP95, r.m.File, err), nil
	}
	r.r.Warnings = append(r.r.Warnings, res.Warnings...)
	return p95(r.m.File, res.Timed[0].Requests, conditions), nil
}

// p95 is the ratio of both sides' P95 latency_char.
func p95(file string, pairs []record.RequestPair, conditions string) Check {
	var own, base []float64
	for _, p := range pairs {
		a, okA := p.Own.LatencyChar()
		b, okB := p.Partner.LatencyChar()
		if okA && okB {
			own, base = append(own, a), append(base, b)
		}
	}
	if len(own) == 0 {
		return skipped(LatencyP95, file, "no request shows a character")
	}
	e := stat.PairedQuantileRatio(own, base, 0.95, stat.DefaultLevel)
	c := Check{
		Name: LatencyP95, File: file, Status: Passed, Value: &e.Value, Unit: "of the baseline's",
		Detail: fmt.Sprintf("P95 %.4g ms a character, baseline %.4g ms; %d requests; %s", stat.Quantile(own, 0.95)/1e6, stat.Quantile(base, 0.95)/1e6, len(own), conditions),
	}
	if e.CI.Finite() {
		c.CI = &[2]float64{e.CI.Low, e.CI.High}
	} else {
		c.Detail += fmt.Sprintf("; an interval takes %d requests", stat.MinSamples(0.95, stat.DefaultLevel))
	}
	return c
}
