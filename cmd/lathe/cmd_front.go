package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a *app) cmdFront() *cobra.Command {
	var id, plot, shapes, candidate, table string
	var compared bool
	var replay, list, iterations bool
	cmd := &cobra.Command{
		Use:   "front",
		Short: "Show the Pareto front of a search, and draw it",
		Long: `Print the front of the last search, or of --search, from the best quality to the
fastest: decoder parameters against the latency of one request relative to the
baseline. The pick is the fastest candidate with at least the baseline's decoder
parameters; n_head, which that proxy does not see, is shown at 4, 8 and 16, since
more heads help quality at little cost.

--replay makes the fronts of a search anew from what it recorded, and says which of them
it could compare: the front that is kept, and of a search that was stopped or killed
those of its whole iterations.

--yaml writes one candidate as a file that other commands take: the name of a model whose
layers differ does not say them.

--trained writes the models of a search by trained quality as CSV: what each became and
took.

--compare shows two searches: the hypervolume of each with a common reference, how many
points of each the other covers, and those that it does not. --figure3 draws the sizes
of the front's models, with the plane on which d_inner is twice d_model.

The front is also drawn, as FILE.svg and FILE.png: decoder parameters against
latency, the baseline marked, one line for each iteration of the search. With
--json it is drawn only where --plot asks for it.`,
		Example: `  lathe front
  lathe front --plot figures/front
  lathe front --figure3 shapes.svg --iterations
  lathe front --replay
  lathe front --yaml pick > pick.yaml
  lathe front --trained trained.csv && lathe proxy trained.csv
  lathe front --compare 0d1f2e3c4b5a 5a4b3c2e1f0d
  lathe front --json --plot ""`,
		Args: func(_ *cobra.Command, args []string) error {
			if want := map[bool]int{true: 2}[compared]; len(args) != want {
				return badInput(fmt.Errorf("front: %d arguments given, want %d: --compare takes the IDs of two searches, or last, and front alone none; --list lists them", len(args), want))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := plotFormat(shapes); err != nil {
				return badInput(fmt.Errorf("--figure3: %w", err))
			}
			if err := frontFlags(cmd.Flags()); err != nil {
				return badInput(err)
			}
			if compared {
				if !cmd.Flags().Changed("plot") {
					plot = ""
				}
				return a.compareFronts(cmd.Context(), args, plot)
			}
			if list {
				return a.listSearches(cmd.Context())
			}
			if replay {
				return a.printReplay(cmd.Context(), id)
			}
			body, err := a.loadFront(cmd.Context(), id)
			if err != nil {
				return err
			}
			if table != "" {
				return body.writeTrained(table)
			}
			if candidate != "" {
				return a.printYAML(body, candidate)
			}
			if shapes != "" {
				if err := plotShapes(shapes, body); err != nil {
					return err
				}
			}
			if a.json {
				err = a.printJSON(body)
			} else {
				err = a.printFront(body)
				if err == nil && iterations {
					err = a.printIterations(body)
				}
			}
			if err != nil || plot == "" || a.json && !cmd.Flags().Changed("plot") {
				return err
			}
			if len(body.Front) == 0 {
				a.note("nothing is drawn: the front is empty")
				return nil
			}
			if err := a.plotFront(plot, body); err != nil {
				return err
			}
			a.note("drawn in %s.svg and %s.png", plot, plot)
			return nil
		},
	}
	cmd.Flags().StringVar(&id, "search", "", "`ID` of the search (default: the last one that has a front)")
	cmd.Flags().StringVar(&candidate, "yaml", "", "write the candidate of a `NAME`, or pick, as the YAML that other commands read")
	cmd.Flags().StringVar(&table, "trained", "", "write the models that the search trained to `FILE`, as CSV that lathe proxy and search --trained read")
	cmd.Flags().StringVar(&plot, "plot", "front", "`FILE` to draw to, without its ending; empty: do not draw")
	cmd.Flags().BoolVar(&compared, "compare", false, "hold the fronts of two searches, whose IDs are given, against each other")
	cmd.Flags().StringVar(&shapes, "figure3", "", "draw the front's n_layer, d_inner and d_model in three dimensions to `FILE`, which ends in .svg or .png")
	cmd.Flags().BoolVar(&list, "list", false, "list the searches of the store instead")
	cmd.Flags().BoolVar(&replay, "replay", false, "make the fronts of the last search, or of --search, anew from what it recorded, and check that they are the same")
	cmd.Flags().BoolVar(&iterations, "iterations", false, "show the front after each iteration too: its size and hypervolume")
	return cmd
}

// frontFlags refuses a flag that another one leaves without effect.
func frontFlags(fs *pflag.FlagSet) error {
	for _, whole := range []struct {
		flag string
		with []string
	}{{"list", nil}, {"compare", []string{"plot"}}, {"replay", []string{"search"}}, {"yaml", []string{"search"}}, {"trained", []string{"search"}}} {
		if !fs.Changed(whole.flag) {
			continue
		}
		for _, other := range []string{"list", "compare", "replay", "search", "plot", "figure3", "iterations", "yaml", "trained"} {
			if other != whole.flag && fs.Changed(other) && !slices.Contains(whole.with, other) {
				return fmt.Errorf("front --%s shows something else than a front: it goes with no --%s", whole.flag, other)
			}
		}
	}
	return nil
}

// noFrontError is of a store, or of a search of it, that has no front.
type noFrontError struct {
	store  string
	search string // "": of none of the store's searches
}

func (e *noFrontError) Error() string {
	if e.search != "" {
		return fmt.Sprintf("search %s has no front yet; lathe search --resume finishes the last search", e.search)
	}
	return e.store + " has no front; lathe search makes one"
}

func (a *app) loadFront(ctx context.Context, id string) (*frontBody, error) {
	st, err := a.readProject(ctx)
	if err != nil {
		return nil, err
	}
	searches, err := st.Searches(ctx)
	if err != nil {
		return nil, err
	}
	if id == "last" {
		id = ""
	}
	for i := len(searches) - 1; i >= 0; i-- {
		if id != "" && searches[i].ID != id {
			continue
		}
		fronts, err := st.Fronts(ctx, searches[i].ID)
		if err != nil {
			return nil, err
		}
		if len(fronts) == 0 {
			if id != "" {
				return nil, badInput(&noFrontError{st.Path(), id})
			}
			continue
		}
		return readFront(searches[i].ID, fronts[len(fronts)-1].Body)
	}
	if id != "" {
		return nil, badInput(fmt.Errorf("%s has no search %q", st.Path(), id))
	}
	return nil, badInput(&noFrontError{store: st.Path()})
}
