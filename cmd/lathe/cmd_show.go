package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
	"lathe/reports"
)

func (a *app) cmdShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show CANDIDATE...",
		Short: "Count a candidate's parameters, bytes and FLOPs",
		Long: `Print exact counts, in closed form: nothing is built and nothing is timed.

decoder_params is the proxy for quality: the layers without embeddings and final
norm. bytes_per_token is the weights that one decode step reads, and bounds its
time where memory is the limit. flops_per_token leaves attention over the cache
out.

Below stands which programs can open it ("lathe export --for"), and why others cannot.`,
		Example: `  lathe show gpt2-l12-d1024-f4096-h16
  lathe show gpt2-l7-d1280-f6016-h16+int4b32 --json
  lathe show llama-l12-d1024-f2816-h16-kv4`,
		Args: minArgs(1, "CANDIDATE"),
		RunE: func(_ *cobra.Command, args []string) error {
			cands, err := loadCandidates(args)
			if err != nil {
				return err
			}
			if a.json {
				type shown struct {
					Candidate string `json:"candidate"`
					arch.Counts
					Loaders []bundle.Verdict `json:"loaders"`
				}
				out := make([]shown, len(cands))
				for i, c := range cands {
					out[i] = shown{c.Name(), c.Counts(), bundle.Check(asGiven(c, args[i]))}
				}
				if len(out) == 1 {
					return a.printJSON(out[0])
				}
				return a.printJSON(out)
			}
			if err := reports.CountsTable(a.stdout, reports.Text, cands); err != nil {
				return err
			}
			for i, c := range cands {
				if err := a.printLoaders(asGiven(c, args[i])); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// asGiven is c without a dialect where the argument names none: export then chooses it.
func asGiven(c arch.Candidate, arg string) arch.Candidate {
	if !namesDialect([]string{arg}) {
		c.Build.Dialect = ""
	}
	return c
}

// printLoaders says who can open a candidate.
func (a *app) printLoaders(c arch.Candidate) error {
	var rows []reports.KeyValue
	for _, v := range bundle.Check(c) {
		row := reports.KeyValue{Key: string(v.Loader), Value: "yes", Note: strings.Join(v.Limits, "; ")}
		if !v.Opens {
			row.Value, row.Note = "no", strings.Join(v.Reasons, "; ")
		}
		rows = append(rows, row)
	}
	fmt.Fprintln(a.stdout)
	return reports.KeyValues(a.stdout, reports.Text, reports.KeyValue{Key: "loader", Value: "opens " + c.Name()}, rows)
}
