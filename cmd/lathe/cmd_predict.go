package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lathe/profiler/latmodel"
	"lathe/reports"
)

func (a *app) cmdPredict() *cobra.Command {
	cmd := &cobra.Command{
		Use:         "predict CANDIDATE...",
		Annotations: timing(), // a model is of a host, and huge pages are part of what a host is
		Short:       "Predict PL and TL of candidates that were never timed",
		Long: `Ask the latency model that "lathe fit" or "lathe search" stored. Ratios are to the
baseline; milliseconds are those ratios times the baseline's median when the
model was measured. The interval is conformal, from cross-validated errors; a
candidate outside the measured sizes gets a warning. The model is that of this
machine and of the candidate's build.`,
		Example: `  lathe predict gpt2-l7-d1280-f6016-h16
  lathe predict gpt2-l9-d1024-f5120-h8+int4b32 --json`,
		Args: minArgs(1, "CANDIDATE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cands, err := loadCandidates(args)
			if err != nil {
				return err
			}
			s, err := a.setup()
			if err != nil {
				return err
			}
			var all []latmodel.Prediction
			for _, c := range cands {
				s.Build = c.Build.Normalized()
				m, err := a.model(cmd.Context(), s)
				if err != nil {
					return err
				}
				p, err := m.Predict(c)
				if err != nil {
					return err
				}
				all = append(all, p)
			}
			if a.json {
				return a.printJSON(all)
			}
			for _, p := range all {
				rows := []reports.KeyValue{predicted("PL", p.PL, p.Level), predicted("TL", p.TL, p.Level)}
				if err := reports.KeyValues(a.stdout, reports.Text, reports.KeyValue{Key: p.Candidate, Value: "ratio to baseline", Note: "ms"}, rows); err != nil {
					return err
				}
				for _, w := range p.Warnings {
					fmt.Fprintln(a.stdout, "warning:", w)
				}
			}
			return nil
		},
	}
	fs := cmd.Flags()
	fs.String("baseline", "", "`NAME` or file of the candidate that the model compares with")
	a.bind(fs, "baseline", "baseline")
	return cmd
}

func predicted(name string, e latmodel.Estimate, level float64) reports.KeyValue {
	return reports.KeyValue{
		Key:   name,
		Value: fmt.Sprintf("%.3f (%.3f to %.3f at %.0f %%)", e.Ratio, e.Interval.Low, e.Interval.High, 100*level),
		Note:  fmt.Sprintf("%.2f (%.2f to %.2f)", e.MS, e.IntervalMS.Low, e.IntervalMS.High),
	}
}
