package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/reports"
	"lathe/runtime/ort"
	"lathe/runtime/provision"
)

// health is what doctor finds.
type health struct {
	Host      record.Host       `json:"host"`
	CacheDir  string            `json:"cache_dir"`
	Library   string            `json:"library"`
	Source    string            `json:"library_source"`
	Skipped   []string          `json:"skipped,omitempty"`
	Providers map[string]string `json:"providers"` // "ok", or why not
	Problem   string            `json:"problem,omitempty"`
	machineState
}

func (a *app) cmdDoctor() *cobra.Command {
	var quick bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Show what this machine has and is doing: processor, memory, load, ONNX Runtime library",
		Long: `Look for the ONNX Runtime library as every command does (the configuration, the
cache, the system, an installed Python package), load it, and show what it can
do. For each execution provider that this library lacks, --json says which library
has it. Nothing is downloaded; what is missing is shown with the command that mends
it, and the exit status is then 1.

The machine's speed is measured too, with one thread and with one on each core: what
it can read from memory, which bounds TL (the time of a token reads all weights
once), and its rate of fp32 operations in a large product, which bounds PL. For half
a second doctor watches what other processes take: if that is more than 5 % of a
core, a warning says that timings will suffer. All this takes some two seconds;
--quick leaves the speeds out.`,
		Example: `  lathe doctor
  lathe doctor --quick
  lathe doctor --library /opt/ort/libonnxruntime.so.1.32.0 --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := a.cacheDir()
			if err != nil {
				return err
			}
			opts, err := a.provisionOptions()
			if err != nil {
				return err
			}
			h := health{CacheDir: dir, Providers: map[string]string{}}
			lib, problem := provision.Find(cmd.Context(), opts)
			for _, s := range lib.Skipped {
				h.Skipped = append(h.Skipped, s.String())
			}
			var env *ort.Env
			if problem == nil {
				h.Library, h.Source = lib.Path, string(lib.Source)
				env, problem = ort.Open(lib.Path)
			}
			version := ""
			if problem == nil {
				a.env = env
				version = env.Version()
				for _, p := range providers {
					h.Providers[p] = "ok"
					if err := env.ProviderError(p); err != nil {
						h.Providers[p] = err.Error()
					}
				}
			} else {
				h.Problem = problem.Error()
				if a.cfg.Runtime.Library != "" {
					problem = badInput(problem)
				}
			}
			h.Host = a.fingerprint(version)
			if h.machineState, err = lookAtMachine(cmd.Context(), a.env, !quick); err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(h)
			} else {
				err = a.printHealth(h)
			}
			if err != nil {
				return err
			}
			return problem
		},
	}
	cmd.Flags().BoolVar(&quick, "quick", false, "leave out the speeds of memory and of products")
	return cmd
}

// hugePagesState says whether timed sessions get huge pages.
func hugePagesState(wanted bool) string {
	switch {
	case !wanted:
		return "off by runtime.huge_pages: equal sessions differ by 5 %"
	case !hugePagesAllowed():
		return "not to be had from this system: equal sessions differ by 5 %"
	}
	return "sessions are timed in them"
}

// flagsPerRow keeps the table narrow.
const flagsPerRow = 8

// providers are those that a Build can name.
var providers = []string{arch.CPU, arch.CUDA, arch.TensorRT, arch.OpenVINO, arch.CoreML, arch.DirectML}

func (a *app) printHealth(h health) error {
	rows := []reports.KeyValue{
		{Key: "system", Value: h.Host.OS + "/" + h.Host.Arch, Note: h.Host.Kernel},
		{Key: "processor", Value: cmp.Or(h.Host.CPUModel, "unknown"), Note: fmt.Sprintf("%d cores for this process", h.Host.Cores)},
		{Key: "clock", Value: h.clock(), Note: "governor " + cmp.Or(h.Host.Governor, "unknown")},
		{Key: "memory", Value: fmt.Sprintf("%.1f GiB", float64(h.Host.MemoryBytes)/(1<<30)), Note: h.available()},
	}
	rows = append(rows, h.speeds()...)
	rows = append(rows, []reports.KeyValue{
		{Key: "other load", Value: fmt.Sprintf("%.0f %% of a core", h.OthersPercent), Note: fmt.Sprintf("stolen by the hypervisor: %.0f %%", h.StealPercent)},
		{Key: "pinning threads", Value: h.Pinning},
		{Key: "huge pages", Value: hugePagesState(a.cfg.Runtime.HugePages)},
		{Key: "cache", Value: h.CacheDir},
		{Key: "ONNX Runtime", Value: cmp.Or(h.Host.LibraryVersion, "not found"), Note: h.Source},
		{Key: "library", Value: cmp.Or(h.Library, "none")},
	}...)
	for i := 0; i < len(h.Host.Flags); i += flagsPerRow {
		rows = append(rows, reports.KeyValue{Key: "instruction sets", Value: strings.Join(h.Host.Flags[i:min(i+flagsPerRow, len(h.Host.Flags))], " ")})
	}
	for _, s := range h.Skipped {
		rows = append(rows, reports.KeyValue{Key: "passed over", Value: s})
	}
	for _, p := range providers {
		if why, ok := h.Providers[p]; ok {
			if why != "ok" {
				why = "not in this library"
			}
			rows = append(rows, reports.KeyValue{Key: "provider " + p, Value: why})
		}
	}
	for _, w := range h.Warnings {
		rows = append(rows, reports.KeyValue{Key: "warning", Value: w})
	}
	return reports.KeyValues(a.stdout, reports.Text, reports.KeyValue{Key: "machine", Value: "found", Note: "more"}, rows)
}

func (h health) clock() string {
	switch {
	case h.MaxMHz <= 0:
		return "unknown"
	case h.MinMHz == h.MaxMHz:
		return fmt.Sprintf("%.0f MHz", h.MaxMHz)
	}
	return fmt.Sprintf("%.0f to %.0f MHz", h.MinMHz, h.MaxMHz)
}

func (h health) available() string {
	if h.AvailableMemoryBytes <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1f GiB available", float64(h.AvailableMemoryBytes)/(1<<30))
}

// speeds are rows of those that were measured.
func (h health) speeds() (rows []reports.KeyValue) {
	row := func(key, unit string, of func(rates) float64) {
		r := reports.KeyValue{Key: key, Value: fmt.Sprintf("%.3g %s", of(h.rates), unit), Note: "1 thread"}
		if of(h.rates) <= 0 {
			return
		}
		if all := h.AllCores; all != nil && of(all.rates) > 0 {
			r.Note = fmt.Sprintf("1 thread; %d: %.3g", all.Threads, of(all.rates))
		}
		rows = append(rows, r)
	}
	row("memory reads", "GB/s", func(r rates) float64 { return r.ReadGBPerS })
	row("fp32 products", "GFLOP/s", func(r rates) float64 { return r.GFlopPerS })
	return rows
}
