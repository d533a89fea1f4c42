package main

import (
	"path/filepath"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/operators"
)

// demoReport is the folder of the demo's report, in its own.
const demoReport = "report"

// A profile of the pick is of a few prompts with as many tokens each; of fewer where the
// machine is so slow that they would take more than some seconds.
const (
	demoRounds, demoMinRounds = 3, 2
	demoProfiled              = 4
	demoProfileTime           = 3 * time.Second
)

// report profiles the pick, and writes a report of what the demo measured.
func (d *demo) report(pick arch.Candidate) error {
	d.title("Where the pick's time goes, and a report")
	plan := operators.Plan{Prompt: d.setup.Timing.PromptTokens, Generated: demoProfiled, Rounds: demoRounds, Prefill: true, Decode: true}
	if d.speed.profile(plan) > demoProfileTime {
		plan.Rounds = demoMinRounds
	}
	p, err := d.a.profile(d.ctx, own(pick), plan, "")
	if err != nil {
		return err
	}
	for _, phase := range p.Phases {
		d.print("%s: %.1f ms, most of it in %s (%.0f %%)", phaseTitle(phase), phase.RunMS, phase.Operators[0].Name, 100*phase.Operators[0].Share)
	}
	r, err := d.a.newReport(d.ctx, &reportFlags{title: "Lathe demo: " + pick.Name(), given: []*profiled{p}})
	if err != nil {
		return err
	}
	dir := filepath.Join(d.dir, demoReport)
	if err := writeReport(d.ctx, dir, r); err != nil {
		return err
	}
	for _, line := range r.Summary {
		d.print("%s", line)
	}
	d.result.Report = filepath.Join(dir, reportForms[0].file)
	d.print("all of it, with plots: open %s", d.result.Report)
	return nil
}

// profile estimates the runs of a plan, with a trace and without.
func (s speed) profile(p operators.Plan) time.Duration {
	return 2 * time.Duration(p.Rounds) * (s.pl + time.Duration(p.Generated)*s.tl)
}
