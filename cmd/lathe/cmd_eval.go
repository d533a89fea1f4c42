package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lathe/finetune/eval"
)

// evalFlags are what lathe eval is asked.
type evalFlags struct {
	weights         string
	text            []string
	fields          []string
	separator       string
	whole           bool
	lambada         string
	tokenizer, bos  string
	context, stride int
	batch, limit    int

	complete caseFlags // sentences to complete
	rules    []string
	time     int
}

func (a *app) cmdEval() *cobra.Command {
	var f evalFlags
	cmd := &cobra.Command{
		Use:         "eval [MODEL...]",
		Annotations: timing(),
		Short:       "Score models on text: perplexity, the last words of LAMBADA, and what their suggestions are worth",
		Long: `Print a model's perplexity on text that it has not seen, and bits a byte and a
character, which compare models with different tokenizers. The graph that runs is the
one that is shipped, quantized or not, with its cache.

MODEL is an ONNX file with a decoder, as "lathe measure" takes it, which is run as it
is (FILE.onnx+t2 with two threads); a folder with one, or of transformers; a checkpoint
of llama2.c; or hf:NAME. With --weights PATH the models are candidates with that
model's weights, or only how it is to run: +int4b32. Of several models, perplexities
are compared with the first's, on the same tokens. All cores work on one model after the
other, whatever threads its name has.

The text of --text is files, folders and patterns: plain text, in which <|endoftext|> or
--separator stands between documents (--whole: a file is one), or JSON lines, of which
--field is the text; .gz of either. Each document is scored by itself, in windows of
--context tokens, --stride tokens apart: of each window the tokens that no window before
has reached, given all before them in the window. That is Hugging Face's definition of
the perplexity of models with a fixed length. A smaller stride gives each token more to
go by, and takes longer. A document's first token is not scored, unless --bos puts one
before it.

--lambada FILE has a passage on each line, {"text": "..."}, whose last word is to be
guessed: how often all of its tokens are the likeliest, given what stands before, and
the perplexity of the word.

--complete takes text whose sentences are to be completed, cut at random places: how
often a predictor with the thresholds of --rule, a file of lathe calibrate, shows a
suggestion (trigger rate), how many of its characters are accepted (ASC) and how many are
extra (AEC) for each suggestion, and what share of the characters that follow is saved.
Accepted is what agrees with the text up to a word's end. --rule is given once for all
models, or once for each. --time N then times the first N of these requests in pairs with
the first model, each model's own prompt, tokens and characters: P95 latency_char. Nothing
else should run on the machine meanwhile.

Intervals are of 95 %, by a bootstrap over documents, or over windows where there are
fewer than ten documents. Interrupted with Ctrl-C, it prints what was scored so far,
which is a fair sample of the text.`,
		Example: `  lathe eval model.onnx --text wiki.test.raw --whole --context 1024 --stride 512
  lathe eval ./my-gpt2 --text mail/*.jsonl.gz --field body
  lathe eval +fused +int8b32 +int4b32 --weights ./my-gpt2 --text dev.txt
  lathe eval ./my-gpt2 --lambada lambada_test.jsonl --json
  lathe eval ./base ./pick --complete test.txt --rule base.json --rule pick.json --time 300`,
		Args: cobra.ArbitraryArgs, // RunE refuses them, as bad input
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.validate(cmd.Flags(), args); err != nil {
				return badInput(err)
			}
			return a.evaluate(cmd.Context(), &f, args)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.weights, "weights", "", "`PATH` or hf:NAME of the model whose weights candidates have, or random")
	fs.StringArrayVar(&f.text, "text", nil, "score this `FILE`, folder or pattern; may be repeated")
	fs.StringArrayVar(&f.fields, "field", nil, "JSON field that is the text, `NAME` (default text); of several, a blank line stands between")
	fs.StringVar(&f.separator, "separator", "", "what stands between the documents of a text file (default <|endoftext|>)")
	fs.BoolVar(&f.whole, "whole", false, "a text file is one document")
	fs.StringVar(&f.lambada, "lambada", "", "guess the last words of the passages in this `FILE`")
	fs.StringArrayVar(&f.complete.text, "complete", nil, "complete sentences of this `FILE`, folder or pattern; may be repeated")
	f.complete.sizes(fs)
	fs.StringArrayVar(&f.rules, "rule", nil, "thresholds of --complete, a `FILE` of lathe calibrate: one for all models, or one for each")
	fs.IntVar(&f.time, "time", 0, "time so many of the requests of --complete in pairs with the first model")
	fs.StringVar(&f.tokenizer, "tokenizer", "", "the models' tokenizer: `FILE` or folder, as in \"lathe workload\" (default: beside the first model; of --complete, beside each)")
	fs.StringVar(&f.bos, "bos", bosAuto, "token before every document: its `NAME` or id, none, or auto: <s> or <|begin_of_text|> where the tokenizer has it")
	fs.IntVar(&f.context, "context", 0, "tokens of a window (default: the models' positions, 1024 at most)")
	fs.IntVar(&f.stride, "stride", 0, "tokens from a window to the next (default: half of --context)")
	fs.IntVar(&f.batch, "batch", 0, "short windows that are run at once (default 8)")
	fs.IntVar(&f.limit, "limit", 0, "score the first so many documents or passages only")
	fs.Uint64("seed", 0, "seed of random weights and of the bootstrap")
	a.bind(fs, "seed", "seed")
	return cmd
}

