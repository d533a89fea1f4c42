package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"

	"github.com/spf13/cobra"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/inspect"
	"lathe/graphgen/ir"
	"lathe/profiler"
	"lathe/profiler/machine"
	"lathe/profiler/operators"
	"lathe/profiler/record"
)

func (a *app) cmdProfile() *cobra.Command {
	var f profileFlags
	cmd := &cobra.Command{
		Use:         "profile CANDIDATE",
		Annotations: timing(),
		Short:       "Show where a candidate's time goes, by operator and by layer",
		Long: `Run a candidate as it is timed and shipped, with ONNX Runtime's trace on, and
show where the time of a prefill and of a decode step goes: by operator and by
layer, each with its share of the time.

Beside each time stands what it could be at best. "at memory limit" is the time
that its weights, cache and activations take at the read bandwidth of this
machine, "at compute limit" the time that its operations take at the rate of a
large fp32 product in the same library; both rates are measured before and after
the runs, and the better counts. The greater time is the limit, and "attained"
is the limit over the time. Decode is bound by memory: fewer bytes (a smaller or
quantized model) make it faster, fewer operations do not. A prefill is bound by
arithmetic.

Attained is over 100 % where weights stay in the processor's caches, as those of a
small model do, and where int8 products beat the fp32 rate.

A trace slows what it looks at, small operators most. The same runs are made in
a session without one, in alternation, and the table says what the trace adds.
--keep FILE keeps the trace itself, for a browser's trace viewer
(chrome://tracing, ui.perfetto.dev).`,
		Example: `  lathe profile gpt2-l12-d1024-f4096-h16
  lathe profile gpt2-l12-d1024-f4096-h16+int4b32 --phase decode --by layer
  lathe profile gpt2-l7-d1280-f6016-h16 --top 5 --keep trace.json --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return badInput(fmt.Errorf("profile: one CANDIDATE needed, %d given", len(args)))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.loadRunnable(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			plan, err := f.plan(a.cfg.Timing)
			if err != nil {
				return badInput(err)
			}
			p, err := a.profile(cmd.Context(), r, plan, f.keep)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(p)
			}
			return a.printProfile(p, f)
		},
	}
	fs := cmd.Flags()
	fs.Int("prompt", 0, "prompt tokens of the prefill")
	fs.Int("generated", 0, "tokens decoded after the prompt")
	fs.Uint64("seed", 0, "seed of the tokens that are fed")
	a.bind(fs, "timing.prompt_tokens", "prompt")
	a.bind(fs, "timing.generated_tokens", "generated")
	a.bind(fs, "seed", "seed")
	fs.StringVar(&f.phase, "phase", "both", "prefill, decode or both")
	fs.IntVar(&f.runs, "runs", 10, "prompts, each with its decode steps, that the figures are medians of")
	fs.IntVar(&f.top, "top", 0, "rows of a table, the longest; the others are summed (default all)")
	fs.StringVar(&f.by, "by", "", "operator or layer: one table alone (default both)")
	fs.StringVar(&f.keep, "keep", "", "`FILE` to keep the library's trace in")
	return cmd
}

// profileFlags are profile's own.
type profileFlags struct {
	phase, by, keep string
	runs, top       int
}

// Names of the two tables.
const (
	byOperator = "operator"
	byLayer    = "layer"
)

func (f profileFlags) plan(t timingConfig) (operators.Plan, error) {
	p := operators.Plan{Prompt: t.PromptTokens, Generated: t.GeneratedTokens, Rounds: f.runs}
	switch f.phase {
	case string(operators.Prefill):
		p.Prefill, p.Generated = true, 0
	case string(operators.Decode):
		p.Decode = true
	case "both":
		p.Prefill, p.Decode = true, true
	default:
		return p, fmt.Errorf("profile: unknown phase %q: %s", f.phase, meant(f.phase, []string{string(operators.Prefill), string(operators.Decode), "both"}))
	}
	if f.by != "" && f.by != byOperator && f.by != byLayer {
		return p, fmt.Errorf("profile: no table by %q: %s", f.by, meant(f.by, []string{byOperator, byLayer}))
	}
	if f.top < 0 {
		return p, fmt.Errorf("profile: --top is %d; want 1 or more rows, or 0 for all", f.top)
	}
	return p, p.Validate()
}

// profiled is profile's result.
type profiled struct {
	Candidate string              `json:"candidate"`
	Binding   string              `json:"binding"`
	Host      record.Host         `json:"host"`
	Threads   int                 `json:"threads"`
	Seed      uint64              `json:"seed"`
	Trace     string              `json:"trace,omitempty"` // the file that it was kept in
	Phases    []operators.Profile `json:"phases"`
}

// profile runs a candidate with a trace and, in alternation, without.
func (a *app) profile(ctx context.Context, r runnable, plan operators.Plan, keep string) (p *profiled, err error) {
	opening := profiler.Plan{PromptTokens: plan.Prompt, GeneratedTokens: plan.Generated, PLPairs: 1}
	cpus, err := a.pinnedCPUs(r.Subject.Threads())
	if err != nil {
		return nil, badInput(err)
	}
	a.checkThreads(r.Subject.Threads())
	a.checkFloat(r.Subject)
	plain, err := a.open(ctx, r, opening, cpus)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plain.close()) }()
	plan.KeepsLast = plain.model.Info().KeepsLast
	g, nodes, err := r.graph()
	if err != nil {
		return nil, err
	}
	// The library's rewriting makes nodes fewer, never more.
	if most := operators.MaxEvents / (nodes + 3); len(plan.Schedule()) > most {
		return nil, badInput(fmt.Errorf("profile: %d rounds are %d runs of %d nodes; the library keeps a trace of %d such runs: fewer --runs or --generated tokens",
			plan.Rounds, len(plan.Schedule()), nodes, most))
	}
	rates, doubts, err := a.machineRates(ctx, r.Subject)
	if err != nil {
		return nil, err
	}
	t, err := a.openTraced(ctx, plain, g, opening)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.close()) }()

	ids := make([]int64, plan.Prompt+plan.Generated)
	rng := rand.New(rand.NewPCG(a.cfg.Seed, 0))
	for i := range ids {
		ids[i] = rng.Int64N(int64(plain.model.Info().Vocab))
	}
	bar := a.bar(100, r.name(), false)
	var traced, untraced []int64
	pinning, err := pinned(cpus, func() (err error) {
		traced, untraced, err = operators.Alternate(ctx, profiler.Sequence(t.model), profiler.Sequence(plain.model), plan, ids,
			func(share float64) { bar.Set(int(100 * share)) })
		return err
	})
	if err != nil {
		return nil, err
	}
	again, moreDoubts, err := a.machineRates(ctx, r.Subject)
	if err != nil {
		return nil, err
	}
	doubts = append(append(pinning, doubts...), moreDoubts...)
	best := operators.Machine{ReadBytesPerSecond: max(rates.ReadBytesPerSecond, again.ReadBytesPerSecond),
		FlopsPerSecond: max(rates.FlopsPerSecond, again.FlopsPerSecond)}
	events, err := t.finish()
	if err != nil {
		return nil, err
	}
	if keep != "" {
		if err := create(keep, func(w io.Writer) error { _, err := io.Copy(w, events); return err }); err != nil {
			return nil, err
		}
		if _, err := events.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
	}
	trace, err := operators.Read(events)
	if err != nil {
		return nil, err
	}
	schedule := plan.Schedule()
	phases, err := operators.Analyze(trace, operators.Options{Graph: g, Schedule: schedule, Machine: best})
	if err != nil {
		return nil, err
	}
	for i := range phases {
		if err := phases[i].Compare(schedule, traced, untraced); err != nil {
			return nil, err
		}
		phases[i].Warnings = append(phases[i].Warnings, append(doubts, unsteady(rates, again)...)...)
	}
	return &profiled{Candidate: r.name(), Binding: plain.binding(), Host: a.hostOn(r.Subject.Provider()), Threads: r.Subject.Threads(),
		Seed: a.cfg.Seed, Trace: keep, Phases: phases}, nil
}

// graph is the graph that a candidate is, or none of a file, and how many nodes it
// has, those of subgraphs aside.
func (r runnable) graph() (*ir.Graph, int, error) {
	c, own := r.Subject.Own()
	if !own {
		report, err := inspect.File(r.Path)
		if err != nil {
			return nil, 0, err
		}
		return nil, report.Nodes, nil
	}
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		return nil, 0, badInput(err)
	}
	return g, len(g.Nodes), nil
}

// unsteady says it where a machine's rates before and after the runs differ so much
// that something else took its share: limits are then too low, or what is attained
// is.
func unsteady(before, after operators.Machine) (warnings []string) {
	const most = 0.1
	for _, r := range []struct {
		what, unit    string
		before, after float64
	}{
		{"read bandwidth", "GB/s", before.ReadBytesPerSecond, after.ReadBytesPerSecond},
		{"rate of operations", "GFLOP/s", before.FlopsPerSecond, after.FlopsPerSecond},
	} {
		if high := max(r.before, r.after); min(r.before, r.after) > 0 && high-min(r.before, r.after) > most*high {
			warnings = append(warnings, fmt.Sprintf("the machine's %s was %.3g %s before the runs and %.3g after: something else is running; limits and what is attained are uncertain by as much",
				r.what, r.before/1e9, r.unit, r.after/1e9))
		}
	}
	return warnings
}

// machineRates measures what a build could at best use. Those of another provider's
// device are not known. What cannot be measured is a doubt, and 0; only ctx's end
// is an error.
func (a *app) machineRates(ctx context.Context, s record.Subject) (m operators.Machine, doubts []string, err error) {
	if s.Provider().Name != arch.CPU {
		return m, nil, nil
	}
	cpus, err := machine.CPUs()
	if err != nil {
		return m, []string{err.Error()}, nil
	}
	threads := min(s.Threads(), len(cpus)) // more take turns, and do no more
	if m.ReadBytesPerSecond, err = machine.ReadBandwidth(ctx, threads); err == nil {
		m.FlopsPerSecond, err = operators.FlopRate(ctx, a.env, threads)
	}
	if err != nil {
		doubts = append(doubts, err.Error())
	}
	return m, doubts, ctx.Err()
}

// pinned does what it is given on a thread that is kept on the first of cpus, the
// caller's, if there are any. Where that cannot be it is done all the same, and
// said.
func pinned(cpus []int, do func() error) (doubts []string, err error) {
	if len(cpus) == 0 {
		return nil, do()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	unpin, err := machine.PinThread(cpus[:1])
	if err != nil {
		return []string{fmt.Sprintf("the timing thread runs unpinned: %v", err)}, do()
	}
	return nil, errors.Join(do(), unpin())
}
