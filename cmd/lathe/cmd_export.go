package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lathe/graphgen/bundle"
)

// exportFlags are what lathe export is asked.
type exportFlags struct {
	dir, loaders, weights, precisions string
	tokenizer, bos                    string
	text                              evalFlags // of --text and how it is read
	maxIncrease                       string
	optimized, force, noRun           bool
	license, title                    string
	show, stop                        float64
	calibration, search               string
	baseline                          string
	requests                          int
}

func (a *app) cmdExport() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "export [CANDIDATE or MODEL] -o FOLDER --for LOADERS",
		Short: "Write a folder that goes to production: a bundle that Optimum, transformers.js or onnxruntime-genai opens",
		Long: `Write FOLDER as the programs of --for open it as it is: the graph that is timed, with
the model's weights, in one or several precisions; config.json, generation_config.json
and the tokenizer's files, for genai its genai_config.json; README.md, a model card;
and lathe.json, which has what was measured and the checksums of all files.

MODEL is a folder of transformers, a checkpoint of llama2.c, an ONNX file whose decoder
is recognised, or hf:NAME. A CANDIDATE needs --weights: a model's path, or random.
The programs of --for, one or several in a list:

  optimum          ORTModelForCausalLM: model.onnx
  transformers.js  pipeline('text-generation'): onnx/model.onnx and, by precision,
                   onnx/model_int8.onnx, model_q4.onnx, model_fp16.onnx
  genai            onnxruntime-genai: one precision in a folder

What one of them cannot open is said before anything is written, with the nearest
candidate that it can ("lathe show" says so too). Optimum and transformers.js pad
batches on the left, so a candidate that names no dialect is exported in the portable
one for them; for genai alone in the fused one, whose past and present are one buffer.

--precisions exports several: fp32, fp16, int8, q4, q4f16. With --text the perplexity
on it is measured in fp32 and in every precision, and stands in the model card; with
--max-ppl-increase 2% an export whose perplexity grows more is refused, exit status 3.
--optimized adds, in optimized/, the graphs that ONNX Runtime makes of these for this
processor, which no other may run.

The folder is written beside its place and renamed when all of it is there and was
checked, as "lathe verify" does: every model by a new session, against the weights that
it was made from. An export that fails a check is not kept, exit status 3. What was there
before is replaced with --force, as a whole, if it is a bundle.`,
		Example: `  lathe export ./my-gpt2 -o deploy --for optimum
  lathe export ./my-llama -o web --for transformers.js --precisions fp32,int8,q4 --text dev.txt --max-ppl-increase 2%
  lathe export +int4b32 --weights ./my-llama -o phone --for genai --license apache-2.0
  lathe export stories260K.bin --tokenizer tok512.bin -o all --for optimum,transformers.js,genai`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return badInput(fmt.Errorf("export: one CANDIDATE or MODEL needed, %d given", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			x, closeModel, err := a.planExport(cmd.Context(), &f, cmd.Flags(), args)
			if err != nil {
				return err
			}
			defer closeModel()
			done, err := a.export(cmd.Context(), x)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(done)
			}
			return a.printExported(done)
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.dir, "output", "o", "", "`FOLDER` to write, which must not be there")
	fs.StringVar(&f.loaders, "for", "", "programs that open it, `LIST` of optimum, transformers.js, genai")
	fs.StringVar(&f.weights, "weights", "", "`PATH` or hf:NAME of the model whose weights a candidate has, or random")
	fs.StringVar(&f.precisions, "precisions", "", "`LIST` of fp32, fp16, int8, q4, q4f16 (default: the candidate's)")
	fs.StringVar(&f.tokenizer, "tokenizer", "", "the model's tokenizer: `FILE` or folder, as in \"lathe workload\", or none (default: beside the model)")
	fs.StringVar(&f.bos, "bos", bosAuto, "token that is put before every text: its `NAME`, none, or auto: <s> or <|begin_of_text|> where the tokenizer has it; a tokenizer.json says so itself")
	fs.StringArrayVar(&f.text.text, "text", nil, "measure perplexity on this `FILE`, folder or pattern; may be repeated")
	fs.StringArrayVar(&f.text.fields, "field", nil, "JSON field that is the text, `NAME` (default text)")
	fs.StringVar(&f.text.separator, "separator", "", "what stands between the documents of a text file (default <|endoftext|>)")
	fs.BoolVar(&f.text.whole, "whole", false, "a text file is one document")
	fs.IntVar(&f.text.context, "context", 0, "tokens of a window (default: the model's positions, 1024 at most)")
	fs.IntVar(&f.text.limit, "limit", 0, "score the first so many documents only")
	fs.StringVar(&f.maxIncrease, "max-ppl-increase", "", "refuse a precision whose perplexity is higher than fp32's by more than this `SHARE`, such as 2%")
	fs.BoolVar(&f.optimized, "optimized", false, "add the graphs that ONNX Runtime makes of these for this processor")
	fs.BoolVar(&f.force, "force", false, "replace a bundle that is there")
	fs.BoolVar(&f.noRun, "no-run", false, "do not load and run what was written")
	fs.StringVar(&f.baseline, "baseline", "", "time it beside this bundle's `FOLDER` or ONNX file, as in \"lathe verify\"")
	fs.IntVar(&f.requests, "requests", 0, "pairs of requests that are timed beside --baseline (default 144)")
	fs.StringVar(&f.license, "license", "", "the model's license, its SPDX `ID`, such as apache-2.0")
	fs.StringVar(&f.title, "title", "", "`TEXT` above the model card (default: the folder's name)")
	fs.Float64Var(&f.show, "show-threshold", 0, "`LOGPROB` from which on a suggestion is shown")
	fs.Float64Var(&f.stop, "stop-threshold", 0, "`LOGPROB` below which a suggestion ends")
	fs.StringVar(&f.calibration, "calibration", "", "`FILE` with the thresholds, as \"lathe calibrate\" writes it")
	fs.StringVar(&f.search, "search", "", "the search that found the candidate, by its `ID`: its space goes into the model card (default: the last one in the store, if the candidate is on its front)")
	fs.Uint64("seed", 0, "seed of random weights and of the bootstrap")
	a.bind(fs, "seed", "seed")
	return cmd
}

