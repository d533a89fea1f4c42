package main

import (
	"fmt"
	"strings"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler"
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

// measureSpeed times the baseline and cuts what does not fit.
func (d *demo) measureSpeed() error {
	d.title("Timing the baseline %s", d.setup.Baseline.Name())
	// The first session of a process finds no memory to use again; the others do.
	first, err := d.a.open(d.ctx, d.setup.Baseline, d.setup.plan())
	if err != nil {
		return err
	}
	if err := first.close(); err != nil {
		return err
	}
	base, err := d.a.open(d.ctx, d.setup.Baseline, d.setup.plan())
	if err != nil {
		return err
	}
	defer base.close()
	d.speed.create = base.createTime
	s := profiler.Sequence(base.model)
	ids := make([]int64, d.setup.Timing.PromptTokens)
	for round := range 3 { // the last counts: the first ones warm up
		s.Reset()
		start := time.Now()
		if err := s.PreparePrefill(ids); err != nil {
			return err
		}
		if err := s.Run(); err != nil {
			return err
		}
		pl := time.Since(start)
		const steps = 6
		start = time.Now()
		for range steps {
			if err := s.PrepareStep(0); err != nil {
				return err
			}
			if err := s.Run(); err != nil {
				return err
			}
		}
		tl := time.Since(start) / steps
		if round == 0 || pl < d.speed.pl {
			d.speed.pl = pl
		}
		if round == 0 || tl < d.speed.tl {
			d.speed.tl = tl
		}
	}
	d.print("graph emitted in %.1f ms, session created in %.2f s (the first in %.2f s); prompt of %d tokens %.0f ms, each later token %.1f ms",
		ms(base.emitTime), base.createTime.Seconds(), first.createTime.Seconds(), len(ids), ms(d.speed.pl), ms(d.speed.tl))
	d.cut()
	d.sampler.plan = d.setup.samplePlan()
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

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
			d.print("this machine needs about %.0f s for the least that makes sense, more than the %.0f s planned; --build +int4b32 is faster", d.total().Seconds(), demoBudget.Seconds())
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
func (d *demo) affordable(points []arch.Point, p profiler.Plan) ([]arch.Point, int) {
	left := time.Duration(demoSlack*float64(demoBudget)) - time.Since(d.began) - 3*d.speed.create
	kept := points
	for len(kept) > 1 && d.speed.session(len(kept), p) > left {
		kept = kept[1:]
	}
	if len(kept) < len(points) {
		d.print("%.0f s are left: requests are timed with %s heads only", left.Seconds(), headList(kept))
	}
	for p.RequestPairs < len(p.Workload.Requests) && d.speed.session(len(kept), p) < left {
		p.RequestPairs += 8
	}
	return kept, min(p.RequestPairs, len(p.Workload.Requests))
}
