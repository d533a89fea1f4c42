package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
	"lathe/reports"
)

func (a *app) cmdPredict() *cobra.Command {
	var otherHost bool
	cmd := &cobra.Command{
		Use:         "predict CANDIDATE...",
		Annotations: timing(), // a model is of a host, and huge pages are part of what a host is
		Short:       "Predict PL, TL and P95 latency_char of candidates that were never timed",
		Long: `Ask the latency model that "lathe fit" or "lathe search" stored. Ratios are to the
baseline; milliseconds are those ratios times the baseline's median when the
model was measured. The interval is conformal, from cross-validated errors; a
candidate outside the measured sizes gets a warning.

P95 latency_char is over a workload (--workload): the 95 % quantile of its
requests' predicted times, times the baseline's measured tail, where "lathe
measure" has measured requests of the baseline here.

The model is that of this machine and of the candidate's build. Where only other
machines have one, the error names what differs; --other-host takes it all the
same.`,
		Example: `  lathe predict gpt2-l7-d1280-f6016-h16
  lathe predict gpt2-l9-d1024-f5120-h8+int4b32 --json
  lathe predict gpt2-l7-d1280-f6016-h16 --workload typing`,
		Args: minArgs(1, "CANDIDATE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cands, err := loadCandidates(args)
			if err != nil {
				return err
			}
			s, err := a.setup(cmd.Context())
			if err != nil {
				return err
			}
			w, err := a.workload(0)
			if err != nil {
				return err
			}
			var all []prediction
			for _, c := range cands {
				p, err := a.predict(cmd, s, c, w, otherHost)
				if err != nil {
					return err
				}
				all = append(all, p)
			}
			if a.json {
				return a.printJSON(all)
			}
			for _, p := range all {
				if err := a.printPrediction(p); err != nil {
					return err
				}
			}
			return nil
		},
	}
	fs := cmd.Flags()
	fs.String("baseline", "", "`NAME` or file of the candidate, or ONNX file, that the model compares with")
	a.bind(fs, "baseline", "baseline")
	fs.String("workload", "", "what P95 is of: default, typing, or a trace `FILE` (see lathe workload)")
	a.bind(fs, "timing.workload", "workload")
	fs.BoolVar(&otherHost, "other-host", false, "where this machine has no model, take another machine's")
	return cmd
}

// prediction is what predict prints of a candidate.
type prediction struct {
	latmodel.Prediction
	P95 *latmodel.P95 `json:"latency_char_p95"` // null where its workload does not fit into the candidate's positions
}

func (a *app) predict(cmd *cobra.Command, s *setup, c arch.Candidate, w record.Workload, otherHost bool) (prediction, error) {
	s.Build = c.Build.Normalized()
	m, err := a.model(cmd.Context(), s, otherHost)
	if err != nil {
		return prediction{}, err
	}
	p, err := m.Predict(c)
	if err != nil {
		return prediction{}, err
	}
	out := prediction{Prediction: p}
	records, err := a.requestRecords(cmd.Context(), s)
	if err != nil {
		return out, err
	}
	tail, err := m.Tail(records)
	if err != nil {
		return out, err
	}
	p95, err := m.P95(c, w, tail)
	switch {
	case err == nil:
		p95.Warnings = p95.Warnings[len(p.Warnings):] // PL and TL have said the others
		out.P95 = &p95
	case a.cfg.origin("timing.workload") != "default":
		return out, badInput(err) // what was asked for
	default:
		out.Warnings = append(out.Warnings, err.Error())
	}
	return out, nil
}

func (a *app) printPrediction(p prediction) error {
	rows := []reports.KeyValue{predicted("PL", p.PL, p.Level), predicted("TL", p.TL, p.Level)}
	warnings := p.Warnings
	if q := p.P95; q != nil {
		rows = append(rows, predicted("P95 latency_char", q.Estimate, q.Level))
		warnings = append(warnings, q.Warnings...)
	}
	if err := reports.KeyValues(a.stdout, reports.Text, reports.KeyValue{Key: p.Candidate, Value: "ratio to baseline", Note: "ms"}, rows); err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintln(a.stdout, "warning:", w)
	}
	return nil
}

func predicted(name string, e latmodel.Estimate, level float64) reports.KeyValue {
	return reports.KeyValue{
		Key:   name,
		Value: fmt.Sprintf("%.3f (%.3f to %.3f at %.0f %%)", e.Ratio, e.Interval.Low, e.Interval.High, 100*level),
		Note:  fmt.Sprintf("%.2f (%.2f to %.2f)", e.MS, e.IntervalMS.Low, e.IntervalMS.High),
	}
}
