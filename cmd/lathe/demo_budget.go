package main

import (
	"fmt"
	"strings"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler"
	"lathe/profiler/record"
	"lathe/profiler/stat"
	"lathe/profiler/workload"
)

// What the demo times where the machine is fast enough, and the least it makes
// do with.
const (
	demoSamples, demoMinSamples = 16, 10
	demoPL, demoMinPL           = 6, 3
	demoTL, demoMinTL           = 32, 12
)

// tailRequests are the fewest requests that give P95 an interval with two ends.
var tailRequests = stat.MinSamples(0.95, stat.DefaultLevel)

// speed is what the baseline takes on this machine.
type speed struct {
	create, pl, tl time.Duration
}

// session estimates how long it takes to open and time n candidates beside the
// open baseline: creation, two rounds of warm-up for each side, and the samples.
// Candidates of the space take about as long as the baseline.
func (s speed) session(n int, p profiler.Plan) time.Duration {
	side := func(k int, d time.Duration) time.Duration { return time.Duration(k) * d }
	warm := 2 * (s.pl + 3*s.tl)
	perSide := warm + side(p.PLPairs, s.pl) + side(p.TLPairs, s.tl)
	for _, r := range p.Workload.First(p.RequestPairs).Requests {
		perSide += s.pl*time.Duration(r.PromptTokens)/64 + side(r.GeneratedTokens-1, s.tl)
	}
	return side(n, s.create) + side(n+1, perSide)
}

// measureSpeed times the baseline, beside itself, and cuts what does not fit.
func (d *demo) measureSpeed() error {
	base := d.setup.baseline()
	d.title("Timing the baseline %s", base.name())
	b := d.sampler.bench
	// The first sessions of a process find no memory to use again, and the kernel
	// makes huge pages for them; the others take what those leave.
	b.plan.PLPairs, b.plan.TLPairs = 1, 1
	first, err := b.measure(d.ctx, []runnable{base}, nil)
	if err != nil {
		return err
	}
	b.visit++
	b.plan.PLPairs, b.plan.TLPairs = 2, 2*b.plan.GeneratedTokens
	records, err := b.measure(d.ctx, []runnable{base}, nil)
	if err != nil {
		return err
	}
	s := record.SummarizeBaseline(records, record.Options{})
	d.speed = speed{time.Duration(records[0].CreateNS), duration(s.PL.P50), duration(s.TL.P50)}
	d.print("graph emitted in %.1f ms, session created in %.2f s (the first in %.2f s); prompt of %d tokens %.0f ms, each later token %.1f ms",
		float64(records[0].EmitNS)/1e6, d.speed.create.Seconds(), float64(first[0].CreateNS)/1e9, b.plan.PromptTokens, s.PL.P50, s.TL.P50)
	d.cut()
	b.plan = d.setup.samplePlan()
	return nil
}

func duration(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// demoSlack is the share of the budget that is planned for: machines that others
// use too get slower while one works.
const demoSlack = 0.8

// cut fits the plan into the budget: fewer pairs, then fewer candidates, then
// int4 weights, which are three to four times faster.
func (d *demo) cut() {
	t := &d.setup.Timing
	t.PLPairs, t.TLPairs, d.setup.Samples = demoPL, demoTL, demoSamples
	budget := time.Duration(demoSlack*float64(demoBudget)) - time.Since(d.began)
	for d.total() > budget {
		switch {
		case t.TLPairs > demoMinTL || t.PLPairs > demoMinPL:
			t.TLPairs, t.PLPairs = max(demoMinTL, t.TLPairs-4), max(demoMinPL, t.PLPairs-1)
		case d.setup.Samples > demoMinSamples:
			d.setup.Samples--
		default:
			d.print("this machine needs about %.0f s more for the least that makes sense, and %.0f s are left; --build +int4b32 is faster", d.total().Seconds(), budget.Seconds())
			return
		}
	}
	var cuts []string
	for _, c := range []struct {
		what      string
		have, all int
	}{{"candidates", d.setup.Samples, demoSamples}, {"pairs of prompts", t.PLPairs, demoPL}, {"pairs of tokens", t.TLPairs, demoTL}} {
		if c.have < c.all {
			cuts = append(cuts, fmt.Sprintf("%d %s for %d", c.have, c.what, c.all))
		}
	}
	if cuts != nil {
		d.print("cut to fit %.0f s: %s", demoBudget.Seconds(), strings.Join(cuts, ", "))
	}
}

// total estimates the rest of the demo: the samples, two picks confirmed, and
// three variants with whole requests.
func (d *demo) total() time.Duration {
	plan := d.setup.plan()
	requests := plan
	requests.PLPairs, requests.TLPairs = demoPL, demoTL
	requests.RequestPairs, requests.Workload = tailRequests, workload.Default(d.setup.Seed)
	return time.Duration(d.setup.Samples+2)*d.speed.session(1, plan) + d.speed.session(3, requests) + 2*d.speed.create
}

// affordable fits the requests into what is left of the budget: as many as the
// workload has if it allows, at least what P95 takes; and fewer head variants,
// the fewest heads dropped first, where even that does not fit.
func (d *demo) affordable(variants []arch.Candidate, p profiler.Plan) ([]arch.Candidate, int) {
	left := time.Duration(demoSlack*float64(demoBudget)) - time.Since(d.began) - 3*d.speed.create
	kept := variants
	for len(kept) > 1 && d.speed.session(len(kept), p) > left {
		kept = kept[1:]
	}
	if len(kept) < len(variants) {
		d.print("%.0f s are left: requests are timed with %s heads only", left.Seconds(), headList(kept))
	}
	for p.RequestPairs < len(p.Workload.Requests) && d.speed.session(len(kept), p) < left {
		p.RequestPairs += 8
	}
	return kept, min(p.RequestPairs, len(p.Workload.Requests))
}