// licenses are identifiers as SPDX and the hub have them.
var licenses = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$`)

// validate refuses flags that say nothing, or contradict each other.
func (f *exportFlags) validate(fs *pflag.FlagSet) (loaders []bundle.Loader, err error) {
	switch {
	case f.dir == "":
		return nil, errors.New("export: no folder to write; give it with -o FOLDER")
	case f.loaders == "":
		return nil, fmt.Errorf("export: who is to open it? give --for with one or several of %s", "optimum, transformers.js, genai")
	case f.maxIncrease != "" && len(f.text.text) == 0:
		return nil, errors.New("export: --max-ppl-increase needs --text FILE to measure perplexity on")
	case f.requests < 0 || f.requests > 0 && f.baseline == "":
		return nil, fmt.Errorf("export: --requests is %d: want 1 or more, and a --baseline to time them beside", f.requests)
	case f.baseline != "" && f.noRun:
		return nil, errors.New("export: --no-run runs nothing, and so times nothing beside a --baseline")
	case f.license != "" && !licenses.MatchString(f.license):
		return nil, fmt.Errorf("export: --license %q is no SPDX identifier, such as apache-2.0 or mit", f.license)
	case f.calibration != "" && (fs.Changed("show-threshold") || fs.Changed("stop-threshold")):
		return nil, errors.New("export: --calibration has the thresholds: leave --show-threshold and --stop-threshold out")
	case f.show > 0 || f.stop > 0:
		return nil, fmt.Errorf("export: thresholds are log-probabilities, 0 or less, got show %g and stop %g", f.show, f.stop)
	}
	if len(f.text.text) == 0 {
		for _, name := range []string{"field", "separator", "whole", "context", "limit"} {
			if fs.Changed(name) {
				return nil, fmt.Errorf("export: --%s is for --text", name)
			}
		}
	}
	for name, n := range map[string]int{"context": f.text.context, "limit": f.text.limit} {
		if fs.Changed(name) && n < 1 {
			return nil, fmt.Errorf("export: --%s is %d: want 1 or more", name, n)
		}
	}
	return bundle.ParseLoaders(f.loaders)
}

// share reads 2% or 0.02.
func share(command, text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 100) {
		return 0, fmt.Errorf("%s: --max-ppl-increase %q: want a share such as 2%% or 0.02", command, text)
	}
	return v, nil
}
