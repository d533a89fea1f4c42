package verify

import (
	"context"
	"errors"
	"fmt"

	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
)

// running is a model under check, with its session.
type running struct {
	*verifier
	m       bundle.Model
	f       *facts
	s       *ort.Session
	bounds  Bounds
	opens   []bundle.Loader // that open it
	longest int
	source  string // what the logits are held against
	wrong   error  // why that is another model, found before a logit was compared
}

// model checks one model of the folder.
func (v *verifier) model(ctx context.Context, m bundle.Model) error {
	file := m.File
	if err := ctx.Err(); err != nil {
		return err
	}
	v.progress("%s", file)
	if m.Optimized() && v.o.Elsewhere != nil {
		if why := v.o.Elsewhere(m.Entry); why != "" {
			v.add(skipped(Session, file, why))
			return nil
		}
	}
	f, d, err := v.factsOf(m)
	if err != nil {
		// What it is said to be is known to no loader of ours.
		v.add(failed(v.feedsName(), file, err))
		v.skipRuns(file, "the graph is no decoder that can be run")
		return nil
	}
	v.add(checkConfig(v.b, m, f))
	if v.b.GenAI != nil && v.b.GenAI.Model == file {
		v.add(checkGenAI(v.b.GenAI, m, f))
	}
	r := &running{verifier: v, m: m, f: f, bounds: BoundsOf(f.build)}
	if !m.Optimized() {
		for _, l := range v.loaders {
			if c, opens := checkFeeds(v.b, m, l, d, f.info); opens {
				v.add(c)
				r.opens = append(r.opens, l)
			}
		}
	}
	if v.o.Open == nil {
		v.skipRuns(file, "there is nothing to run it with")
		return nil
	}
	if n := f.info.Batch; f.info.FixedBatch && n > 1 {
		v.skipRuns(file, fmt.Sprintf("the graph takes %d rows and no others", n))
		return nil
	}
	prompts, err := r.prompts()
	if err != nil {
		return err
	}
	// The source first, so that only one of the two is in memory.
	want, why, err := r.sourceTraces(ctx, prompts)
	if err != nil {
		return err
	}
	if err := r.create(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		v.add(failed(Session, file, err))
		v.skipRuns(file, "there is no session")
		return nil
	}
	err = r.checks(ctx, prompts, want, why)
	return errors.Join(err, r.s.Close())
}

// feedsName is the name under which a graph fails that nobody can feed.
func (v *verifier) feedsName() string {
	if len(v.loaders) > 0 {
		return FeedsPrefix + string(v.loaders[0])
	}
	return FeedsPrefix + "lathe"
}

// skipRuns notes the checks that run a model.
func (v *verifier) skipRuns(file, why string) {
	for _, name := range []string{Logits, Tokens, Steps, LeftPadding, Buffers} {
		v.add(skipped(name, file, why))
	}
}

// create makes the session, and says how long it took.
func (r *running) create(ctx context.Context) (err error) {
	began := r.o.Now()
	if r.s, err = r.o.Open(ctx, r.b, r.m); err != nil {
		return err
	}
	seconds := (r.o.Now() - began).Seconds()
	r.add(Check{Name: Session, File: r.m.File, Status: Passed, Value: &seconds, Unit: "s", Detail: fmt.Sprintf("created, %.1f MB", float64(r.m.Bytes)/1e6)})
	return nil
}

// positions is 0 where they are not known.
func (r *running) positions() int {
	if r.f.spec != nil {
		return r.f.spec.Positions
	}
	return r.b.Positions
}

// open makes caches for a number of rows.
func (r *running) open(o decode.Options) (*decode.Model, error) {
	o.MaxLen, o.Vocab, o.NoProbe = r.longest, r.f.vocab(), true
	return decode.New(r.s, o)
}

