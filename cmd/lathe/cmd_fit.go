package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
	"lathe/reports"
	"lathe/search"
)

func (a *app) cmdFit() *cobra.Command {
	var plot string
	var heldOut int
	fit := &cobra.Command{
		Use:         "fit",
		Annotations: timing(),
		Short:       "Fit the latency model to measured candidates, and print its error",
		Long: `Measure --samples random candidates of the space, those that the store does not
have yet, and fit the latency model: relative PL and TL as a sum of physical
terms (bytes read, FLOPs, operators launched, ...) with weights that are never
negative, times a factor by a Gaussian process over sizes where the evidence is
for one.

The errors printed are cross-validated: each candidate is predicted by a model
that has not seen it. Beside the model stand its least squares alone, a model that
knows decoder parameters only, and the error of the measurement itself, from
candidates that were measured in several sessions: a perfect model would show
about as much. "in interval" is the share of candidates in their intervals of 90 %.

With --held-out N, N more random candidates are measured and never fitted: the
same figures for those. --plot draws predicted against measured.

A model is of one build; of --builds each gets samples and a model of its own. lathe
search --builds --samples 0 then starts from what is stored and measures nothing.`,
		Example: `  lathe fit
  lathe fit --build +int4b32 --baseline gpt2-l12-d1024-f4096-h16+int4b32 --samples 30 --held-out 60
  lathe fit --builds "precision=fp32,int8;threads=1,2"
  lathe fit --samples 0 --plot fit.svg        # only what is stored`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.applySpaceFlags(); err != nil {
				return err
			}
			if _, err := plotFormat(plot); err != nil {
				return badInput(err)
			}
			if heldOut < 0 {
				return badInput(fmt.Errorf("fit: %d held-out candidates; it is 0 or more", heldOut))
			}
			s, err := a.setup(cmd.Context())
			if err != nil {
				return err
			}
			var reports []*fitReport
			for _, one := range s.perBuild() { // a model is of one
				p, err := one.problem()
				if err != nil {
					return err
				}
				samples, err := one.samplePoints(p.Space)
				if err != nil {
					return badInput(err)
				}
				if n := len(samples); n > 0 && n < latmodel.MinCandidates {
					return badInput(fmt.Errorf("fit: %d samples; a model takes %d candidates or more (--samples 0 fits what is stored)", n, latmodel.MinCandidates))
				}
				r, err := a.fitReport(cmd.Context(), one, p, heldOut)
				if err != nil {
					return err
				}
				if plot != "" {
					path := plot
					if len(s.Builds) > 0 {
						ending := filepath.Ext(plot)
						path = strings.TrimSuffix(plot, ending) + cmp.Or(one.Build.Name(), "+default") + ending
					}
					if err := plotFit(path, r); err != nil {
						return err
					}
				}
				reports = append(reports, r)
			}
			return a.printFits(reports, len(s.Builds) > 0)
		},
	}
	fs := fit.Flags()
	a.setupFlags(fs)
	a.buildsFlag(fs)
	fs.IntVar(&heldOut, "held-out", 0, "random candidates measured for the model's error alone, never fitted")
	fs.StringVar(&plot, "plot", "", "draw predicted against measured to `FILE`, which ends in .svg or .png; with --builds the build's name goes before the ending")
	return fit
}

// printFits writes reports, of --builds a list of them.
func (a *app) printFits(reports []*fitReport, several bool) error {
	switch {
	case a.json && several:
		return a.printJSON(reports)
	case a.json:
		return a.printJSON(reports[0])
	}
	for i, r := range reports {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		if err := a.printFit(r); err != nil {
			return err
		}
	}
	return nil
}

// fitReport is a model and what is known of its error.
type fitReport struct {
	Model   *latmodel.Model    `json:"model"`
	HeldOut *latmodel.Check    `json:"held_out"`         // null where no candidate was held out
	P95     *latmodel.P95Check `json:"latency_char_p95"` // null where no candidate's requests were measured
	tail    latmodel.Tail
}

// fitReport measures what is missing, fits and checks.
func (a *app) fitReport(ctx context.Context, s *setup, p *search.Problem, heldOut int) (*fitReport, error) {
	held, err := s.heldOutPoints(p.Space, heldOut)
	if err != nil {
		return nil, badInput(fmt.Errorf("fit: %w", err))
	}
	st, err := a.project(ctx)
	if err != nil {
		return nil, err
	}
	unlock, err := st.LockSearch() // what is timed here must be alone on the machine
	if err != nil {
		return nil, err
	}
	defer unlock()
	a.noteBuilds(s.Baseline, record.Of(arch.Candidate{Build: s.Build}))
	sm, err := a.newSampler(ctx, s, s.samplePlan())
	if err != nil {
		return nil, err
	}
	defer sm.close()
	if _, err := a.sample(ctx, s, sm); err != nil {
		return nil, err
	}
	var without []arch.Candidate
	for _, pt := range held {
		without = append(without, p.Candidate(pt))
	}
	if _, err := a.measureAll(ctx, s, sm, without); err != nil {
		return nil, err
	}
	m, rest, err := a.fitWithout(ctx, s, without, true)
	if err != nil {
		return nil, err
	}
	r := &fitReport{Model: m}
	if len(held) > 0 {
		if r.HeldOut, err = m.Check(rest); err != nil {
			return nil, err
		}
	}
	requests, err := a.requestRecords(ctx, s)
	if err != nil {
		return nil, err
	}
	if r.tail, err = m.Tail(requests); err != nil {
		return nil, err
	}
	r.P95 = m.CheckP95(requests, r.tail)
	return r, nil
}

