package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"lathe/finetune/eval"
	"lathe/finetune/predictor"
	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/reports"
)

// studyReport is what a study found: study.json.
type studyReport struct {
	Baseline arch.Candidate `json:"baseline"`
	Pick     studyModel     `json:"pick"`
	Passed   bool           `json:"passed"` // its LAMBADA perplexity is good enough
	Outcome  []string       `json:"outcome"`
	Seed     uint64         `json:"seed"`
	Host     record.Host    `json:"host"`
	Time     studyTime      `json:"time"`

	Searches   []*studySearch                    `json:"searches"`
	Models     []studyRow                        `json:"models"` // the baseline first
	Finetuned  map[string]*trainResult           `json:"finetuned"`
	Rules      map[string]*predictor.Calibration `json:"calibrations"`
	DevCases   predictor.CaseStats               `json:"dev_cases"`
	TestCases  predictor.CaseStats               `json:"test_cases"`
	Measures   map[string]predictor.Measures     `json:"measures"`   // on the held-out cases
	Difference predictor.Difference              `json:"difference"` // pick less baseline, on the same cases
	Tail       *studyTail                        `json:"latency_char"`
	Claims     []reports.StudyClaim              `json:"claims"`
	Warnings   []string                          `json:"warnings"`
}

// studyRow is a trained model of a study.
type studyRow struct {
	studyModel
	DecoderParams int64          `json:"decoder_params"`
	TotalParams   int64          `json:"total_params"`
	Training      *trainResult   `json:"training"`
	Eval          *studyEval     `json:"eval"`
	Relative      eval.Ratio     `json:"lambada_ratio"` // of its perplexity to the baseline's
	Passed        bool           `json:"passed"`
	Latency       record.Summary `json:"latency"`
}

func (r *studyReport) model(label string) *studyRow {
	for i := range r.Models {
		if r.Models[i].Label == label {
			return &r.Models[i]
		}
	}
	return nil
}

// first are the picks that were trained, each once.
func (r *studyReport) first(f *studyFound) (picks []studyPick) {
	for _, p := range f.picks {
		if p.As == "" {
			picks = append(picks, p)
		}
	}
	return picks
}

// newReport puts together what the steps found.
func (s *study) newReport(f *studyFound) (*studyReport, error) {
	base, pick := s.models[0], f.pick
	a, b := f.completed[base.Label], f.completed[pick.Label]
	r := &studyReport{
		Baseline: s.baseline, Pick: pick, Passed: f.passed[pick.Label], Seed: s.a.cfg.Seed, Host: s.a.host(s.baseline.Build), Searches: f.searches,
		Finetuned: f.tuned, Rules: f.rules, DevCases: f.cases.DevStats, TestCases: f.cases.TestStats,
		Measures:   map[string]predictor.Measures{base.Label: a.Measures, pick.Label: b.Measures},
		Difference: predictor.Compare(b.Judged, a.Judged, s.chance(measuresStream)), Tail: tailOf(f.requests, s.a.cfg.Seed), Warnings: []string{},
	}
	for i, m := range s.models {
		row := studyRow{
			studyModel: m, DecoderParams: m.Candidate.Spec.DecoderParams(), TotalParams: m.Candidate.Spec.TotalParams(),
			Training: f.trained[m.Label], Eval: f.evals[m.Label], Passed: f.passed[m.Label], Latency: f.latency.Baseline,
		}
		row.Relative.Value = 1
		if i > 0 {
			row.Latency = f.latency.Results[i-1]
			row.Relative, _ = eval.AgainstWords(row.Eval.WordNats, f.evals[base.Label].WordNats, s.a.cfg.Seed)
		}
		r.Models = append(r.Models, row)
	}
	r.Claims = s.claims(f, r)
	r.Outcome = s.outcome(f, r)
	warn := func(what string, list []string) {
		for _, w := range list {
			r.Warnings = append(r.Warnings, what+": "+w)
		}
	}
	warn("timing of models", f.latency.Baseline.Warnings)
	warn("timing of requests", record.Summarize(*f.requests, record.Options{}).Warnings)
	for _, m := range []studyModel{base, pick} {
		warn("calibration of "+m.Label, f.rules[m.Label].Warnings)
		done := f.completed[m.Label]
		warn("suggestions of "+m.Label, done.Warnings)
		if done.Cut > 0 {
			warn("held-out sentences", []string{cutText(m.Label, done.Cut)})
		}
	}
	var err error
	r.Time, err = s.time()
	return r, err
}

