package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"lathe/graphgen/hf"
	"lathe/profiler/operators"
	"lathe/profiler/record"
	"lathe/reports"
	"lathe/search/proxy"
)

// readResult reads what a command printed as JSON, or wrote. Its errors name the file and
// the place.
func readResult(path, command string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return badInput(fmt.Errorf("report: %w", err))
	}
	if err := json.Unmarshal(data, into); err != nil {
		line := hf.LineOf(data, err)
		if kind, is := errors.AsType[*json.UnmarshalTypeError](err); is { // its text has Go's types
			article := "a"
			if kind.Value == "array" || kind.Value == "object" {
				article = "an"
			}
			err = fmt.Errorf("%s is %s %s, which it must not be", cmp.Or(kind.Field, "the file"), article, kind.Value)
		}
		return badInput(fmt.Errorf("report: %s: %w%s: want what %s", path, err, line, command))
	}
	return nil
}

func wrongResult(path, what, command string) error {
	return badInput(fmt.Errorf("report: %s: %s: want what %s", path, what, command))
}

// readStudy reads the study that is given.
func (r *reportOf) readStudy() error {
	if r.flags.study == "" {
		return nil
	}
	const wrote = "lathe study wrote"
	path := filepath.Join(r.flags.study, "study.json")
	s := new(studyReport)
	if err := readResult(path, wrote, s); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return badInput(fmt.Errorf("report: %s has no study.json: lathe study CONFIG.yaml -o %s makes it when all its steps are done", r.flags.study, r.flags.study))
		}
		return err
	}
	if len(s.Models) == 0 || s.Models[0].Label != baselineLabel {
		return wrongResult(path, "models has no baseline at its head", wrote)
	}
	if s.model(s.Pick.Label) == nil {
		return wrongResult(path, fmt.Sprintf("pick is %q, which is none of models", s.Pick.Label), wrote)
	}
	for _, m := range s.Models {
		if err := m.Candidate.Validate(); err != nil {
			return wrongResult(path, fmt.Sprintf("models: %s: %v", m.Label, err), wrote)
		}
	}
	for _, label := range []string{baselineLabel, s.Pick.Label} {
		if _, has := s.Measures[label]; !has {
			return wrongResult(path, fmt.Sprintf("measures has no %q", label), wrote)
		}
	}
	r.study = s
	return nil
}

// searchOfPick is the ID of the search that a study's pick is from, "" where that is not
// known.
func (r *studyReport) searchOfPick() string {
	if r == nil {
		return ""
	}
	for _, x := range r.Searches {
		for _, p := range x.Picks {
			if slices.ContainsFunc(p.Models, func(m studyModel) bool { return m.Label == r.Pick.Label }) {
				return x.Search
			}
		}
	}
	return ""
}

// operators are those of the profiles that are given.
func (r *reportOf) operators() error {
	const printed = "lathe profile --json printed"
	for _, p := range r.flags.given {
		r.addProfile(p)
	}
	for _, path := range r.flags.profiles {
		var p profiled
		if err := readResult(path, printed, &p); err != nil {
			return err
		}
		if p.Candidate == "" || len(p.Phases) == 0 {
			return wrongResult(path, "no candidate with phases", printed)
		}
		for i, phase := range p.Phases {
			if (phase.Phase != operators.Prefill && phase.Phase != operators.Decode) || !(phase.RunMS > 0) || len(phase.Operators) == 0 {
				return wrongResult(path, fmt.Sprintf("phases[%d] is no prefill or decode with operators and a time", i), printed)
			}
		}
		r.addProfile(&p)
		r.sameMachine(path, p.Host)
	}
	return nil
}

func (r *reportOf) addProfile(p *profiled) {
	for _, phase := range p.Phases {
		r.out.Operators = append(r.out.Operators, reports.Operators{
			Candidate: p.Candidate, Phase: phaseTitle(phase), RunMS: phase.RunMS, DispatchMS: phase.DispatchMS, Attained: phase.AttainedShare,
			ByOperator: operatorTimes(phase.Operators), ByLayer: operatorTimes(phase.Layers),
		})
		for _, w := range phase.Warnings {
			r.warn("profile of "+p.Candidate, w, 1)
		}
	}
}

func operatorTimes(rows []operators.Row) (out []reports.OperatorTime) {
	for _, r := range rows {
		out = append(out, reports.OperatorTime{Name: r.Name, Kernels: r.Calls, MS: r.MS, LimitMS: r.LimitMS, Share: r.Share})
	}
	return out
}