// checks runs the model in all ways. want is what its source computes, nil where there
// is none, for the reason why.
func (r *running) checks(ctx context.Context, prompts [][]int64, want []*trace, why string) error {
	m, err := r.open(decode.Options{Mode: decode.Copied})
	if err != nil {
		return r.broken(ctx, err)
	}
	defer m.Close()
	var own []*trace // its own way, or the source's tokens
	for i, p := range prompts {
		var then []int64
		if want != nil {
			then = want[i].then
		}
		t, err := generate(ctx, m, p, then, steps(p, r.positions()))
		if err != nil {
			return r.broken(ctx, err)
		}
		own = append(own, t)
	}
	if want != nil {
		r.against(own, want)
	} else if r.wrong != nil {
		r.add(failed(Logits, r.m.File, r.wrong), skipped(Tokens, r.m.File, "the source cannot be run beside it"))
	} else {
		r.add(skipped(Logits, r.m.File, why), skipped(Tokens, r.m.File, why))
	}
	for _, check := range []func(context.Context, *decode.Model, []*trace) (Check, error){r.generates, r.stepwise, r.padded, r.buffers} {
		c, err := check(ctx, m, own)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.File, c.Status, c.Detail = r.m.File, Failed, err.Error()
		}
		if c.Status != "" {
			r.add(c)
		}
	}
	if err := r.perplexity(ctx); err != nil {
		return err
	}
	return r.latency(ctx)
}

// broken is a model that cannot be run: no answer, and the next model is checked.
func (r *running) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.add(failed(Logits, r.m.File, err))
	for _, name := range []string{Tokens, Steps, LeftPadding, Buffers} {
		r.add(skipped(name, r.m.File, "it does not run"))
	}
	return nil
}

// prompts are what is generated behind; longest is then what the longest takes.
func (r *running) prompts() (list [][]int64, err error) {
	vocab, positions := r.f.vocab(), r.positions()
	if vocab == 0 {
		vocab = max(1, r.b.Vocab)
	}
	if r.o.Prompts != nil {
		if list, err = r.o.Prompts(vocab, positions); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		room := positions
		if room == 0 {
			room = 2 * (generated + promptLens[0]) // that any model has
		}
		key := [2]int{vocab, room}
		if r.drawn[key] == nil { // the same for all models, whose source then runs once
			r.drawn[key] = draw(r.o.Rand, vocab, room)
		}
		list = r.drawn[key]
	}
	for _, p := range list {
		r.longest = max(r.longest, len(p)+generated)
	}
	if positions > 0 {
		r.longest = min(r.longest, positions)
	}
	return list, nil
}

// sourceTraces are what the source computes behind the prompts; why says why there is
// nothing.
func (r *running) sourceTraces(ctx context.Context, prompts [][]int64) (want []*trace, why string, err error) {
	if r.o.Source == nil {
		return nil, "no source was given", nil
	}
	src, err := r.o.Source(ctx, r.b, r.m)
	if errors.Is(err, ErrNoSource) {
		return nil, err.Error(), nil
	}
	if err != nil {
		return nil, "", err
	}
	r.source = src.Name
	if known := r.sources[src.Name]; sameTokens(known, prompts) {
		return known, "", nil
	}
	r.progress("%s: %s", r.m.File, src.Name)
	s, closeSource, err := src.Open(ctx)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, closeSource()) }()
	m, err := decode.New(s, decode.Options{MaxLen: r.longest, NoProbe: true})
	if err != nil {
		return nil, "", err
	}
	defer m.Close()
	if has, needs := m.Info().Vocab, r.f.vocab(); needs > 0 && has != needs {
		r.wrong = fmt.Errorf("it has a vocabulary of %d, and %s one of %d", needs, src.Name, has)
		return nil, "", nil
	}
	for _, p := range prompts {
		t, err := generate(ctx, m, p, nil, steps(p, r.positions()))
		if ctx.Err() != nil {
			return nil, "", ctx.Err()
		}
		if err != nil {
			r.wrong = fmt.Errorf("%s: %w", src.Name, err)
			return nil, "", nil
		}
		want = append(want, t)
	}
	if _, known := r.sources[src.Name]; !known {
		r.names = append(r.names, src.Name)
	}
	r.sources[src.Name] = want
	return want, src.Name, nil
}

// sameTokens reports whether traces are of those prompts.
func sameTokens(t []*trace, prompts [][]int64) bool {
	if len(t) != len(prompts) {
		return false
	}
	for i := range t {
		if len(t[i].prompt) != len(prompts[i]) {
			return false
		}
		for j, id := range t[i].prompt {
			if id != prompts[i][j] {
				return false
			}
		}
	}
	return true
}

// quantized reports a build that computes with less than its fp32 source.
func (b Bounds) quantized() bool { return b.KL > 0 }

// wholeTensor reports a build that quantizes all rows of a product together.
func wholeTensor(b arch.Build) bool {
	b = b.Normalized()
	return b.Precision.Type == arch.Int8Dyn || b.Head.Type == arch.Int8Dyn
}
