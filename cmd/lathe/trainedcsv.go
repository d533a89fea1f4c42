package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"lathe/graphgen/arch"
)

// writeTrained writes what a search trained as the table that lathe proxy reads.
func (b *frontBody) writeTrained(path string) error {
	if len(b.Trained) == 0 {
		return badInput(fmt.Errorf("search %s trained nothing: its quality is %s", b.Search, b.Proxy))
	}
	return create(path, func(w io.Writer) error {
		out := csv.NewWriter(w)
		lines := [][]string{{"name", "candidate", "perplexity", "loss", "decoder_params", "total_params", "train_flops", "train_bytes", "tokens", "seconds"}}
		for _, m := range b.Trained {
			if m.Failed != "" {
				continue
			}
			c := arch.Candidate{Spec: m.Spec}
			text := c.Name()
			if !named(c) {
				body, err := json.Marshal(struct {
					Spec arch.Spec `json:"spec"`
				}{m.Spec})
				if err != nil {
					return err
				}
				text = string(body)
			}
			figure := func(v float64) string { return strconv.FormatFloat(v, 'g', 8, 64) }
			lines = append(lines, []string{
				c.Name(), text, figure(m.perplexity()), figure(m.Loss),
				fmt.Sprint(m.Spec.DecoderParams()), fmt.Sprint(m.Spec.TotalParams()), figure(m.TrainFlops), figure(m.TrainBytes), fmt.Sprint(m.Tokens), figure(m.Seconds),
			})
		}
		return errors.Join(out.WriteAll(lines), out.Error())
	})
}
