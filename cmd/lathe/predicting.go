package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"lathe/finetune/predictor"
	"lathe/finetune/tokenizer"
	"lathe/profiler"
	"lathe/profiler/machine"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
)

// predictFlags are how models predict, of the commands in which they do.
type predictFlags struct {
	weights        string
	tokenizer, bos string
	ruleFile       string
	show, stop     float64
	scoring        string
	maxTokens      int
	maxChars       int
	context        int
}

// modelFlags adds those that say what the model is and how it reads.
func (f *predictFlags) modelFlags(fs *pflag.FlagSet) {
	fs.StringVar(&f.weights, "weights", "", "`PATH` or hf:NAME of the model whose weights candidates have")
	fs.StringVar(&f.tokenizer, "tokenizer", "", "the models' tokenizer: `FILE` or folder (default: beside the model)")
	fs.StringVar(&f.bos, "bos", bosAuto, "token before every context: its `NAME` or id, none, or auto: <s>, <|begin_of_text|>, or else the one that ends texts, where the tokenizer has it")
	fs.IntVar(&f.context, "context", 0, "most `TOKENS` of a context and its suggestion (default: the model's positions, 1024 at most)")
}

// lengthFlags adds those that bound a suggestion.
func (f *predictFlags) lengthFlags(fs *pflag.FlagSet) {
	fs.StringVar(&f.scoring, "scoring", string(predictor.Tokens), "what thresholds are compared with: token (each token's log-probability; of the first word the mean) or cumulative (the sum so far)")
	fs.IntVar(&f.maxTokens, "max-tokens", predictor.DefaultMaxTokens, "most tokens of a suggestion")
	fs.IntVar(&f.maxChars, "max-chars", 0, "most characters of a suggestion; 0: any number")
}

// ruleFlags adds those that say what is shown.
func (f *predictFlags) ruleFlags(fs *pflag.FlagSet) {
	fs.StringVar(&f.ruleFile, "rule", "", "thresholds in a `FILE` of \"lathe calibrate\"")
	fs.Float64Var(&f.show, "show", math.Inf(-1), "show a suggestion whose first word has this `LOGPROB` at least")
	fs.Float64Var(&f.stop, "stop", math.Inf(-1), "end it before the first token under this `LOGPROB`")
	f.lengthFlags(fs)
}

// rule is what the flags say: those of a file, or their own.
func (f *predictFlags) rule(fs *pflag.FlagSet) (predictor.Rule, error) {
	r := predictor.Rule{Scoring: predictor.Scoring(f.scoring), Show: f.show, Stop: f.stop, MaxTokens: f.maxTokens, MaxChars: f.maxChars}
	if fs.Changed("max-tokens") && f.maxTokens < 1 {
		return r, fmt.Errorf("--max-tokens is %d: want 1 or more", f.maxTokens)
	}
	if f.ruleFile == "" {
		return r, r.Validate()
	}
	for _, name := range []string{"show", "stop", "scoring", "max-tokens", "max-chars"} {
		if fs.Changed(name) {
			return r, fmt.Errorf("--%s is beside --rule, which has it: want one of them", name)
		}
	}
	return readRule(f.ruleFile)
}

