package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
)

func (a *app) cmdSearch() *cobra.Command {
	var resume bool
	cmd := &cobra.Command{
		Use:         "search",
		Annotations: timing(),
		Short:       "Search the space for the Pareto front of decoder parameters and latency",
		Long: `Search the space for architectures that are fast for their decoder parameters,
the proxy for quality that needs no training.

By model (the default): measure --samples random candidates beside the baseline,
fit the latency model, and search what it predicts, by enumerating the whole space
or by evolution (Lite-Transformer-Search: Pareto front as parents, mutation and
crossover, 10 iterations). By measure: every candidate that the method proposes is
timed.

Measurements are kept in the store and never repeated. A search that was stopped
or killed goes on with --resume, with the settings it was started with, and ends
with the front that it would have had.`,
		Example: `  lathe search
  lathe search --build +int4b32 --baseline gpt2-l12-d1024-f4096-h16+int4b32 --constraint "n_layer >= 8"
  lathe search --method evolve --by measure --evaluations 60
  lathe search --resume`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := a.searchSetup(cmd, resume)
			if err != nil {
				return err
			}
			st, err := a.project(ctx)
			if err != nil {
				return err
			}
			unlock, err := st.LockSearch()
			if err != nil {
				return err
			}
			defer unlock()
			var run *searchRun
			if resume {
				run, err = a.resumeSearch(ctx, st)
			} else {
				run, err = a.newSearch(ctx, s)
			}
			if err != nil {
				return err
			}
			a.noteBuilds(run.setup.Baseline, record.Of(arch.Candidate{Build: run.setup.Build}))
			body, err := a.search(ctx, run)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(body)
			}
			return a.printFront(body)
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&resume, "resume", false, "go on with the last search of the store")
	fs.String("method", "", "`NAME` of the method: enumerate or evolve")
	fs.String("by", "", "what says how fast a candidate is: `WHAT`, model or measure")
	fs.Int("iterations", 0, "iterations of evolve")
	fs.Int("population", 0, "candidates of evolve's first batch; 0: its default")
	fs.Int("evaluations", 0, "most candidates to evaluate; 0: no limit")
	a.bind(fs, "search.method", "method")
	a.bind(fs, "search.by", "by")
	a.bind(fs, "search.iterations", "iterations")
	a.bind(fs, "search.population", "population")
	a.bind(fs, "search.evaluations", "evaluations")
	a.setupFlags(fs)
	return cmd
}

// searchSetup is that of a new search, or nil for one that is resumed. What is
// wrong with the input shows here, before a store is made.
func (a *app) searchSetup(cmd *cobra.Command, resume bool) (*setup, error) {
	if resume {
		for _, name := range []string{"method", "by", "baseline", "build", "seed", "samples", "visits", "space", "constraint", "iterations", "population", "evaluations", "prompt", "generated", "pl-pairs", "tl-pairs"} {
			if cmd.Flags().Changed(name) {
				return nil, badInput(fmt.Errorf("search --resume takes the settings the search was started with; --%s starts another one", name))
			}
		}
		if _, err := os.Stat(a.cfg.Store); errors.Is(err, fs.ErrNotExist) {
			return nil, noSearch(a.cfg.Store)
		}
		return nil, nil
	}
	if err := a.applySpaceFlags(); err != nil {
		return nil, err
	}
	s, err := a.setup(cmd.Context())
	if err != nil {
		return nil, err
	}
	if _, err = s.problem(); err != nil {
		return nil, err
	}
	return s, a.checkProvider(cmd.Context(), s.Build)
}

func noSearch(store string) error {
	return badInput(fmt.Errorf("%s has no search to resume; lathe search starts one", store))
}