// sameMachine warns of a file that another machine made than the measurements are of.
func (r *reportOf) sameMachine(path string, h record.Host) {
	if r.records == nil {
		return
	}
	here := r.records.host
	h.HugePages, here.HugePages = false, false
	if machineOf(h) != machineOf(here) {
		r.warn(filepath.Base(path), fmt.Sprintf("it is of %s, and the measurements are of %s", hostText(h), hostText(here)), 1)
	}
}

func hostText(h record.Host) string {
	return fmt.Sprintf("%s, %s, ONNX Runtime %s, kernel %s", cmp.Or(h.CPUModel, h.Arch, "an unknown machine"), reports.Count(h.Cores, "core"), cmp.Or(h.LibraryVersion, "unknown"), cmp.Or(h.Kernel, "unknown"))
}

// proxyPart is what speaks for the proxy: what --proxy has, or what it says of itself.
func (r *reportOf) proxyPart() error {
	if r.flags.proxy == "" {
		r.proxyItself()
		return nil
	}
	const printed = "lathe proxy --json printed"
	var file struct {
		Proxies []proxy.Evidence `json:"proxies"`
	}
	if err := readResult(r.flags.proxy, printed, &file); err != nil {
		return err
	}
	if len(file.Proxies) == 0 {
		return wrongResult(r.flags.proxy, "proxies is empty", printed)
	}
	out := &reports.Proxy{Name: file.Proxies[0].Proxy}
	if r.front != nil {
		out.Name = r.front.Proxy
	}
	for i, e := range file.Proxies {
		if e.Proxy == "" || e.Method == "" {
			return wrongResult(r.flags.proxy, fmt.Sprintf("proxies[%d] has no proxy or no method", i), printed)
		}
		if e.Table == "" || e.Trained < 1 {
			return wrongResult(r.flags.proxy, fmt.Sprintf("proxies[%d] has no table of trained architectures", i), printed)
		}
		for _, f := range []struct {
			name string
			of   proxy.Figure
		}{{"spearman", e.Spearman}, {"kendall_tau_b", e.KendallTau}, {"top_10_percent", e.Top10}} {
			if f.of == (proxy.Figure{}) { // null is NaN, and no interval is one without ends
				return wrongResult(r.flags.proxy, fmt.Sprintf("proxies[%d] has no %s", i, f.name), printed)
			}
		}
		row := reports.ProxyRank{Name: e.Proxy, Spearman: proxyMeasure(e.Spearman), Kendall: proxyMeasure(e.KendallTau), Top: proxyMeasure(e.Top10), Coverage: e.Coverage}
		if e.Gain != nil {
			row.Gain = proxyMeasure(*e.Gain)
		}
		out.Rows = append(out.Rows, row)
		if d := proxyPlotData(e); len(d.Points) > 0 {
			out.Plots = append(out.Plots, reports.ProxyScores{Name: e.Proxy, ScoreLabel: d.ScoreLabel, QualityLabel: d.QualityLabel, LogScore: d.LogScore, LogValue: d.LogValue, Points: d.Points})
		}
		for _, w := range e.Warnings {
			r.warn("proxy", w, 1)
		}
	}
	e := file.Proxies[0]
	out.Remark = fmt.Sprintf("%d trained architectures of %s, ranked by %s; held out: %s.", e.Trained, e.Table, e.Quality, e.Method)
	if !slices.ContainsFunc(file.Proxies, func(e proxy.Evidence) bool { return e.Proxy == out.Name }) {
		r.warn("proxy", fmt.Sprintf("the search ranks by %s, of which %s says nothing", out.Name, r.flags.proxy), 1)
	}
	r.out.Proxy = out
	return nil
}

func proxyMeasure(f proxy.Figure) reports.Measure {
	m := reports.Measure{Value: orNil(f.Value)}
	if m.Value != nil && f.CI.Finite() {
		m.CI = &f.CI
	}
	return m
}

// proxyItself repeats what the search's proxy says of its validation.
func (r *reportOf) proxyItself() {
	b := r.front
	if b == nil {
		return
	}
	out := &reports.Proxy{Name: b.Proxy}
	switch s := b.Setup; {
	case s.Training != nil:
		out.Remark = "quality is by training, and by no proxy: each candidate by " + s.Training.String()
	default:
		e, err := s.evidence()
		if err != nil {
			r.warn("proxy", err.Error(), 1)
			out.Remark = b.Proxy + ": what it says of its validation cannot be had: " + err.Error()
			break
		}
		out.Remark = e.String()
		for _, w := range e.Warnings {
			r.warn("proxy", w, 1)
		}
	}
	r.out.Proxy = out
}