func fitRow(name string, n int, acc latmodel.Accuracy) reports.FitRow {
	return reports.FitRow{
		Name: name, N: n, MAPE: acc.MAPE, Max: acc.MaxError, Within5: acc.Within5, Within10: acc.Within10, Spearman: acc.Spearman, Coverage: acc.Coverage,
	}
}

// fitRows are one target's lines of a table of errors.
func fitRows(t latmodel.Target, n int, model, leastSquares, naive latmodel.Accuracy, noise *latmodel.Noise) []reports.FitRow {
	rows := []reports.FitRow{
		fitRow(string(t), n, model), fitRow(string(t)+" by least squares alone", n, leastSquares), fitRow(string(t)+" by decoder_params alone", n, naive),
	}
	if noise != nil {
		nan := math.NaN()
		rows = append(rows, reports.FitRow{
			Name: string(t) + ": the measurement itself", N: noise.Candidates, MAPE: noise.MAPE,
			Max: nan, Within5: nan, Within10: nan, Spearman: nan, Coverage: nan,
		})
	}
	return rows
}

// printFit writes a model's errors and its terms.
func (a *app) printFit(r *fitReport) error {
	m := r.Model
	var rows, held []reports.FitRow
	for _, t := range []latmodel.Target{latmodel.PL, latmodel.TL} {
		cv := m.CV(t)
		rows = append(rows, fitRows(t, cv.Candidates, cv.Model, cv.LeastSquares, cv.Naive, m.Noise(t))...)
		if r.HeldOut != nil {
			c := r.HeldOut.Of(t)
			held = append(held, fitRows(t, r.HeldOut.Candidates, c.Model, c.LeastSquares, c.Naive, c.Noise)...)
		}
	}
	pl, tl := baselineMS(m)
	fmt.Fprintf(a.stdout, "Latency model of build %q beside %s: %d candidates, PL of %d tokens (baseline %.1f ms), TL with %d in the cache (baseline %.2f ms)\n\n",
		cmp.Or(m.Build.Name(), "fused, fp32"), m.Baseline.Name(), m.Candidates, m.Point.Prompt, pl, m.Point.Cache, tl)
	if err := reports.FitTable(a.stdout, reports.Text, "cross-validated", rows); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	if r.HeldOut != nil {
		if err := reports.FitTable(a.stdout, reports.Text, "never fitted", held); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout)
	}
	if p := r.P95; p != nil {
		fmt.Fprintf(a.stdout, "P95 latency_char of %d candidates whose requests were measured: mean error %.1f %%, of the ratio to the baseline's %.1f %% (tail factor %.2f, from %d requests)\n\n",
			len(p.Points), 100*p.MAPE, 100*p.RatioMAPE, r.tail.Factor, r.tail.Requests)
	}
	if _, known := m.Baseline.Spec(); !known {
		fmt.Fprintf(a.stdout, "%s was not recognised as a model: what the terms take of it is not known (--json has them)\n", m.Baseline.Name())
	} else if err := a.printTerms(m); err != nil {
		return err
	}
	for _, w := range m.Warnings {
		fmt.Fprintln(a.stdout, "warning:", w)
	}
	return nil
}

// printTerms writes what a model's terms take of the baseline.
func (a *app) printTerms(m *latmodel.Model) error {
	var terms []reports.KeyValue
	for _, t := range m.Terms() {
		if t.Weight > 0 {
			terms = append(terms, reports.KeyValue{
				Key: string(t.Target) + " " + t.Feature, Value: fmt.Sprintf("%.1f %%", 100*t.ShareOfBaseline), Note: fmt.Sprintf("%.2f ms: %s", t.MS, t.Doc),
			})
		}
	}
	return reports.KeyValues(a.stdout, reports.Text, reports.KeyValue{Key: "term", Value: "of the baseline", Note: "what it is"}, terms)
}

// plotFormat is the format that a plot's name asks for; "" is of no plot.
func plotFormat(path string) (reports.Format, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); {
	case path == "":
		return "", nil
	case ext == ".svg":
		return reports.SVG, nil
	case ext == ".png":
		return reports.PNG, nil
	}
	return "", fmt.Errorf("--plot %s: want a name that ends in .svg or .png", path)
}

// plotFit draws predicted against measured.
func plotFit(path string, r *fitReport) error {
	format, err := plotFormat(path)
	if err != nil {
		return err
	}
	data := reports.FitPlotData{Title: fmt.Sprintf("Latency model of %s, %d candidates", cmp.Or(r.Model.Build.Name(), "fused, fp32"), r.Model.Candidates)}
	for _, t := range []latmodel.Target{latmodel.PL, latmodel.TL} {
		name := strings.ToUpper(string(t))
		data.Series = append(data.Series, heldOutSeries(t, r.Model.HeldOut(t)))
		if r.HeldOut != nil {
			data.Series = append(data.Series, reports.FitSeries{Name: name + ", never fitted", Points: fitPoints(r.HeldOut.Of(t).HeldOut), Hollow: true})
		}
	}
	var out bytes.Buffer
	if err := reports.FitPlot(&out, format, data); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// heldOutSeries is a target's cross-validation as a plot has it.
func heldOutSeries(t latmodel.Target, held []latmodel.HeldOut) reports.FitSeries {
	return reports.FitSeries{Name: strings.ToUpper(string(t)) + ", cross-validated", Points: fitPoints(held)}
}

func fitPoints(held []latmodel.HeldOut) (out []reports.FitPoint) {
	for _, h := range held {
		out = append(out, reports.FitPoint{Measured: h.Measured, Predicted: h.Predicted})
	}
	return out
}
