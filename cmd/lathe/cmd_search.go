package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
)

func (a *app) cmdSearch() *cobra.Command {
	var resume bool
	var constraints []string
	var text trainFlags
	cmd := &cobra.Command{
		Use:         "search",
		Annotations: timing(),
		Short:       "Search the space for the Pareto front of quality and latency",
		Long: `Search the space for architectures that are fast for their quality: by default
for their decoder parameters, the proxy that needs no training.

Model-based (the default): measure some candidates spread over the space beside the
baseline, fit the latency model, measure those that could change the front most if
they were other than it says (expected hypervolume improvement), fit again, and so on
until nothing could, or --evaluations (--samples where not given) are measured. The
front is what the model says of the whole space; of one of more than 8.4 million points
before its constraints, of those that the search looked at, and where nothing was to be
measured (--samples 0) what NSGA-II finds by the model.

By model with another method: measure --samples random candidates, fit the latency
model, and search what it predicts. By measure: every candidate that the method
proposes is timed, and the front is of what was measured.

The other methods: enumerate goes through the whole space; evolve is
Lite-Transformer-Search (Pareto front as parents, mutation and crossover, 10
iterations); nsga2 is NSGA-II, with --iterations generations; local goes from
neighbour to neighbour along the front, from many starts; random and stratified draw.
The last three go on until --evaluations are spent.

--method alphanas is a tree search, in which models grow action by action, guided by a
network that learns performance and cost from what was evaluated. It looks for one
candidate, of the highest performance less --cost-weight times cost within the limits,
and names it beside the front of all that it evaluated.

--objectives are what candidates are compared by, two or more of them: quality (the
proxy's score), latency (of one request), pl, tl, throughput, weight_bytes,
bytes_per_token, memory_bytes, flops_per_token, weight_bits. --limits bound them.
--proxy fitted learns quality from the table of --trained (see lathe proxy).

--quality trained trains every candidate that the method proposes, all alike: on
--train-tokens of the text of --text, in the tokens of --tokenizer, whose number is
space.vocab, with weights and rows of --seed. Quality is then minus the loss on the
development part of the text, in nats a token, and objectives are also train_flops and
train_bytes. The text's flags and the settings below train are those of lathe train. The
baseline is trained too, as a pick has at least its quality. Every training is kept in the
store and never repeated; one that is cut short goes on from its last checkpoint. See
lathe front --trained.

--builds are ways to run, such as default,+int8,+int4b32+t2, that are searched together
with the architectures, each with samples and a latency model of its own. They may also
be axes, "precision=fp32,int8b32,int4b32;threads=1,2": every combination, as a change of
--build, each axis varied by itself (precision, head, embed, float, dialect, threads).
Quality by parameters sees no precision: let weight_bits be an objective where builds
differ in it.

A space has homogeneous models, n_layer, d_model, d_inner and n_head, or with
layerwise: true layers that differ: then n_head, d_inner and hidden are of each layer
by itself, and types, such as [transformer, lstm], are what layers may be.

Measurements are kept in the store and never repeated. A search that was stopped
or killed goes on with --resume, with the settings it was started with, and ends
with the front that it would have had. With a larger --evaluations or --iterations
one that has ended goes on too. lathe front --replay makes a front anew from what was
recorded, and --again starts where a pick turned out badly: the last search once more
with another constraint. By model it measures nothing new; by measure only what the
store does not have.`,
		Example: `  lathe search
  lathe search --build +int4b32 --baseline gpt2-l12-d1024-f4096-h16+int4b32 --constraint "n_layer >= 8"
  lathe search --method evolve --by measure --evaluations 60
  lathe search --method alphanas --by measure --evaluations 100 --space mixed.yaml
  lathe search --builds default,+int4b32 --objectives quality,latency,weight_bits
  lathe search --builds "precision=fp32,int4b32;head=fp32,int8" --objectives quality,latency,weight_bits
  lathe search --limits "weight_bytes <= 300e6" --proxy fitted --trained trained.csv
  lathe search --method nsga2 --iterations 50 --evaluations 1000
  lathe search --quality trained --text mail/ --tokenizer bpe --train-tokens 1e6 --method alphanas --by measure --evaluations 40 --space small.yaml
  lathe search --again "n_head >= 8"
  lathe search --resume
  lathe search --resume --evaluations 200`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := a.searchSetup(cmd, resume, constraints, &text)
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
			if len(constraints) > 0 {
				var changes *again
				if run, changes, err = a.againSearch(ctx, st, constraints); err == nil {
					run.again = changes
				}
			} else if resume {
				if run, err = a.resumeSearch(ctx, st); err == nil {
					err = a.extend(ctx, st, run, cmd.Flags().Changed)
				}
			} else {
				run, err = a.newSearch(ctx, s)
			}
			if err != nil {
				return err
			}
			for _, b := range run.setup.builds() {
				a.noteBuilds(run.setup.Baseline, record.Of(arch.Candidate{Build: b}))
			}
			if blind := run.setup.precisionUnseen(); blind != "" {
				a.note("%s", blind)
			}
			body, err := a.search(ctx, run)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(struct {
					*frontBody
					Timed     int `json:"timed"`
					Trainings int `json:"trainings"`
				}{body, body.timed, body.fresh})
			}
			if err := a.printFront(body); err != nil || body.Again == nil {
				return err
			}
			return a.printAgain(body)
		},
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&constraints, "again", nil, "search as the last time with one more constraint, an `EXPRESSION`; may be repeated")
	fs.BoolVar(&resume, "resume", false, "go on with the last search of the store")
	fs.String("method", "", "`NAME` of the method: "+methods)
	fs.String("by", "", "what says how fast a candidate is: `WHAT`, model or measure")
	fs.Int("iterations", 0, "iterations of evolve, generations of nsga2")
	fs.Int("population", 0, "candidates of the first batch of evolve and alphanas, of nsga2's population, of a batch of local, random and stratified; 0: the method's default")
	fs.Float64("cost-weight", 0, "weight of cost in what alphanas looks for")
	fs.Int("evaluations", 0, "most candidates to evaluate (default: as many as --samples if model-based, otherwise no limit)")
	fs.String("objectives", "", "what candidates are compared by: `NAMES` with commas between")
	fs.String("loadable-by", "", "programs that must be able to open every candidate: `NAMES` of optimum, transformers.js, genai")
	fs.String("limits", "", "bounds on objectives: `EXPRESSIONS` with commas between, such as \"weight_bytes <= 200e6\"")
	a.buildsFlag(fs)
	fs.String("proxy", "", "what ranks quality: `NAME`, decoder_params, total_params or fitted")
	fs.String("trained", "", "CSV `FILE` of trained architectures that fitted learns from (see lathe proxy)")
	for _, key := range []string{"objectives", "limits", "proxy", "trained"} {
		a.bind(fs, "search."+key, key)
	}
	a.bind(fs, "search.loadable_by", "loadable-by")
	a.bind(fs, "search.method", "method")
	a.bind(fs, "search.by", "by")
	a.bind(fs, "search.iterations", "iterations")
	a.bind(fs, "search.population", "population")
	a.bind(fs, "search.cost_weight", "cost-weight")
	a.bind(fs, "search.evaluations", "evaluations")
	a.setupFlags(fs)
	a.recipeFlags(cmd, &text)
	return cmd
}

