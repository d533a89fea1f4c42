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
	demoRunTime               = 3 * time.Second
)

// A demo is over in five minutes. Its profile takes the runs, two sessions and twice the
// machine's rates: 10 s where a prompt takes 250 ms.
const demoLimit, demoProfileTime = 5 * time.Minute, 20 * time.Second

// report profiles the pick, if there is time, and writes a report of what the demo measured.
func (d *demo) report(pick arch.Candidate) error {
	d.title("Where the pick's time goes, and a report")
	f := &reportFlags{title: "Lathe demo: " + pick.Name()}
	if time.Since(d.began) > demoLimit-demoProfileTime {
		d.print("there is no time left for a profile: lathe profile %s", pick.Name())
	} else {
		p, err := d.profile(pick)
		if err != nil {
			return err
		}
		f.given = []*profiled{p}
	}
	r, err := d.a.newReport(d.ctx, f)
	if err != nil {
		return err
	}
	dir := filepath.Join(d.dir, demoReport)
	if err := writeReport(d.ctx, dir, r); err != nil {
		return err
	}
	for _, line := range plainSummary(r) {
		d.print("%s", line)
	}
	d.result.Report = filepath.Join(dir, reportForms[0].file)
	d.print("all of it, with plots: open %s", d.result.Report)
	return nil
}

func (d *demo) profile(pick arch.Candidate) (*profiled, error) {
	plan := operators.Plan{Prompt: d.setup.Timing.PromptTokens, Generated: demoProfiled, Rounds: demoRounds, Prefill: true, Decode: true}
	if d.speed.profile(plan) > demoRunTime {
		plan.Rounds = demoMinRounds
	}
	p, err := d.a.profile(d.ctx, own(pick), plan, "")
	if err != nil {
		return nil, err
	}
	for _, phase := range p.Phases {
		where, ms := "in "+phase.Operators[0].Name, phase.Operators[0].MS
		if phase.DispatchMS > ms {
			where, ms = "between kernels", phase.DispatchMS
		}
		part := "the largest part"
		if ms > phase.RunMS/2 {
			part = "most"
		}
		d.print("%s: %.1f ms, %s of it %s (%.0f %%)", phaseTitle(phase), phase.RunMS, part, where, 100*ms/phase.RunMS)
	}
	return p, nil
}

// profile estimates the runs of a plan, with a trace and without.
func (s speed) profile(p operators.Plan) time.Duration {
	return 2 * time.Duration(p.Rounds) * (s.pl + time.Duration(p.Generated)*s.tl)
}