// outcome says what came of the study.
func (s *study) outcome(f *studyFound, r *studyReport) (lines []string) {
	name := f.pick.Label + ", " + f.pick.Candidate.Name()
	if r.Passed {
		lines = append(lines, fmt.Sprintf("The pick is %s: in round %d it has a LAMBADA perplexity of %s, the baseline %s of %s.", name, len(f.searches),
			figure3(f.evals[f.pick.Label].Lambada.Perplexity), s.baseline.Name(), figure3(f.evals[baselineLabel].Lambada.Perplexity)))
	} else {
		lines = append(lines, fmt.Sprintf("No pick of %s has a LAMBADA perplexity as good as the baseline's, %s at most. The study went on with the best one, %s, of %s.",
			reports.Count(len(f.searches), "round"), figure3(s.bound(f)), name, figure3(f.evals[f.pick.Label].Lambada.Perplexity)))
	}
	d := r.Difference
	line := fmt.Sprintf("On held-out sentences, its suggestions have %s accepted and %s extra beside the baseline's", differenceText(d.ASC), differenceText(d.AEC))
	if t := r.Tail; t != nil {
		line += ", and its P95 latency_char changes by " + percentText(t.Ratio, t.RatioCI)
	}
	return append(lines, line+".")
}

// studyTime is what all steps took, in whatever number of runs. CPU times are of the runs
// that ended them.
type studyTime struct {
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_s"`
	Others  float64 `json:"others_cpu_s"` // of everything else on the machine meanwhile
}

func (s *study) time() (sum studyTime, err error) {
	files, err := filepath.Glob(filepath.Join(s.dir, "steps", "*.json"))
	if err != nil {
		return sum, err
	}
	for _, path := range files {
		f, err := s.kept(strings.TrimSuffix(filepath.Base(path), ".json"))
		if err != nil {
			return sum, err
		}
		var own struct {
			Seconds float64 `json:"seconds"` // of a training, all its runs
		}
		_ = json.Unmarshal(f.Result, &own) // other results have none
		sum.Seconds += max(f.Seconds, own.Seconds)
		sum.CPU, sum.Others = sum.CPU+f.CPU, sum.Others+f.Others
	}
	return sum, nil
}

// report writes study.md, study.json and the figures, and prints one of them.
func (s *study) report(f *studyFound) error {
	r, err := s.newReport(f)
	if err != nil {
		return err
	}
	d, err := s.reportData(f, r)
	if err != nil {
		return err
	}
	md := filepath.Join(s.dir, "study.md")
	if err := s.writeJSON(filepath.Join(s.dir, "study.json"), r); err != nil {
		return err
	}
	if err := create(md, func(w io.Writer) error { return reports.StudyMarkdown(w, *d) }); err != nil {
		return err
	}
	if s.a.json {
		return s.a.printJSON(r)
	}
	data, err := os.ReadFile(md)
	if err != nil {
		return err
	}
	if _, err := s.a.stdout.Write(data); err != nil {
		return err
	}
	s.a.note("written to %s, with study.json and the figures", md)
	return nil
}

// reportData is the report as it is printed.
func (s *study) reportData(f *studyFound, r *studyReport) (*reports.StudyData, error) {
	base, pick := r.Measures[baselineLabel], r.Measures[f.pick.Label]
	d := &reports.StudyData{
		Title: "A study of " + s.baseline.Name(), Outcome: r.Outcome, Claims: r.Claims, Warnings: r.Warnings,
		Conditions: []reports.KeyValue{
			{Key: "machine", Value: fmt.Sprintf("%s, %d cores; ONNX Runtime %s", cmp.Or(r.Host.CPUModel, r.Host.Arch), r.Host.Cores, s.a.library.Version)},
			{Key: "time of all steps", Value: fmt.Sprintf("%s, in which this process had %s of CPU time and all others %s", took(r.Time.Seconds), took(r.Time.CPU), took(r.Time.Others))},
			{Key: "seed", Value: fmt.Sprint(r.Seed)},
			{Key: "text", Value: strings.Join(s.a.cfg.Study.Text, ", ")},
			{Key: "training of each model", Value: fmt.Sprintf("%d steps, %.3g tokens", r.Models[0].Training.Steps, float64(r.Models[0].Training.Tokens))},
			{Key: "task", Value: strings.Join(s.a.cfg.Study.Task, ", ")},
			{Key: "LAMBADA", Value: reports.Count(r.Models[0].Eval.Lambada.Passages, "passage")},
			{Key: "perplexity of the text", Value: fmt.Sprintf("%s of its test part, %d tokens scored", reports.Count(r.Models[0].Eval.Perplexity.Documents, "document"), r.Models[0].Eval.Perplexity.Tokens)},
			{Key: "sentences to complete", Value: fmt.Sprintf("%d to calibrate on, %d held out", len(f.cases.Dev), len(f.cases.Test))},
		},
	}
	for i, x := range f.searches {
		d.Rounds = append(d.Rounds, s.roundText(f, i, x))
	}
	for i, m := range r.Models {
		row := reports.StudyModel{
			Name: m.Label, Spec: m.Candidate.Spec, Summary: m.Latency, Passes: m.Passed,
			Text:    reports.Measure{Value: &m.Eval.Perplexity.Perplexity, CI: m.Eval.Perplexity.PerplexityCI},
			Lambada: reports.Measure{Value: &m.Eval.Lambada.Perplexity, CI: m.Eval.Lambada.PerplexityCI}, Accuracy: reports.Measure{Value: &m.Eval.Lambada.Accuracy, CI: m.Eval.Lambada.AccuracyCI},
		}
		if i > 0 {
			row.Relative = reports.Measure{Value: &m.Relative.Value, CI: m.Relative.CI}
		}
		d.Models = append(d.Models, row)
	}
	for _, label := range []string{baselineLabel, f.pick.Label} {
		t := f.tuned[label]
		d.Finetuned = append(d.Finetuned, fmt.Sprintf("%s: finetuned for %d steps, loss on the task's development part %s; thresholds: %s; %s.", label, t.Steps, lossText(t.DevLoss),
			reports.Threshold("show", f.rules[label].Rule.Show, f.rules[label].ShowCI, string(f.rules[label].Rule.Scoring)), reports.Threshold("stop", f.rules[label].Rule.Stop, f.rules[label].StopCI, string(f.rules[label].Rule.Scoring))))
	}
	d.StudySuggestions = reports.StudySuggestions{
		Pick: f.pick.Label, Baseline: measuresRow(baselineLabel, base), Own: measuresRow(f.pick.Label, pick),
		Difference: differenceRow(r.Difference),
	}
	if t := r.Tail; t != nil {
		d.Tail, d.OwnTail = reports.Measure{Value: &t.Baseline, CI: t.BaselineCI}, reports.Measure{Value: &t.Pick, CI: t.PickCI}
		d.TailChange = reports.Measure{Value: &t.Ratio, CI: t.RatioCI}
		d.Remarks = append(d.Remarks, fmt.Sprintf("P95 latency_char is of %d requests that were timed on both sides, next to each other; the baseline shows something in %d of them, %s in %d.", t.Requests, t.Shown, f.pick.Label, t.OwnShown))
		if t.Both != nil {
			d.Remarks = append(d.Remarks, fmt.Sprintf("Over the %d requests in which both do, the ratio of P95 is %s.", t.Both.N, percentText(t.Both.Value, t.Both.CI)))
		}
	}
	d.Exact = exactRows([]string{baselineLabel, f.pick.Label}, []predictor.Measures{base, pick})
	var err error
	d.Figure1, d.Figure3, err = s.figures(f)
	return d, err
}