// searchSetup is that of a new search, or nil for one that is resumed. What is
// wrong with the input shows here, before a store is made.
func (a *app) searchSetup(cmd *cobra.Command, resume bool, constraints []string, text *trainFlags) (*setup, error) {
	if err := a.checkBudget(cmd.Flags().Changed); err != nil {
		return nil, err
	}
	if len(constraints) > 0 && (resume || cmd.Flags().Changed("evaluations") || cmd.Flags().Changed("iterations")) {
		return nil, badInput(errors.New("search --again is a new search with the settings of the last one: it goes with no --resume, --evaluations or --iterations"))
	}
	if resume || len(constraints) > 0 {
		asked := "resume"
		if !resume {
			asked = "again"
		}
		own := append(slices.Sorted(maps.Keys(searchTrainFlags)), searchTextFlags...)
		for _, name := range append(own, "quality", "method", "by", "baseline", "build", "seed", "samples", "visits", "space", "constraint", "population", "cost-weight", "builds", "objectives", "limits", "proxy", "trained", "prompt", "generated", "pl-pairs", "tl-pairs") {
			if cmd.Flags().Changed(name) {
				return nil, badInput(fmt.Errorf("search --%s takes the settings the search was started with; --%s starts another one", asked, name))
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
	if err := a.addRecipe(cmd, s, text); err != nil {
		return nil, err
	}
	if _, err = s.problem(); err != nil {
		return nil, err
	}
	for _, b := range s.builds() {
		if err := a.checkProvider(cmd.Context(), b); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// addRecipe lets a search train its candidates, if that is what it is asked.
func (a *app) addRecipe(cmd *cobra.Command, s *setup, text *trainFlags) (err error) {
	switch a.cfg.Search.Quality {
	case byProxy:
		for _, name := range append(slices.Sorted(maps.Keys(searchTrainFlags)), searchTextFlags...) {
			if cmd.Flags().Changed(name) {
				return badInput(fmt.Errorf("search --%s is of trainings, and quality is a proxy's: --quality trained lets candidates be trained", name))
			}
		}
		return nil
	case byTraining:
	default:
		return badInput(fmt.Errorf("search.quality is %q; known: %s, %s", a.cfg.Search.Quality, byProxy, byTraining))
	}
	if s.Method == modelBased {
		return badInput(fmt.Errorf("search.method %s goes by a quality that is known before: with trained quality use another, such as alphanas", modelBased))
	}
	s.Training, s.trainer, err = a.newRecipe(cmd.Context(), text, s)
	return err
}

// checkBudget refuses to search for nothing.
func (a *app) checkBudget(changed func(string) bool) error {
	if changed("evaluations") && a.cfg.Search.Evaluations == 0 {
		return badInput(errors.New("search: a budget of 0 evaluations finds nothing; without --evaluations the method has its own, or none"))
	}
	return nil
}

func noSearch(store string) error {
	return badInput(fmt.Errorf("%s has no search to resume; lathe search starts one", store))
}
