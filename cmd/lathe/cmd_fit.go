package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lathe/profiler/latmodel"
	"lathe/reports"
)

func (a *app) cmdFit() *cobra.Command {
	cmd := &cobra.Command{
		Use:         "fit",
		Annotations: timing(),
		Short:       "Fit the latency model to measured candidates, and print its error",
		Long: `Measure --samples random candidates of the space, those that the store does not
have yet, and fit the latency model: relative PL and TL as a sum of physical
terms (bytes read, FLOPs, operators launched, ...) with weights that are never
negative. The error printed is cross-validated: each candidate is predicted by a
model that has not seen it. Beside it stands that of a model that knows decoder
parameters only.`,
		Example: `  lathe fit
  lathe fit --build +int4b32 --baseline gpt2-l12-d1024-f4096-h16+int4b32 --samples 32
  lathe fit --samples 0        # only what is stored`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.applySpaceFlags(); err != nil {
				return err
			}
			s, err := a.setup()
			if err != nil {
				return err
			}
			p, err := s.problem()
			if err != nil {
				return err
			}
			if n := min(s.Samples, p.Space.Count()); n > 0 && n < latmodel.MinCandidates {
				return badInput(fmt.Errorf("fit: %d samples; a model takes %d candidates or more (--samples 0 fits what is stored)", n, latmodel.MinCandidates))
			}
			st, err := a.project(cmd.Context())
			if err != nil {
				return err
			}
			unlock, err := st.LockSearch() // what is timed here must be alone on the machine
			if err != nil {
				return err
			}
			defer unlock()
			a.noteBuilds(s.Baseline, s.Build)
			sm, err := a.newSampler(cmd.Context(), s, s.samplePlan())
			if err != nil {
				return err
			}
			defer sm.close()
			if _, err := a.sample(cmd.Context(), s, p, sm); err != nil {
				return err
			}
			m, err := a.fit(cmd.Context(), s)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(m)
			}
			return a.printFit(m)
		},
	}
	a.setupFlags(cmd.Flags())
	return cmd
}

func fitRow(name string, n int, acc latmodel.Accuracy) reports.FitRow {
	return reports.FitRow{
		Target: name, N: n, MAPE: acc.MAPE, Max: acc.MaxError, Within10: acc.Within10, Spearman: acc.Spearman,
	}
}

// printFit writes a model's cross-validated error and its terms.
func (a *app) printFit(m *latmodel.Model) error {
	var rows []reports.FitRow
	for _, t := range []latmodel.Target{latmodel.PL, latmodel.TL} {
		cv := m.CV(t)
		rows = append(rows, fitRow(string(t), cv.Candidates, cv.Model))
		rows = append(rows, fitRow(string(t)+" by decoder_params alone", cv.Candidates, cv.Naive))
	}
	pl, tl := baselineMS(m)
	fmt.Fprintf(a.stdout, "Latency model of build %q beside %s: %d candidates, PL of %d tokens (baseline %.1f ms), TL with %d in the cache (baseline %.2f ms)\n\n",
		orText(m.Build.Name(), "fused, fp32"), m.Baseline.Name(), m.Candidates, m.Point.Prompt, pl, m.Point.Cache, tl)
	if err := reports.FitTable(a.stdout, reports.Text, rows); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	var terms []reports.KeyValue
	for _, t := range m.Terms() {
		if t.Weight > 0 {
			terms = append(terms, reports.KeyValue{
				Key: string(t.Target) + " " + t.Feature, Value: fmt.Sprintf("%.1f %%", 100*t.ShareOfBaseline), Note: fmt.Sprintf("%.2f ms: %s", t.MS, t.Doc),
			})
		}
	}
	if err := reports.KeyValues(a.stdout, reports.Text, reports.KeyValue{Key: "term", Value: "of the baseline", Note: "what it is"}, terms); err != nil {
		return err
	}
	for _, w := range m.Warnings {
		fmt.Fprintln(a.stdout, "warning:", w)
	}
	return nil
}