// validate refuses flags that say nothing, or contradict each other.
func (f *evalFlags) validate(fs *pflag.FlagSet, args []string) error {
	switch {
	case len(args) == 0 && f.weights == "":
		return errors.New("eval: one MODEL needed, 0 given: an ONNX file, a folder, or --weights PATH; see lathe eval --help")
	case len(f.text) == 0 && f.lambada == "" && len(f.complete.text) == 0:
		return errors.New("eval: nothing to score: give --text FILE, --lambada FILE, or --complete FILE")
	}
	if len(f.text) == 0 {
		for _, name := range []string{"field", "separator", "whole", "stride"} {
			if fs.Changed(name) && (name == "stride" || len(f.complete.text) == 0) {
				return fmt.Errorf("eval: --%s is for --text", name)
			}
		}
	}
	if err := f.validateComplete(fs, args); err != nil {
		return err
	}
	for name, n := range map[string]int{"context": f.context, "stride": f.stride, "batch": f.batch, "limit": f.limit} {
		if fs.Changed(name) && n < 1 {
			return fmt.Errorf("eval: --%s is %d: want 1 or more", name, n)
		}
	}
	return nil
}

// evaluated is what came of one model.
type evaluated struct {
	Model      string            `json:"model"`
	Perplexity *perplexityResult `json:"perplexity,omitempty"`
	Lambada    *lastWordResult   `json:"lambada,omitempty"`
	Completion *completionResult `json:"completion,omitempty"`
	Warnings   []string          `json:"warnings"`
}

type perplexityResult struct {
	eval.Result
	Ratio        *eval.Ratio `json:"ratio_to_first,omitempty"`
	Seconds      float64     `json:"seconds"`
	TokensPerSec float64     `json:"tokens_per_s"`
}

type lastWordResult struct {
	eval.LastWordResult
	Seconds float64 `json:"seconds"`
}

// evaluation is what lathe eval prints.
type evaluation struct {
	Text      []string    `json:"text,omitempty"`
	Lambada   string      `json:"lambada,omitempty"`
	Tokenizer string      `json:"tokenizer"`
	BOS       *int64      `json:"bos"` // the id before every document
	Complete  *caseText   `json:"complete,omitempty"`
	Results   []evaluated `json:"results"`
}

// evaluate scores models one after the other. What was scored before an interrupt, or
// before a model that fails, is printed.
func (a *app) evaluate(ctx context.Context, f *evalFlags, args []string) error {
	models, closeModels, err := a.toScore(ctx, f.weights, args)
	if err != nil {
		return err
	}
	defer closeModels()
	e := evaluation{Text: f.text, Lambada: f.lambada}
	tk, err := loadTokenizer(f.tokenizer, f.bos, models[0])
	if err != nil {
		return badInput(err)
	}
	e.Tokenizer, e.BOS = tk.path, tk.Begin
	texts, err := a.readTexts(ctx, f, tk.Encoder)
	if err != nil {
		return err
	}
	for i := range models {
		if len(texts.documents)+len(texts.passages) == 0 {
			break // sentences are completed with each model's own
		}
		if err := checkTokenizer(tk.path, tk.Tokenizer.VocabSize(), models[i].subject); err != nil {
			return badInput(err)
		}
	}
	texts.context, err = f.contextFor(models)
	if err != nil {
		return badInput(err)
	}
	var failed error
	for i := range models {
		if len(texts.documents)+len(texts.passages) == 0 {
			break
		}
		r, err := a.score(ctx, &models[i], f, texts)
		if r != nil {
			if len(e.Results) > 0 && r.Perplexity != nil && e.Results[0].Perplexity != nil {
				if ratio, ok := r.Perplexity.Against(&e.Results[0].Perplexity.Result, a.cfg.Seed); ok {
					r.Perplexity.Ratio = &ratio
				}
			}
			e.Results = append(e.Results, *r)
		}
		if err != nil {
			failed = err
			break
		}
	}
	if failed == nil && len(f.complete.text) > 0 {
		failed = a.evaluateCompletion(ctx, f, models, &e)
	}
	if len(e.Results) > 0 {
		if err := a.printEvaluation(&e); err != nil {
			return err
		}
	}
	return failed
}

// contextFor is the length of windows that all models take.
func (f *evalFlags) contextFor(models []scored) (int, error) {
	positions, of := 0, ""
	for _, m := range models {
		if n := m.subject.Positions(); n > 0 && (positions == 0 || n < positions) {
			positions, of = n, m.subject.Name()
		}
	}
	context := f.context
	switch {
	case context == 0 && positions == 0:
		context = eval.DefaultContext
	case context == 0:
		context = min(positions, eval.DefaultContext)
	case positions > 0 && context > positions:
		return 0, fmt.Errorf("eval: --context is %d, and %s has %d positions", context, of, positions)
	}
	if context < 2 {
		return 0, fmt.Errorf("windows of %d tokens: want 2 or more, one that is scored and one before it", context)
	}
	if f.stride > context {
		return 0, fmt.Errorf("eval: --stride is %d, and windows have %d tokens: those between them would be passed over", f.stride, context)
	}
	return context, nil
}
