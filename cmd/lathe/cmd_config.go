package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lathe/reports"
)

func (a *app) cmdConfig() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print the configuration in force and where each value came from",
		Long: `Print every setting, its value, and where the value came from: a flag, an
environment variable, the configuration file, or the default. Flags count before
the environment, the environment before the file.

Settings stand in lathe.yaml under the keys shown; the variable of a key is
LATHE_ and the key in capitals with _ for each dot.`,
		Example: "  lathe config\n  LATHE_TIMING_TL_PAIRS=200 lathe config --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			type value struct {
				Key    string `json:"key"`
				Value  any    `json:"value"`
				Origin string `json:"origin"`
				Help   string `json:"help,omitempty"`
			}
			var all []value
			for _, s := range settings {
				all = append(all, value{s.key, a.cfg.value(s), a.cfg.origin(s.key), s.help})
			}
			for _, kv := range append(a.cfg.studyLists(), a.cfg.spaceValues()...) {
				all = append(all, value{Key: kv.key, Value: kv.value, Origin: a.cfg.spaceOrigin(kv.key)})
			}
			if a.json {
				return a.printJSON(all)
			}
			rows := make([]reports.KeyValue, len(all))
			for i, v := range all {
				var text strings.Builder
				if err := newEncoder(&text).Encode(v.Value); err != nil {
					return err
				}
				rows[i] = reports.KeyValue{Key: v.Key, Value: strings.TrimSpace(text.String()), Note: v.Origin}
			}
			if err := reports.KeyValues(a.stdout, reports.Text, reports.KeyValue{Key: "key", Value: "value", Note: "from"}, rows); err != nil {
				return err
			}
			_, err := fmt.Fprintf(a.stdout, "configuration file: %s\n", cmp.Or(a.cfg.file, "none ("+configFile+" is not here)"))
			return err
		},
	}
}
