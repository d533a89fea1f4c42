package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"lathe/finetune/predictor"
)

// completeFlags are what lathe complete is asked.
type completeFlags struct {
	predictFlags
	baseline     string
	baselineRule string
	serve        string // an address; "": no page
	allowRemote  bool
}

// defaultAddress is where the page is, if --serve does not say. The port is one that the
// registry of ports has for nothing in use.
const defaultAddress = "127.0.0.1:8085"

func (a *app) cmdComplete() *cobra.Command {
	var f completeFlags
	cmd := &cobra.Command{
		Use:   "complete MODEL",
		Short: "Complete text as it is typed, in the terminal or on a local page",
		Long: `Show how a text goes on while it is typed, and how long finding out took.

In a terminal, the suggestion stands dimmed behind the cursor: Tab takes it, Escape
dismisses it, arrows, Home, End, Backspace, Ctrl-U, Ctrl-W and Ctrl-K edit, Enter goes to
the next line, Ctrl-D or Ctrl-C ends. All lines are one text, and an empty one begins
another. Keys never wait for the model. The cache of what was read is kept: of a text that
grew by a letter, the last token is read, and no more.

If the standard input is no terminal, or with --json, each of its lines is a text, which is
completed as if it had been typed behind the one before: what both begin with is not read
again. (tail -f of a file that grows is read as it grows.)

--serve shows a page with a text box that completes as one types, at ` + defaultAddress + ` or
the address behind it; port 0 takes a free one. It listens at loopback addresses only,
unless --allow-remote says that others may use it; there is neither a password nor
encryption. Ctrl-C ends it.

MODEL is as in "lathe eval". --baseline MODEL2 completes the same texts beside it; with
--weights it may be another candidate with these weights, such as +int4b32. Times
are those of one session at a time, with the threads that each model's name has (1 unless
+t2 or such is part of it).

What is shown, --rule says, thresholds that "lathe calibrate" found, or --show and --stop;
without them everything is shown that the model would write. The baseline has the same rule,
unless --baseline-rule gives it its own. Of a text that is longer than the model's positions
the beginning is left out, in blocks of a quarter, so that the rest stays in the cache.`,
		Example: `  lathe complete ./tuned --rule tuned-rule.json
  lathe complete ./tuned --baseline ./my-gpt2 --serve
  lathe complete ./tuned --json < texts.txt > suggestions.jsonl
  lathe complete +int4b32 --baseline +fused --weights ./tuned --show -0.7 --stop -1.2`,
		Args: cobra.ArbitraryArgs, // RunE refuses them, as bad input
		RunE: func(cmd *cobra.Command, args []string) error {
			models, err := f.models(args)
			if err != nil {
				return badInput(err)
			}
			rules, err := f.rules(cmd.Flags())
			if err != nil {
				return badInput(err)
			}
			return a.completeTexts(cmd.Context(), &f, models, rules)
		},
	}
	fs := cmd.Flags()
	f.modelFlags(fs)
	f.ruleFlags(fs)
	fs.StringVar(&f.baseline, "baseline", "", "complete the same texts with this `MODEL`, beside the other")
	fs.StringVar(&f.baselineRule, "baseline-rule", "", "the baseline's thresholds, in a `FILE` of \"lathe calibrate\" (default: those of the other)")
	fs.StringVar(&f.serve, "serve", "", "show a page, at `HOST:PORT` (default "+defaultAddress+")")
	fs.Lookup("serve").NoOptDefVal = defaultAddress
	fs.BoolVar(&f.allowRemote, "allow-remote", false, "with --serve: other machines may reach the page, and use the models")
	return cmd
}

// isAddress tells an address to listen at from a model.
func isAddress(arg string) bool {
	_, port, err := net.SplitHostPort(arg)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 64)
	return err == nil
}

// models are those that are named. The address of --serve may stand apart from it, which
// makes it look like an argument.
func (f *completeFlags) models(args []string) ([]string, error) {
	if f.serve != "" {
		if i := slices.IndexFunc(args, isAddress); i >= 0 {
			f.serve = args[i]
			args = slices.Delete(slices.Clone(args), i, i+1)
		}
	}
	switch {
	case len(args) != 1 && !(len(args) == 0 && f.weights != ""):
		return nil, fmt.Errorf("complete: one MODEL needed, %d given: an ONNX file, a folder, or --weights PATH; see lathe complete --help", len(args))
	case f.allowRemote && f.serve == "":
		return nil, errors.New("complete: --allow-remote is for --serve")
	case f.baselineRule != "" && f.baseline == "":
		return nil, errors.New("complete: --baseline-rule is for --baseline")
	}
	return args, nil
}

// rules are the pick's and the baseline's.
func (f *completeFlags) rules(fs *pflag.FlagSet) ([2]predictor.Rule, error) {
	r, err := f.rule(fs)
	if err != nil {
		return [2]predictor.Rule{}, fmt.Errorf("complete: %w", err)
	}
	both := [2]predictor.Rule{r, r}
	if f.baselineRule != "" {
		if both[1], err = readRule(f.baselineRule); err != nil {
			return both, fmt.Errorf("complete: %w", err)
		}
	}
	return both, nil
}

// completeTexts opens the models and completes what comes.
func (a *app) completeTexts(ctx context.Context, f *completeFlags, args []string, rules [2]predictor.Rule) (err error) {
	models, closeModels, err := a.toScore(ctx, f.weights, args)
	if err != nil {
		return err
	}
	defer closeModels()
	if f.baseline != "" {
		kind := f.weights
		if _, _, isFile := onnxArg(f.baseline); isFile || isModel(f.baseline) {
			kind = "" // it has its own
		}
		base, closeBase, err := a.toScore(ctx, kind, []string{f.baseline})
		if err != nil {
			return err
		}
		defer closeBase()
		models = append(models, base...)
	}
	texts := 1
	if f.serve != "" {
		texts = pageTexts
	}
	var writers []*writer
	for i := range models {
		w, err := a.openWriter(ctx, &models[i], f, rules[i], texts)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, w.close()) }()
		for _, warning := range w.warnings {
			a.note("warning: %s: %s", w.name, warning)
		}
		writers = append(writers, w)
	}
	_, inTerminal := isTerminal(a.stdin)
	_, outTerminal := isTerminal(a.stdout)
	switch {
	case f.serve != "":
		return a.completePage(ctx, f, writers)
	case inTerminal && outTerminal && !a.json:
		err := a.completeTerminal(ctx, writers)
		a.noteRemarks(writers)
		return err
	}
	return a.completeLines(ctx, writers)
}

// isTerminal reports whether a stream of the program is one, and its number.
func isTerminal(stream any) (fd int, ok bool) {
	if out, is := stream.(*output); is {
		stream = out.w
	}
	f, is := stream.(*os.File)
	if !is {
		return 0, false
	}
	return int(f.Fd()), term.IsTerminal(int(f.Fd()))
}
