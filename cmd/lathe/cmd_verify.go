package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lathe/graphgen/bundle"
	"lathe/profiler/verify"
	"lathe/reports"
)

// verifyFlags are what lathe verify is asked.
type verifyFlags struct {
	loaders, source, baseline string
	text                      evalFlags // of --text and how it is read
	maxIncrease               string
	requests                  int
	threads                   int
	markdown                  bool
	junit                     string
}

func (a *app) cmdVerify() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:         "verify FOLDER",
		Annotations: timing(),
		Short:       "Check a folder for production: files, configurations, what it computes, how fast",
		Long: `Check whether FOLDER is what it claims to be: a bundle of "lathe export", or a folder
that Optimum exported, or another's in such a layout. Exit status 3 if a check fails. For
each model of the folder:

  files, checksums     all there, with the contents that lathe.json lists
  config, genai_config they say what the graph is: layers, heads, sizes, positions
  tokenizer            its tokens are the model's
  feeds_optimum, feeds_transformers.js, feeds_genai
                       the graph takes what that program feeds, and gives what it reads
  session              a new session is created from the files; its time
  logits, tokens       behind some prompts they are the source's, within the precision's
                       bound: fp32 to the last digits, quantized as near as it gets
  generates            it generates what it did when it was exported
  steps                decoding step by step gives what one prefill gives
  left_padding         a batch padded on the left gives what each row gives alone
  buffers              past and present in one buffer give what copies give
  perplexity           of --text, before and after quantization
  size                 of the folder
  latency_char_p95     beside --baseline, in the way in which the program binds past and
                       present: one buffer (shared) for genai where its configuration says
                       so, copies for the others

The source is --source MODEL, a model as "lathe import" takes it; or else safetensors in
the folder, its fp32 model, or its own weights. They are lowered anew in fp32, to
operators of the other dialect, so that the file is held against another computation.
Where nothing of that is known the checks are skipped, and say so.`,
		Example: `  lathe verify ./deploy
  lathe verify ./deploy --source ./my-gpt2 --text dev.txt --max-ppl-increase 2%
  lathe verify ./optimum-export --for optimum --baseline ./deploy --requests 144
  lathe verify ./deploy --json --junit report.xml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return badInput(fmt.Errorf("verify: one FOLDER needed, %d given", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.verify(cmd.Context(), &f, cmd.Flags(), args[0])
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.loaders, "for", "", "programs that are to open it, `LIST` of optimum, transformers.js, genai (default: those whose layout it has)")
	fs.StringVar(&f.source, "source", "", "the model that it was made from, `PATH` or hf:NAME as in \"lathe import\"")
	fs.StringVar(&f.baseline, "baseline", "", "time it beside this bundle's `FOLDER` or ONNX file")
	fs.IntVar(&f.requests, "requests", 0, "pairs of requests that are timed beside --baseline (default 144; an interval takes 72)")
	fs.IntVar(&f.threads, "threads", 0, "threads of every session, 0: one, or those of its lathe.json")
	fs.StringArrayVar(&f.text.text, "text", nil, "measure perplexity on this `FILE`, folder or pattern, and generate behind its beginnings; may be repeated")
	fs.StringArrayVar(&f.text.fields, "field", nil, "JSON field that is the text, `NAME` (default text)")
	fs.StringVar(&f.text.separator, "separator", "", "what stands between the documents of a text file (default <|endoftext|>)")
	fs.BoolVar(&f.text.whole, "whole", false, "a text file is one document")
	fs.IntVar(&f.text.context, "context", 0, "tokens of a window (default: the model's positions, 1024 at most)")
	fs.IntVar(&f.text.limit, "limit", 0, "score the first so many documents only")
	fs.StringVar(&f.text.tokenizer, "tokenizer", "", "tokenizer of --text: `FILE` or folder (default: the folder's own)")
	fs.StringVar(&f.text.bos, "bos", bosAuto, "token before every document: its `NAME` or id, none, or auto: <s> or <|begin_of_text|> where the tokenizer has it")
	fs.StringVar(&f.maxIncrease, "max-ppl-increase", "", "fail a model whose perplexity is higher than its source's by more than this `SHARE`, such as 2%")
	fs.BoolVar(&f.markdown, "markdown", false, "print the table as Markdown")
	fs.StringVar(&f.junit, "junit", "", "write the checks to this `FILE` too, as JUnit's XML, which CI services show")
	fs.String("workload", "", "what is requested: default, typing, or a trace `FILE` (see lathe workload)")
	fs.Uint64("seed", 0, "seed of prompts, of the order of timing and of the bootstrap")
	a.bind(fs, "timing.workload", "workload")
	a.bind(fs, "seed", "seed")
	return cmd
}

// validate refuses flags that say nothing, or contradict each other.
func (f *verifyFlags) validate(fs *pflag.FlagSet) (loaders []bundle.Loader, most *float64, err error) {
	switch {
	case f.requests < 0 || f.requests == 0 && fs.Changed("requests"):
		return nil, nil, fmt.Errorf("verify: --requests is %d: want 1 or more", f.requests)
	case f.requests > 0 && f.baseline == "":
		return nil, nil, errors.New("verify: --requests are timed beside a --baseline, and none is given")
	case f.threads < 0:
		return nil, nil, fmt.Errorf("verify: --threads is %d: want 1 or more, or 0", f.threads)
	case f.maxIncrease != "" && len(f.text.text) == 0:
		return nil, nil, errors.New("verify: --max-ppl-increase needs --text FILE to measure perplexity on")
	}
	if len(f.text.text) == 0 {
		for _, name := range []string{"field", "separator", "whole", "context", "limit", "tokenizer", "bos"} {
			if fs.Changed(name) {
				return nil, nil, fmt.Errorf("verify: --%s is for --text", name)
			}
		}
	}
	if fs.Changed("limit") && f.text.limit < 1 {
		return nil, nil, fmt.Errorf("verify: --limit is %d: want 1 or more", f.text.limit)
	}
	if fs.Changed("context") && f.text.context < 2 {
		return nil, nil, fmt.Errorf("verify: --context is %d: want 2 tokens or more, one that is scored and one before it", f.text.context)
	}
	if f.loaders != "" {
		if loaders, err = bundle.ParseLoaders(f.loaders); err != nil {
			return nil, nil, err
		}
	}
	if f.maxIncrease != "" {
		v, err := share("verify", f.maxIncrease)
		if err != nil {
			return nil, nil, err
		}
		v++
		most = &v
	}
	return loaders, most, nil
}

// verify checks a folder and prints what came of it.
func (a *app) verify(ctx context.Context, f *verifyFlags, fs *pflag.FlagSet, dir string) (err error) {
	loaders, most, err := f.validate(fs)
	if err != nil {
		return badInput(err)
	}
	v := &verifying{a: a, dir: dir, threads: f.threads, most: most}
	defer func() { err = errors.Join(err, v.close()) }()
	if f.source != "" {
		if err := v.takeSource(ctx, f.source); err != nil {
			return err
		}
	}
	if len(f.text.text) > 0 {
		v.text = &f.text
		if err := v.readText(ctx); err != nil {
			return err
		}
	}
	o := v.options(loaders)
	if f.baseline != "" {
		if o.Latency, err = v.beside(ctx, f.baseline, f.requests); err != nil {
			return err
		}
	}
	r, err := v.check(ctx, o)
	if err != nil {
		return err
	}
	if f.junit != "" {
		if err := create(f.junit, func(w io.Writer) error { return reports.VerifyJUnit(w, verifyData(r)) }); err != nil {
			return err
		}
	}
	style := reports.Text
	if f.markdown {
		style = reports.Markdown
	}
	if a.json {
		err = a.printJSON(r)
	} else {
		err = reports.VerifyTable(a.stdout, style, verifyData(r))
	}
	if bad := r.Err(); err == nil && bad != nil {
		err = gateError{bad}
	}
	return err
}

// options are what the checks are made with.
func (v *verifying) options(loaders []bundle.Loader) verify.Options {
	began := time.Now()
	bar := v.a.bar(-1, "checking", false)
	o := verify.Options{
		Loaders: loaders, Open: v.open, Recognise: v.recognise, Source: v.source, Tokenizer: v.tokenizer, Elsewhere: v.elsewhere,
		Rand: rand.New(rand.NewPCG(v.a.cfg.Seed, verifyStream)),
		Now:  func() time.Duration { return time.Since(began) },
		Progress: func(what string) {
			bar.Describe(what)
			bar.Add(1)
		},
	}
	if v.texts != nil {
		o.Prompts, o.Perplexity = v.prompts, v.perplexity
	}
	v.finish = bar.Finish
	return o
}

// verifyStream tells the random numbers of checks from others of the same seed.
const verifyStream = 0x766572696679

// check runs the checks. What is no folder with a model is bad input.
func (v *verifying) check(ctx context.Context, o verify.Options) (*verify.Report, error) {
	defer v.finish()
	env, err := v.a.runtime(ctx) // which is no part of a session's time
	if err != nil {
		return nil, err
	}
	v.library = madeBy(env)
	r, err := verify.Folder(ctx, v.dir, o)
	if errors.Is(err, verify.ErrNoFolder) {
		err = badInput(err)
	}
	if r != nil {
		r.Warnings = append(r.Warnings, v.warnings...)
	}
	return r, err
}

// verifyData is a report as package reports takes it.
func verifyData(r *verify.Report) reports.Verification {
	out := reports.Verification{Folder: r.Folder, Loaders: r.Loaders, Source: r.Source, Warnings: r.Warnings}
	for _, c := range r.Checks {
		out.Checks = append(out.Checks, reports.VerifyCheck{
			Name: c.Name, File: c.File, Status: string(c.Status), Value: c.Value, Bound: c.Bound, CI: c.CI, Unit: c.Unit, Detail: c.Detail,
		})
	}
	return out
}
