package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"lathe/profiler/record"
	"lathe/profiler/store"
	"lathe/reports"
)

// reportOf is a report that is being put together.
type reportOf struct {
	*app
	ctx   context.Context
	st    *store.Store
	flags *reportFlags
	out   *reports.Report

	study    *studyReport   // nil: none is given
	front    *frontBody     // nil: there is none
	baseline record.Subject // of the search, or of the newest record
	known    bool           // there is a baseline
	records  *measuredGroup // beside it, on one machine; nil: none
}

// newReport gathers what is known.
func (a *app) newReport(ctx context.Context, f *reportFlags) (*reports.Report, error) {
	r := &reportOf{app: a, ctx: ctx, flags: f, out: &reports.Report{Made: time.Now().UTC()}}
	for _, step := range []func() error{
		r.readStudy, r.open, r.findFront, r.measurements, r.something, r.frontPart, r.tables, r.models, r.proxyPart, r.operators, r.nightsPart, r.conditions, r.missing,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	name := "nights"
	if r.known {
		name = r.baseline.Name()
	}
	r.out.Title = cmp.Or(f.title, "Lathe: "+name)
	r.out.Summarize()
	return r.out, nil
}

// open opens the store to read it: a study's own, if no other is given.
//
// Note: with its check, which takes 0.1 s of the 0.8 that a report of 10,000 records in
// 140 MB does.
func (r *reportOf) open() (err error) {
	if r.study != nil && r.cfg.origin("store") == "default" {
		r.cfg.Store = filepath.Join(r.flags.study, "lathe.db")
	}
	r.st, err = r.readProject(r.ctx)
	return err
}

// findFront finds the search that the report is of.
func (r *reportOf) findFront() error {
	var beside string // hash of a baseline
	if r.flags.baseline != "" {
		base, err := r.loadRunnable(r.ctx, r.flags.baseline)
		if err != nil {
			return err
		}
		r.baseline, r.known, beside = base.Subject, true, base.Subject.Hash()
	}
	if r.study != nil {
		own := record.Of(r.study.Models[0].Candidate)
		if r.known && !r.baseline.Equal(own) {
			return badInput(fmt.Errorf("report: the study is beside %s, and --baseline is %s: want one of them", own.Name(), r.baseline.Name()))
		}
		r.baseline, r.known, beside = own, true, own.Hash()
	}
	searches, err := r.st.Searches(r.ctx)
	if err != nil {
		return err
	}
	wanted := r.flags.search
	if wanted == "last" {
		wanted = ""
	}
	from := r.study.searchOfPick()
	for i := len(searches) - 1; i >= 0 && r.front == nil; i-- {
		id := searches[i].ID
		if wanted != "" && id != wanted || wanted == "" && from != "" && id != from {
			continue
		}
		fronts, err := r.st.Fronts(r.ctx, id)
		if err != nil {
			return err
		}
		if len(fronts) == 0 {
			if wanted != "" {
				return badInput(&noFrontError{r.st.Path(), id})
			}
			continue
		}
		body, err := readFront(id, fronts[len(fronts)-1].Body)
		switch {
		case err != nil && wanted != "":
			return err
		case err != nil:
			r.warn("front", err.Error(), 1)
		case body.Setup == nil:
			return fmt.Errorf("%s: the front of search %s has no setup: the store is damaged", r.st.Path(), id)
		case beside == "" || body.Setup.Baseline.Hash() == beside:
			r.front = body
		case wanted != "":
			return badInput(fmt.Errorf("report: search %s is beside %s, and the report beside %s: want one of them", id, body.Setup.Baseline.Name(), r.baseline.Name()))
		}
	}
	if r.front == nil && from != "" && wanted == "" {
		r.warn("front", fmt.Sprintf("search %s, which the study's pick is from, has no front in %s", from, r.st.Path()), 1)
	}
	if r.front == nil && wanted != "" {
		return badInput(fmt.Errorf("%s has no search %q; lathe front --list lists them", r.st.Path(), wanted))
	}
	if r.front != nil {
		r.baseline, r.known = r.front.Setup.Baseline, true
	}
	return nil
}

// something refuses a store that has nothing to report.
func (r *reportOf) something() error {
	if r.front != nil || r.records != nil || r.study != nil {
		return nil
	}
	nights, err := r.readNights(r.ctx, r.st)
	if err != nil {
		return err
	}
	what := "nothing to report"
	if r.known {
		what = "nothing beside " + r.baseline.Name()
	}
	for _, n := range nights {
		if !r.known || n.Scope.Baseline.Equal(r.baseline) {
			return nil
		}
	}
	return badInput(fmt.Errorf("%s has %s: lathe search, lathe measure or lathe nightly fill it", r.st.Path(), what))
}

func (r *reportOf) warn(where, text string, times int) {
	for i, w := range r.out.Warnings {
		if w.Where == where && w.Text == text {
			r.out.Warnings[i].Times += times
			return
		}
	}
	r.out.Warnings = append(r.out.Warnings, reports.Warning{Where: where, Text: text, Times: times})
}

// missing says which parts are not there, and what makes them.
func (r *reportOf) missing() error {
	base, pick := "BASELINE", "CANDIDATE"
	if r.known { // the name of a file has a hash, and is no path to it
		of := setup{Baseline: r.baseline, BaselinePath: "BASELINE.onnx"}
		base = typed(of.baselineArg(), "BASELINE.onnx")
	}
	if r.front != nil {
		base = typed(r.front.Setup.baselineArg(), "BASELINE.onnx")
		if p := r.front.Pick; p != nil && named(p.Candidate) {
			pick = p.Candidate.Name()
		}
	}
	o := r.out
	for _, m := range []struct {
		missing       bool
		part, command string
	}{
		{o.Front == nil, "front", "lathe search --baseline " + base},
		{len(o.Models) == 0, "Table 1, latency distributions", fmt.Sprintf("lathe measure %s --baseline %s --requests 144", pick, base)},
		{!anyTrained(o.Models), "Table 2", "lathe study study.yaml -o study, then lathe report --study study"},
		{o.Suggestions == nil, "Table 3", "lathe study study.yaml -o study, then lathe report --study study"},
		{len(o.Operators) == 0, "operators", fmt.Sprintf("lathe profile %s --json > profile.json, then lathe report --profile profile.json", pick)},
		{len(o.Fits) == 0, "latency model", "lathe fit --baseline " + base},
		{o.Proxy == nil || len(o.Proxy.Rows) == 0, "proxy evidence", "lathe proxy trained.csv --json > proxy.json, then lathe report --proxy proxy.json"},
		{o.Measurements == nil, "measurements", fmt.Sprintf("lathe measure %s --baseline %s", pick, base)},
		{o.Nights == nil, "nights", fmt.Sprintf("lathe nightly --track %s --baseline %s", pick, base)},
	} {
		if m.missing && !r.isMissing(m.part) {
			o.Missing = append(o.Missing, reports.Missing{Part: m.part, Command: m.command})
		}
	}
	return nil
}

// plainWord is what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// typed is a name to be typed in a command, or what stands for one that a shell, or whoever
// copies it, could take for something else.
func typed(name, instead string) string {
	if plainWord.MatchString(name) {
		return name
	}
	return instead
}

func (r *reportOf) isMissing(part string) bool {
	for _, m := range r.out.Missing {
		if m.Part == part {
			return true
		}
	}
	return false
}

func anyTrained(models []reports.Model) bool {
	for _, m := range models {
		if m.Trained != nil {
			return true
		}
	}
	return false
}
