package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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

func (a *app) cmdNightlyExport() *cobra.Command {
	var out, machine string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the nights as JSON lines",
		Long: `Write all nights, or those of one machine, as JSON lines, which lathe nightly import reads
into another store: the history of a fleet in one place, or one that outlives a runner of
hosted CI. Raw samples stay where they are.`,
		Example: `  lathe nightly export -o nights.jsonl
  lathe nightly export --machine 3f2a > nights.jsonl`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := a.readProject(cmd.Context())
			if err != nil {
				return err
			}
			nights, err := st.Nights(cmd.Context(), "")
			if err != nil {
				return err
			}
			nights = slices.DeleteFunc(nights, func(n store.Night) bool { return !strings.HasPrefix(n.Machine, machine) })
			if len(nights) == 0 && machine != "" { // a typing error must not empty the history in FILE
				return noNights("nightly export", st, machine)
			}
			if out == "" {
				return store.ExportNights(a.stdout, nights)
			}
			if err := create(out, func(w io.Writer) error { return store.ExportNights(w, nights) }); err != nil {
				return err
			}
			a.note("%s to %s", reports.Count(len(nights), "night"), out)
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "`FILE` to write; empty: stdout")
	cmd.Flags().StringVar(&machine, "machine", "", "only of the machine whose hash begins so")
	return cmd
}

func (a *app) cmdNightlyImport() *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Read nights that lathe nightly export wrote",
		Long: `Read nights into the store, behind those that it has; a night that it has already is passed
over. Nights of another machine are kept apart. All of FILE is read, or after an error
nothing.

Nights that are older than what the store has of the same machine, baseline and workload
are left out, and said: behind those, their reference would take the place of a newer one.`,
		Example: `  lathe nightly import nights.jsonl`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return badInput(fmt.Errorf("nightly import: 1 FILE needed, %d given", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			f, err := os.Open(args[0])
			if err != nil {
				return badInput(err)
			}
			defer f.Close()
			lines, err := store.ReadNights(f)
			if err != nil {
				return badInput(fmt.Errorf("%s: %w", args[0], err))
			}
			read := make([]nightly.Night, len(lines))
			for i, n := range lines { // before anything is stored
				night, err := nightly.Parse(n.Body)
				read[i] = night
				if err == nil && night.Scope.Machine() != n.Machine {
					err = fmt.Errorf("nightly: the night of %s says machine %.12s, and its host is %.12s", n.Created.Format(time.DateTime), n.Machine, night.Scope.Machine())
				}
				if err != nil {
					return badInput(fmt.Errorf("%s: %w", args[0], err))
				}
			}
			st, err := a.project(ctx)
			if err != nil {
				return err
			}
			there, err := a.readNights(ctx, st)
			if err != nil {
				return err
			}
			known, err := st.Nights(ctx, "")
			if err != nil {
				return err
			}
			older := olderThan(there, known, read, lines)
			added := 0
			err = st.Update(ctx, func(tx *store.Tx) error {
				for i, n := range lines {
					if older[i] {
						continue
					}
					_, isNew, err := tx.AddNight(n)
					if err != nil {
						return err
					}
					if isNew {
						added++
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(struct {
					Read  int `json:"nights_read"`
					Added int `json:"nights_added"`
					Older int `json:"nights_older"` // left out
				}{len(lines), added, len(older)})
			}
			if len(older) > 0 {
				a.note("%s of %s left out: older than what %s has of the same machine, baseline and workload", reports.Count(len(older), "night"), filepath.Base(args[0]), st.Path())
			}
			_, err = fmt.Fprintf(a.stdout, "%s of %s in %s are new in %s\n", strconv.Itoa(added), reports.Count(len(lines), "night"), filepath.Base(args[0]), st.Path())
			return err
		},
	}
}

// olderThan are the indices of nights to import that come before what the store has of their
// scope: before the last of a file's that is there already, or where none is by the clock.
func olderThan(there []nightly.Night, known []store.Night, read []nightly.Night, lines []store.Night) map[int]bool {
	ids := map[string]bool{}
	for _, n := range known {
		ids[n.ID()] = true
	}
	last := map[string]int{} // of a scope, in the file
	for i, n := range lines {
		if ids[n.ID()] {
			last[read[i].Scope.Key()] = i
		}
	}
	newest := map[string]time.Time{}
	for _, n := range there {
		if k := n.Scope.Key(); n.Time.After(newest[k]) {
			newest[k] = n.Time
		}
	}
	older := map[int]bool{}
	for i, n := range read {
		k := n.Scope.Key()
		at, common := last[k]
		if !ids[lines[i].ID()] && (common && i < at || !common && n.Time.Before(newest[k])) {
			older[i] = true
		}
	}
	return older
}
