package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lathe/profiler/nightly"
	"lathe/profiler/store"
	"lathe/reports"
)

// historyOfScope is the nights of one machine, baseline and workload.
type historyOfScope struct {
	Machine string        `json:"machine"` // first digits
	Scope   nightly.Scope `json:"scope"`
	Nights  int           `json:"nights"`
	Rows    []nightly.Row `json:"rows"`
}

func (a *app) cmdNightlyHistory() *cobra.Command {
	var asCSV bool
	var plot, machine string
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show the nights so far, of each machine apart, and where their level changed",
		Long: `Print every night's ratio to the baseline, of each thing and metric, and draw it. Nights of
other machines, baselines or workloads stand apart and are never mixed. They are in the order
in which they were stored, whatever the clock said.

A change of level is marked where cutting the series there explains more than a penalty does
that series without a change pass once in a hundred.`,
		Example: `  lathe nightly history
  lathe nightly history --plot trend
  lathe nightly history --machine 3f2a --csv > nights.csv`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asCSV && a.json {
				return badInput(fmt.Errorf("nightly history: --csv and --json: want one of them"))
			}
			all, err := a.nightHistory(cmd.Context(), machine)
			if err != nil {
				return err
			}
			if plot != "" {
				if err := plotHistory(plot, all); err != nil {
					return err
				}
			}
			switch {
			case asCSV:
				return writeHistory(a.stdout, all)
			case a.json:
				return a.printJSON(struct {
					Histories []historyOfScope `json:"histories"`
				}{all})
			}
			for i, h := range all {
				if i > 0 {
					fmt.Fprintln(a.stdout)
				}
				if err := reports.NightHistory(a.stdout, reports.Text, h.Scope, h.Rows); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print as CSV")
	cmd.Flags().StringVar(&plot, "plot", "", "draw each thing's trend to files whose names begin with `NAME`, as SVG and PNG")
	cmd.Flags().StringVar(&machine, "machine", "", "only of the machine whose hash begins so")
	return cmd
}

// nightHistory are the histories of all scopes, in the order of their first nights.
func (a *app) nightHistory(ctx context.Context, machine string) ([]historyOfScope, error) {
	st, err := a.readProject(ctx)
	if err != nil {
		return nil, err
	}
	nights, err := a.readNights(ctx, st)
	if err != nil {
		return nil, err
	}
	var keys []string
	of := map[string][]nightly.Night{}
	for _, n := range nights {
		if !strings.HasPrefix(n.Scope.Machine(), machine) {
			continue
		}
		k := n.Scope.Key()
		if of[k] == nil {
			keys = append(keys, k)
		}
		of[k] = append(of[k], n)
	}
	if len(keys) == 0 {
		return nil, noNights("nightly history", st, machine)
	}
	var out []historyOfScope
	for _, k := range keys {
		last := of[k][len(of[k])-1].Scope
		out = append(out, historyOfScope{last.Machine()[:12], last, len(of[k]), nightly.Rows(of[k])})
	}
	return out, nil
}

// noNights says that no night is of the machine, or of any if that is "".
func noNights(command string, st *store.Store, machine string) error {
	what := "no night was measured"
	if machine != "" {
		what += " on a machine whose hash begins with " + strconv.Quote(machine)
	}
	return badInput(fmt.Errorf("%s: %s: %s: lathe nightly measures one", command, st.Path(), what))
}

// writeHistory writes CSV that a spreadsheet takes for text and numbers, and nothing for a
// formula.
func writeHistory(w io.Writer, all []historyOfScope) error {
	c := csv.NewWriter(w)
	c.Write([]string{"seq", "time", "machine", "baseline", "thing", "metric", "ratio", "ratio_low", "ratio_high", "sessions", "library_version", "subject_hash", "verdict", "is_reference", "level_change"})
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	for _, h := range all {
		for _, r := range h.Rows {
			change := ""
			if r.Change != 0 {
				change = number(r.Change)
			}
			c.Write([]string{strconv.FormatInt(r.Seq, 10), r.Time.Format(time.RFC3339), r.Machine, reports.CSVText(h.Scope.Baseline.Name()), reports.CSVText(r.Thing), r.Metric,
				number(r.Ratio), number(r.Low), number(r.High), strconv.Itoa(r.Sessions), reports.CSVText(r.Library), r.File, r.Verdict, strconv.FormatBool(r.Reference), change})
		}
	}
	c.Flush()
	return c.Error()
}

// plotHistory draws every thing and metric of every history.
func plotHistory(base string, all []historyOfScope) error {
	for i, h := range all {
		of := map[string][]nightly.Row{}
		var names []string
		for _, r := range h.Rows {
			k := r.Thing + " " + r.Metric
			if of[k] == nil {
				names = append(names, k)
			}
			of[k] = append(of[k], r)
		}
		for j, name := range names {
			file := base
			if len(all) > 1 {
				file += "-" + strconv.Itoa(i+1)
			}
			file += "-" + strconv.Itoa(j+1) + "-" + of[name][0].Metric
			for ending, format := range map[string]reports.Format{".svg": reports.SVG, ".png": reports.PNG} {
				if err := create(file+ending, func(w io.Writer) error { return reports.TrendPlot(w, format, of[name]) }); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
