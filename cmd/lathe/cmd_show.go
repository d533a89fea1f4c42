package main

import (
	"github.com/spf13/cobra"

	"lathe/graphgen/arch"
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
out.`,
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
				}
				out := make([]shown, len(cands))
				for i, c := range cands {
					out[i] = shown{c.Name(), c.Counts()}
				}
				if len(out) == 1 {
					return a.printJSON(out[0])
				}
				return a.printJSON(out)
			}
			return reports.CountsTable(a.stdout, reports.Text, cands)
		},
	}
}