// readRule reads the thresholds that lathe calibrate wrote.
func readRule(path string) (predictor.Rule, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return predictor.Rule{}, err
	}
	var file struct {
		Rule *predictor.Rule `json:"rule"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return predictor.Rule{}, fmt.Errorf("%s: %w", path, err)
	}
	if file.Rule == nil {
		return predictor.Rule{}, fmt.Errorf("%s has no \"rule\": want a file of lathe calibrate", path)
	}
	return *file.Rule, nil
}

// predicting is a model that is open to predict.
type predicting struct {
	name      string
	tokenizer *tokenizer.Tokenizer
	reader    predictor.Reader
	warnings  []string
	session   *ort.Session
	decode    decode.Options
	fresh     bool // contexts in parts would come out differently
	longest   int  // tokens of a context and its suggestion
}

// predictorTokenizer is the model's, and how contexts are read with it.
func (f *predictFlags) predictorTokenizer(m scored) (*tokenizer.Tokenizer, predictor.Reader, error) {
	tk, err := loadTokenizer(f.tokenizer, f.bos, m)
	if err != nil {
		return nil, predictor.Reader{}, err
	}
	if err := checkTokenizer(tk.path, tk.Tokenizer.VocabSize(), m.subject); err != nil {
		return nil, predictor.Reader{}, err
	}
	r := predictor.Reader{Vocabulary: tk.Tokenizer, Begin: tk.Begin}
	if id, ok := tk.Tokenizer.Ending(); f.bos == bosAuto && r.Begin == nil && ok {
		// In training it stood before every text but the first.
		begin := int64(id)
		r.Begin = &begin
	}
	return tk.Tokenizer, r, nil
}

// openPredicting makes the session of a model. threads is how many it has at least; 0:
// those that its name says, as what is timed has.
func (a *app) openPredicting(ctx context.Context, m *scored, f *predictFlags, threads int) (_ *predicting, err error) {
	p := &predicting{name: m.subject.Name(), warnings: m.warnings}
	if p.tokenizer, p.reader, err = f.predictorTokenizer(*m); err != nil {
		return nil, badInput(err)
	}
	const usual = 1024 // more is rarely typed, and the caches take memory
	p.longest = usual
	if n := m.subject.Positions(); n > 0 {
		p.longest = min(n, usual)
		if f.context > n {
			return nil, badInput(fmt.Errorf("--context is %d, and %s has %d positions", f.context, p.name, n))
		}
	}
	if f.context > 0 {
		p.longest = f.context
	}
	unrun := a.unrun
	defer func() { a.unrun = unrun }()
	if err := a.checkMemory(m.subject, profiler.Plan{PromptTokens: max(1, p.longest-1), PLPairs: 1}); err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	env, err := a.runtime(ctx)
	if err != nil {
		return nil, err
	}
	opts := sessionOptions(m.subject)
	opts.Name, opts.NoMemPattern = p.name, true // contexts have many lengths
	opts.Threads = max(opts.Threads, threads)
	path, remove := m.file.Path, func() error { return nil }
	if c, own := m.subject.Own(); own {
		if path, remove, err = a.writeScored(ctx, m.weights, c); err != nil {
			return nil, err
		}
		p.decode, p.fresh = ownGraph(c.Build), c.Build.QuantizesRuns()
	} else if err := m.file.unchanged(); err != nil {
		return nil, err
	}
	p.session, err = env.NewSessionFromFile(path, opts)
	gone := remove() // the session keeps what it has mapped
	if err != nil {
		return nil, errors.Join(providerInput(err), gone)
	}
	if gone != nil {
		return nil, errors.Join(gone, p.session.Close())
	}
	return p, nil
}

func (p *predicting) close() error { return p.session.Close() }

// cpus is the number of them, for work that is not timed.
func cpus() int {
	list, err := machine.CPUs()
	if err != nil {
		return 1
	}
	return max(1, len(list))
}

// model makes caches for rows contexts at once.
func (p *predicting) model(rows int) (*decode.Model, error) {
	o := p.decode
	o.Batch, o.MaxLen = rows, p.longest
	return decode.New(p.session, o)
}

// checkRoom refuses suggestions that leave a context no room.
func (p *predicting) checkRoom(maxTokens int) error {
	// Beside the suggestion a token of the text, and the one that may stand before it.
	if p.longest < maxTokens+2 {
		return badInput(fmt.Errorf("there is room for %d tokens, and suggestions may take %d: want a longer --context, or fewer tokens of a suggestion", p.longest, maxTokens))
	}
	return nil
}

// predictor makes one for a text that is being typed; the function closes it.
func (p *predicting) predictor() (*predictor.Predictor, func(), error) {
	m, err := p.model(1)
	if err != nil {
		return nil, nil, err
	}
	s, err := predictor.New(m, predictor.Options{Reader: p.reader, Fresh: p.fresh})
	if err != nil {
		m.Close()
		return nil, nil, badInput(err)
	}
	return s, m.Close, nil
}

// predictRows is how many contexts are decoded at once where no time is measured: their
// steps are then products of matrices, which keep all cores busy.
const predictRows = 16

// trace decodes what follows each context, thresholds aside.
func (a *app) trace(ctx context.Context, p *predicting, cases []predictor.Case, maxTokens int) ([]predictor.Traced, error) {
	if err := p.checkRoom(cmp.Or(maxTokens, predictor.DefaultMaxTokens)); err != nil {
		return nil, err
	}
	rows := min(predictRows, len(cases))
	if p.fresh {
		rows = 1 // what is quantized together changes what comes of it
	}
	m, err := p.model(rows)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	contexts := make([]string, len(cases))
	for i, c := range cases {
		contexts[i] = c.Context
	}
	bar := a.bar(int64(len(cases)), "completing with "+p.name, false)
	defer bar.Finish()
	traced, err := predictor.Batch(ctx, m, contexts, predictor.BatchOptions{
		Reader: p.reader, MaxTokens: maxTokens, Progress: func(done, _ int) { bar.Set(done) },
	})
	if errors.Is(err, predictor.ErrEmpty) {
		err = badInput(err)
	}
	return slices.Clip(traced), err
}
