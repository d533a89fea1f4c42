package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lathe/finetune/tokenizer"
	"lathe/profiler/record"
	"lathe/profiler/workload"
	"lathe/reports"
)

// workloadFlags are what lathe workload makes.
type workloadFlags struct {
	generate  string
	texts     []string
	tokenizer string
	split     string
	out       string
	noThink   bool
	generated workload.Options
	typed     workload.TextOptions
}

func (a *app) cmdWorkload() *cobra.Command {
	var f workloadFlags
	cmd := &cobra.Command{
		Use:   "workload [TRACE]",
		Short: "Make the requests that are timed, from text or a generator, or describe them",
		Long: `Print what is in a workload: how long its prompts and its answers are, how many
characters they show, and how long the predictor waits for each request. A
workload is timed by "lathe measure --requests N --workload TRACE".

TRACE is a file of JSON lines, one request a line, as a predictor can log them:
  {"prompt_tokens": 64, "generated_tokens": 4, "chars": 17, "think_ms": 1200}
chars is the number of characters that were shown, 0 if nothing was; think_ms the
time since the last answer, which may be left out. The first line may name it:
  {"workload": "keyboard", "description": "a week of one user"}

With --text the requests are those of a predictor that is asked at the ends of
words while these texts are typed: the context is the message so far, the answer
as many characters as its tokens have in the text that follows. Tokens are counted
with the model's own tokenizer, or by --chars-per-token. More FILEs may follow.

With --generate they are drawn: default, what measure times by itself, back to
back; or typing, with the pauses of someone who types. The first request after a
pause finds the caches cold, and is part of P95.`,
		Example: `  lathe workload --text mail.txt --tokenizer gpt2/tokenizer.json -o mail.jsonl
  lathe workload --text chat1.txt chat2.txt --chars-per-token 4.2 --requests 500 -o chat.jsonl
  lathe workload --generate typing --requests 1000 -o typing.jsonl
  lathe workload mail.jsonl --json
  lathe measure gpt2-l7-d1280-f6016-h16 --requests 144 --workload mail.jsonl`,
		Args: cobra.ArbitraryArgs, // RunE refuses them, as bad input
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.makeWorkload(cmd.Context(), &f, cmd.Flags(), args)
			if err != nil {
				return err
			}
			if f.out != "" {
				if err := create(f.out, func(out io.Writer) error { return workload.Write(out, w) }); err != nil {
					return err
				}
			}
			return a.printWorkload(w, f.out)
		},
	}
	f.add(cmd.Flags())
	cmd.Flags().Uint64("seed", 0, "seed of what is drawn")
	a.bind(cmd.Flags(), "seed", "seed")
	return cmd
}

// add adds the flags. Those that are 0 leave the packages' defaults, which the help
// names.
func (f *workloadFlags) add(fs *pflag.FlagSet) {
	g, t := &f.generated, &f.typed
	fs.StringVar(&f.generate, "generate", "", "draw requests: `NAME` of a generator, "+strings.Join(workload.Generators, " or "))
	fs.StringArrayVar(&f.texts, "text", nil, "simulate someone typing this `FILE`; may be repeated")
	fs.StringVar(&f.tokenizer, "tokenizer", "", "tokenizer to count with: `FILE` or folder with a tokenizer.json, a vocab.json and merges.txt, a tokenizer.model, or a tokenizer.bin")
	fs.StringVar(&f.split, "split", "line", "what a message of the text is: each line, paragraph (parted by blank lines) or file")
	fs.StringVarP(&f.out, "output", "o", "", "`FILE` to write the trace to")
	fs.IntVar(&g.Requests, "requests", 0, "number of requests (default 256 if drawn, all that a text gives)")
	fs.IntVar(&g.GeneratedMax, "generated-max", 0, "most tokens of an answer (default 12)")
	fs.Float64Var(&g.Stop, "stop", 0, "probability that an answer ends after a token (default 0.25)")
	fs.Float64Var(&g.CharsPerToken, "chars-per-token", 0, "characters of a token: their mean (default 4.2), or of text without --tokenizer the rate")
	fs.Float64Var(&g.Silent, "silent", 0, "share of requests that show nothing")
	fs.BoolVar(&f.noThink, "no-think", false, "leave pauses out: requests come back to back")
	fs.Float64Var(&g.PromptMedian, "prompt-median", 0, "median of the drawn prompts' tokens (default 64)")
	fs.Float64Var(&g.PromptSigma, "prompt-sigma", 0, "sigma of their logarithm (default 0.5)")
	fs.IntVar(&g.PromptMin, "prompt-min", 0, "fewest tokens of a drawn prompt (default 16)")
	fs.IntVar(&g.PromptMax, "prompt-max", 0, "most tokens of a drawn prompt (default 128)")
	fs.IntVar(&t.Context, "context", 0, "most tokens of context, the last ones of what was typed (default 128)")
	fs.IntVar(&t.Every, "every", 0, "ask at one in so many ends of words (default 1)")
	fs.Float64Var(&t.Share, "share", 0, "probability of asking there (default 1)")
	fs.Float64Var(&t.CharMS, "char-ms", 0, "milliseconds to type a character (default 240)")
	fs.Float64Var(&t.PauseMS, "pause-ms", 0, "median pause before a message, in milliseconds (default 8000)")
}

