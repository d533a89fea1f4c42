package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"lathe/graphgen/inspect"
	"lathe/reports"
)

func (a *app) cmdInspect() *cobra.Command {
	var top int
	cmd := &cobra.Command{
		Use:   "inspect FILE.onnx",
		Short: "Show what is in an ONNX file",
		Long: `Show what is in an ONNX file, whoever wrote it: operators by count and domain,
inputs and outputs, parameters by type, the longest path in nodes, cycles, the
largest initializers, and the files that its weights are in. If Lathe wrote it,
the candidate that it is, found by lowering that candidate again; if others did,
the model that it is, where the decoder in it is recognised.

The graph is read by onnx-go, the rest by a reader of our own; where they see
different operators, that is said. Weights are not read, so size does not matter:
of external data, it is checked that each file is in the model's folder and is
long enough. Data that the model says is elsewhere is refused, by whatever way it
leads there (an absolute path, "..", a link).

A model that is broken is shown as far as it can be, with its problems below, and
the exit status is 2.`,
		Example: `  lathe inspect model.onnx
  lathe inspect model.onnx --top 0
  lathe inspect model.onnx --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return badInput(fmt.Errorf("inspect: one FILE.onnx needed, %d given", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if top < 0 {
				return badInput(fmt.Errorf("inspect: --top %d: want the number of initializers to show, or 0 for all", top))
			}
			r, err := inspect.File(args[0])
			if errors.Is(err, inspect.ErrInput) {
				return badInput(err)
			} else if err != nil {
				return err
			}
			if a.json {
				if cmd.Flags().Changed("top") && top > 0 {
					r.Initializers = r.Initializers[:min(top, len(r.Initializers))]
				}
				err = a.printJSON(r)
			} else {
				err = reports.InspectTables(a.stdout, reports.Text, r, top)
			}
			if err == nil && len(r.Problems) > 0 {
				more := ""
				if n := len(r.Problems) - 1; n > 0 {
					more = fmt.Sprintf(" (and %d more)", n)
				}
				err = badInput(fmt.Errorf("inspect: %s: %s%s", args[0], r.Problems[0], more))
			}
			return err
		},
	}
	cmd.Flags().IntVar(&top, "top", 10, "initializers to show, the largest first; 0: all (--json: all unless given)")
	return cmd
}
