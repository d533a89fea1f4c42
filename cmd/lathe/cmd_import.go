package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"lathe/graphgen/arch"
	"lathe/graphgen/recover"
	"lathe/reports"
)

func (a *app) cmdImport() *cobra.Command {
	var headers bool
	cmd := &cobra.Command{
		Use:   "import FOLDER, FILE or hf:NAME",
		Short: "Show what a model of your own is, and whether it can be used",
		Long: `Read a model of your own and show what was recognised: the candidate that it
is, its parameters, how its weights are stored, and what is wrong with it.

FOLDER is one of Hugging Face's transformers: config.json with model.safetensors,
or with several files and model.safetensors.index.json, in fp32, fp16 or bf16. Its
model_type is gpt2, llama, mistral or qwen2. FILE is a checkpoint of llama2.c (.bin,
fp32), or an ONNX file (.onnx): of Lathe's own, or of others where the decoder in it is
recognised. Nothing is written, and no code of the model is run.

hf:ORGANISATION/NAME, with @REVISION or without, is a model of Hugging Face's hub: its
folder is fetched into the cache that transformers uses (hub.cache sets another), and
taken from there when the network is away. HF_TOKEN and HF_ENDPOINT in the environment
mean what they mean to transformers.

Of an ONNX file whose decoder is not recognised, its inputs and outputs are shown, and
whether it can be timed as it is.

Tensors that are missing, of another shape than config.json says, or that no such
model has are named, and the exit status is 2: they may be part of a computation
that the graph would lack. All weights are read once; values that are NaN or
infinite are counted. --headers leaves that out.

"lathe emit --weights FOLDER -o OUT" then writes the ONNX graph with these weights.
Where a name cannot say all that a model is, its YAML is printed: saved as a file,
it is a candidate for every other command.`,
		Example: `  lathe import ./my-gpt2
  lathe import stories15M.bin --json
  lathe import model.onnx
  lathe import hf:openai-community/gpt2
  lathe emit --weights ./my-gpt2 -o out`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return badInput(fmt.Errorf("import: one FOLDER, FILE or hf:NAME needed, %d given", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.importModel(cmd.Context(), args[0], headers)
		},
	}
	cmd.Flags().BoolVar(&headers, "headers", false, "do not read the weights themselves")
	return cmd
}

// recognised is what import prints.
type recognised struct {
	Path      string         `json:"path"`
	Format    string         `json:"format"` // huggingface, llama2c or onnx
	Kind      string         `json:"kind"`   // model_type, the version of llama2.c's format, or who wrote the ONNX file
	Candidate arch.Candidate `json:"candidate"`
	arch.Counts
	DTypes      []storedType `json:"dtypes"`
	WeightsHash string       `json:"weights_hash,omitempty"`
	NaN         int64        `json:"nan"`
	Inf         int64        `json:"inf"`
	Ignored     []string     `json:"ignored"`
	Missing     []string     `json:"missing"`
	Extra       []string     `json:"extra"`
	Shapes      []string     `json:"shapes"`
	Warnings    []string     `json:"warnings"`
	Whole       bool         `json:"whole"`
}

func (a *app) importModel(ctx context.Context, path string, headers bool) error {
	m, err := a.openUserModel(ctx, path)
	if errors.Is(err, recover.ErrNotDecoder) {
		return a.importUnrecognised(path, err)
	}
	if err != nil {
		return err
	}
	defer m.close()
	c := arch.Candidate{Spec: m.spec, Build: m.build}
	r := recognised{
		Path: m.path, Format: m.format, Kind: m.kind, Candidate: c, Counts: c.Counts(), DTypes: m.dtypes(),
		Ignored: nonNil(m.ignored), Missing: nonNil(m.missing), Extra: nonNil(m.extra), Shapes: texts(m.shapes), Warnings: texts(m.warnings), Whole: m.whole == nil,
	}
	if !headers {
		s, err := a.scan(ctx, m)
		if err != nil {
			return err
		}
		if m.whole == nil { // of a part, it would say nothing
			r.WeightsHash = s.Sum
		}
		for _, n := range s.NotFinite {
			r.NaN, r.Inf = r.NaN+n.NaN, r.Inf+n.Inf
		}
		r.Warnings = append(r.Warnings, notFiniteWarnings(s.NotFinite)...)
	}
	if a.json {
		if err := a.printJSON(r); err != nil {
			return err
		}
		return m.whole
	}
	if err := a.printRecognised(&r); err != nil {
		return err
	}
	return m.whole
}

func (a *app) printRecognised(r *recognised) error {
	name := r.Candidate.Name()
	rows := []reports.KeyValue{{Key: "format", Value: r.Format + ", " + r.Kind}, {Key: "candidate", Value: name}}
	for _, t := range r.DTypes {
		rows = append(rows, reports.KeyValue{Key: t.String(), Value: fmt.Sprintf("%d tensors, %.1f MB", t.Tensors, float64(t.Bytes)/1e6)})
	}
	list := func(key string, names []string, most int) {
		if len(names) > 0 {
			rows = append(rows, reports.KeyValue{Key: fmt.Sprintf("%s (%d)", key, len(names)), Value: firstOf(names, most)})
		}
	}
	// The error names more of them, and JSON all.
	list("ignored", r.Ignored, 2)
	list("missing", r.Missing, 2)
	list("not known", r.Extra, 2)
	list("other shapes", r.Shapes, 1)
	if r.WeightsHash != "" {
		rows = append(rows, reports.KeyValue{Key: "weights", Value: "sha256 " + r.WeightsHash})
	}
	if err := reports.KeyValues(a.stdout, reports.Text, reports.KeyValue{Key: "model", Value: r.Path}, rows); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	if err := reports.CountsTable(a.stdout, reports.Text, []arch.Candidate{r.Candidate}); err != nil {
		return err
	}
	if back, err := arch.ParseCandidate(name); err != nil || !back.Equal(r.Candidate) {
		text, err := yaml.Marshal(r.Candidate.Spec)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "\nThe name does not say all of it; this YAML does:\n\n%s", text)
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(a.stdout, "warning:", w)
	}
	return nil
}

// firstOf is some names for a line of a table.
func firstOf(names []string, most int) string {
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}

func texts(errs []error) []string {
	out := make([]string, len(errs))
	for i, e := range errs {
		out[i] = e.Error()
	}
	return out
}

// nonNil is a list that JSON shows as [] where it is empty.
func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