// roundText says what a round of the search did.
func (s *study) roundText(f *studyFound, i int, x *studySearch) string {
	text := fmt.Sprintf("Round %d, by %s", x.Round, x.Method)
	if len(x.Constraints) > 0 {
		text += " with " + strings.Join(x.Constraints, " and ")
	}
	text += fmt.Sprintf(": a front of %d, of %d evaluated and %.0f in the space", x.Front, x.Evaluations, x.Points)
	for _, m := range x.Models {
		text += fmt.Sprintf("; latency by a model of %d candidates, cross-validated error of prompts %.1f %%, of tokens %.1f %%", m.Candidates, 100*m.PL, 100*m.TL)
	}
	passed, tried := 0, 0
	for _, p := range x.Picks {
		as := ""
		if p.As != "" {
			as = ", which is " + p.As + " again"
		}
		text += fmt.Sprintf(". %s is %s%s, predicted at %.3f of the baseline's latency", p.Name, p.Candidate.Name(), as, p.Latency)
		for _, m := range p.Models {
			if ok, trained := f.passed[m.Label]; trained {
				tried++
				if ok {
					passed++
				}
			}
		}
		for _, why := range p.Skipped {
			text += "; left out: " + why
		}
	}
	switch {
	case len(x.Picks) == 0:
		text += ". " + cmp.Or(x.NoPick, "There is no pick")
	case tried > 0:
		text += fmt.Sprintf(". Of its %s trained, %d pass", reports.Count(tried, "model"), passed)
		if passed == 0 && i+1 < len(f.searches) {
			text += ": back to the search"
		}
	}
	return text + "."
}

// figures draws Figures 1 and 3 of the search that the pick is from.
func (s *study) figures(f *studyFound) (figure1, figure3 string, err error) {
	from := f.searches[0]
	for _, x := range f.searches {
		for _, p := range x.Picks {
			for _, m := range p.Models {
				if m.Label == f.pick.Label {
					from = x
				}
			}
		}
	}
	b, err := s.a.loadFront(s.ctx, from.Search)
	if err != nil {
		return "", "", err
	}
	if err := s.a.plotFront(filepath.Join(s.dir, "figure1"), b); err != nil {
		return "", "", err
	}
	for _, format := range []reports.Format{reports.SVG, reports.PNG} {
		if err := plotShapes(filepath.Join(s.dir, "figure3."+string(format)), b); err != nil {
			return "", "", err
		}
	}
	return "figure1.svg", "figure3.svg", nil
}

func differenceRow(d predictor.Difference) reports.MeasuresRow {
	return reports.MeasuresRow{TriggerRate: reports.Measure(d.TriggerRate), ASC: reports.Measure(d.ASC), AEC: reports.Measure(d.AEC), Saving: reports.Measure(d.Saving)}
}