// Flags that are of one way to make a workload only.
var (
	generateFlags = []string{"prompt-median", "prompt-sigma", "prompt-min", "prompt-max"}
	textFlags     = []string{"tokenizer", "split", "context", "every", "share", "char-ms", "pause-ms"}
	makingFlags   = []string{"output", "requests", "generated-max", "stop", "chars-per-token", "silent", "no-think"}
)

// makeWorkload makes or reads the one that the flags and arguments ask for.
func (a *app) makeWorkload(ctx context.Context, f *workloadFlags, fs *pflag.FlagSet, args []string) (record.Workload, error) {
	refuse := func(instead string, groups ...[]string) error {
		for _, name := range slices.Concat(groups...) {
			if fl := fs.Lookup(name); fl.Changed {
				return badInput(fmt.Errorf("--%s %s", name, instead))
			}
		}
		return nil
	}
	for _, name := range slices.Concat(generateFlags, textFlags, makingFlags) {
		if fl := fs.Lookup(name); fl.Changed && fl.Value.String() == "0" && name != "silent" {
			return record.Workload{}, badInput(fmt.Errorf("--%s is 0: want more", name))
		}
	}
	switch {
	case f.generate != "" && len(f.texts) > 0:
		return record.Workload{}, badInput(errors.New("--generate and --text: want one of them"))
	case len(f.texts) > 0:
		if err := refuse("goes with --generate", generateFlags); err != nil {
			return record.Workload{}, err
		}
		return a.typedWorkload(ctx, f, append(f.texts, args...))
	case f.generate != "":
		if len(args) > 0 {
			return record.Workload{}, badInput(fmt.Errorf("--generate and the trace %s: want one of them", args[0]))
		}
		if err := refuse("goes with --text", textFlags); err != nil {
			return record.Workload{}, err
		}
		return a.drawnWorkload(f, fs)
	case len(args) != 1:
		return record.Workload{}, badInput(fmt.Errorf("workload: 1 TRACE needed, %d given, or --text or --generate; see lathe workload --help", len(args)))
	}
	if err := refuse("goes with --text or --generate: "+args[0]+" is described as it is", generateFlags, textFlags, makingFlags); err != nil {
		return record.Workload{}, err
	}
	return readTrace(args[0])
}

// drawnWorkload is a generator's, under its name where nothing but its length is
// changed.
func (a *app) drawnWorkload(f *workloadFlags, fs *pflag.FlagSet) (record.Workload, error) {
	n := f.generated.Requests
	if n == 0 {
		n = workload.DefaultRequests
	}
	w, err := workload.Named(f.generate, a.cfg.Seed, n)
	if err != nil {
		return w, badInput(err)
	}
	changed := f.noThink
	for _, name := range slices.Concat(generateFlags, makingFlags) {
		changed = changed || name != "requests" && name != "output" && fs.Lookup(name).Changed
	}
	if !changed {
		return w, nil
	}
	o := f.generated
	if f.generate == "typing" && !f.noThink {
		o.Think = workload.TypingThink()
	}
	w, err = workload.Generate(o, rand.New(rand.NewPCG(a.cfg.Seed, workloadStream)))
	w.Name = fmt.Sprintf("%s-%d", w.Name, a.cfg.Seed)
	w.Description += fmt.Sprintf("; seed %d", a.cfg.Seed)
	return w, badInput(err)
}

// workloadStream keeps the drawing of workloads apart from other uses of the seed.
const workloadStream = 0x3ad10ad

