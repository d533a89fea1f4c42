package main

import (
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
			var read []placedNight
			for _, n := range lines { // before anything is stored
				night, err := nightly.Parse(n.Body)
				if err == nil && night.Scope.Machine() != n.Machine {
					err = fmt.Errorf("nightly: the night of %s says machine %.12s, and its host is %.12s", n.Created.Format(time.DateTime), n.Machine, night.Scope.Machine())
				}
				if err != nil {
					return badInput(fmt.Errorf("%s: %w", args[0], err))
				}
				read = append(read, placed(n, night))
			}
			st, err := a.project(ctx)
			if err != nil {
				return err
			}
			stored, err := st.Nights(ctx, "")
			if err != nil {
				return err
			}
			nights, err := parseNights(st, stored)
			if err != nil {
				return err
			}
			var there []placedNight
			for i, n := range nights {
				there = append(there, placed(stored[i], n))
			}
			older := olderThan(there, read)
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

// placedNight is what the order of nights of several stores goes by.
type placedNight struct {
	id, scope string
	time      time.Time
}

func placed(stored store.Night, n nightly.Night) placedNight {
	return placedNight{stored.ID(), n.Scope.Key(), n.Time}
}

// olderThan are the indices of nights to import that come before what the store has of their
// scope: before the last of a file's that is there already, or where none is by the clock.
func olderThan(there, read []placedNight) map[int]bool {
	known, newest := map[string]bool{}, map[string]time.Time{}
	for _, n := range there {
		known[n.id] = true
		if n.time.After(newest[n.scope]) {
			newest[n.scope] = n.time
		}
	}
	last := map[string]int{} // that is known, of a scope
	for i, n := range read {
		if known[n.id] {
			last[n.scope] = i
		}
	}
	older := map[int]bool{}
	for i, n := range read {
		at, common := last[n.scope]
		if !known[n.id] && (common && i < at || !common && n.time.Before(newest[n.scope])) {
			older[i] = true
		}
	}
	return older
}