// typedWorkload simulates someone who types the texts.
func (a *app) typedWorkload(ctx context.Context, f *workloadFlags, files []string) (record.Workload, error) {
	o, g := f.typed, f.generated
	o.Requests, o.Stop, o.GeneratedMax, o.Silent, o.CharsPerToken = g.Requests, g.Stop, g.GeneratedMax, g.Silent, g.CharsPerToken
	o.NoThink = f.noThink
	counted := ""
	switch {
	case f.tokenizer == "" && o.CharsPerToken == 0:
		return record.Workload{}, badInput(errors.New("--text needs --tokenizer, a file or folder, or --chars-per-token, such as 4.2: tokens are what is timed"))
	case f.tokenizer != "" && o.CharsPerToken != 0:
		return record.Workload{}, badInput(errors.New("--tokenizer and --chars-per-token: want one of them"))
	case f.tokenizer != "":
		tk, err := tokenizer.Load(f.tokenizer)
		if err != nil {
			return record.Workload{}, badInput(err)
		}
		o.Tokenizer = tk
		counted = fmt.Sprintf(", tokenizer %s", filepath.Base(f.tokenizer))
	}
	if err := o.Validate(); err != nil {
		return record.Workload{}, badInput(err)
	}
	var messages []string
	var names []string
	for _, file := range files {
		m, err := readMessages(file, f.split)
		if err != nil {
			return record.Workload{}, badInput(err)
		}
		messages = append(messages, m...)
		names = append(names, filepath.Base(file))
	}
	bar := a.bar(100, "typing", false)
	o.Progress = func(share float64) { bar.Set(int(100 * share)) }
	w, err := workload.FromText(ctx, messages, o, rand.New(rand.NewPCG(a.cfg.Seed, workloadStream)))
	bar.Finish()
	if err != nil && ctx.Err() == nil {
		err = badInput(err) // all that is left is text that does not give it
	}
	if len(names) > 3 {
		names = append(names[:2], fmt.Sprintf("%d more files", len(names)-2))
	}
	w.Name = strings.TrimSuffix(names[0], filepath.Ext(names[0]))
	w.Description = fmt.Sprintf("from %s by %s%s, seed %d: %s", strings.Join(names, ", "), f.split, counted, a.cfg.Seed, w.Description)
	return w, err
}

// readMessages reads a text and parts it: into its lines, into what stands between
// blank lines, or not at all. Messages of white space alone are none.
func readMessages(file, split string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(data) {
		line := 1
		for l := range strings.Lines(string(data)) {
			if !utf8.ValidString(l) {
				break
			}
			line++
		}
		return nil, fmt.Errorf("%s:%d: not UTF-8: want plain text", file, line)
	}
	text := strings.TrimPrefix(strings.ReplaceAll(string(data), "\r\n", "\n"), "\ufeff")
	var all []string
	switch split {
	case "line":
		all = strings.Split(text, "\n")
	case "paragraph":
		var lines []string
		for line := range strings.SplitSeq(text+"\n", "\n") {
			if strings.TrimSpace(line) != "" {
				lines = append(lines, line)
				continue
			}
			all, lines = append(all, strings.Join(lines, "\n")), nil
		}
	case "file":
		all = []string{text}
	default:
		return nil, fmt.Errorf("--split is %q; known: line, paragraph, file", split)
	}
	return slices.DeleteFunc(all, func(m string) bool { return strings.TrimSpace(m) == "" }), nil
}

// printWorkload writes what is in w, and where it was written.
func (a *app) printWorkload(w record.Workload, file string) error {
	d := workload.Describe(w)
	if a.json {
		return a.printJSON(struct {
			workload.Description
			File string `json:"file,omitempty"`
		}{d, file})
	}
	if err := reports.WorkloadTable(a.stdout, reports.Text, d); err != nil {
		return err
	}
	if limit := a.cfg.Timing.ThinkMaxMS; d.ThinkMS.Max > float64(limit) {
		fmt.Fprintf(a.stdout, "Think times over %d ms are cut to it when they are timed (timing.think_max_ms, --think-max).\n", limit)
	}
	if file != "" {
		fmt.Fprintf(a.stdout, "Written to %s; lathe measure CANDIDATE --requests %d --workload %s times it.\n", file, min(len(w.Requests), workload.DefaultRequests), file)
	}
	return nil
}
