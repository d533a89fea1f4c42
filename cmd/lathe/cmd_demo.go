package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
	"lathe/profiler/workload"
	"lathe/reports"
	"lathe/search"
)

// demoBudget is how long a demo may take once the library is there, up to the pick that is
// written; what is trained and deployed after that takes a minute or two.
const demoBudget = 3 * time.Minute

func (a *app) cmdDemo() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:         "demo",
		Annotations: timing(),
		Short:       "The whole way on this machine, in at most five minutes",
		Long: `Take a 12-layer GPT-2 style text predictor of 204 million parameters and find a
faster architecture with no fewer decoder parameters:

 1. get ONNX Runtime, if it is not here, and make the pool of weights
 2. time the baseline, to see what fits into three minutes of steps 1 to 7
 3. time random candidates beside it, as real ONNX graphs
 4. fit the latency model, and enumerate the space through it
 5. time the pick, and fit again until the pick is one that was timed
 6. time whole requests of the pick with 4, 8 and 16 heads, for P95 latency_char
 7. write the pick with random weights, and run it from disk
 8. on made-up mail, train an eighth of the baseline, and of the pick, which learns
    from the small baseline as well as from the text
 9. export the small pick for Optimum and transformers.js, and verify the folder
10. complete sentences with what was exported
11. look where the pick's time goes, and write a report of all of it

Everything is kept in --dir; a second run takes the candidates of step 3 from its
store. What does not fit on a slow machine is cut, and said.`,
		Example: "  lathe demo\n  lathe demo --dir /tmp/demo --build +int4b32",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			a.cfg.Store = filepath.Join(dir, "lathe.db")
			st, err := a.project(cmd.Context())
			if err != nil {
				return err
			}
			unlock, err := st.LockSearch()
			if err != nil {
				return err
			}
			defer unlock()
			d := &demo{a: a, ctx: cmd.Context(), dir: dir, size: demoFull}
			if a.json { // the story is for people
				stdout := a.stdout
				a.stdout = a.stderr
				if err := d.run(); err != nil {
					return err
				}
				a.stdout = stdout
				return a.printJSON(d.result)
			}
			return d.run()
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&dir, "dir", "lathe-demo", "`FOLDER` for the store, the front's plot, and what is written anew: pick/, trained/ and report/")
	fs.String("build", "", "how candidates run: `PARTS` of a name, such as +int4b32")
	fs.Uint64("seed", 0, "seed of everything drawn at random")
	a.bind(fs, "build", "build")
	a.bind(fs, "seed", "seed")
	return cmd
}

// demo is one run of the demo.
type demo struct {
	a    *app
	ctx  context.Context
	dir  string
	size demoSize

	began   time.Time // once the library is there
	setup   *setup
	problem *search.Problem
	sampler *sampler
	speed   speed
	result  demoResult
}

// demoResult is what a demo prints as JSON.
type demoResult struct {
	Baseline record.Summary   `json:"baseline"`
	Results  []record.Summary `json:"results"` // the pick's head variants
	Pick     string           `json:"pick"`
	Front    *frontBody       `json:"front"`
	Written  *emitted         `json:"written"`
	Small    *demoSmall       `json:"small"`
	Report   string           `json:"report"` // its page
	Seconds  float64          `json:"seconds"`
}

func (d *demo) run() error {
	if err := d.prepare(); err != nil {
		return err
	}
	var err error
	if d.sampler, err = d.a.newSampler(d.ctx, d.setup, d.setup.plan()); err != nil {
		return err
	}
	defer d.sampler.close()
	if err := d.measureSpeed(); err != nil {
		return err
	}
	if err := d.measureSample(); err != nil {
		return err
	}
	body, err := d.searchAndConfirm()
	if err != nil {
		return err
	}
	pick, err := d.measureVariants(body)
	if err != nil {
		return err
	}
	if err := d.write(pick); err != nil {
		return err
	}
	if err := d.trainSmall(pick); err != nil {
		return err
	}
	if err := d.report(pick); err != nil {
		return err
	}
	d.finish(pick)
	return nil
}

// title announces a part of the demo with the time it begins at.
func (d *demo) title(format string, args ...any) {
	at := time.Duration(0)
	if !d.began.IsZero() {
		at = time.Since(d.began)
	}
	fmt.Fprintf(d.a.stdout, "\n[%3.0f s] %s\n", at.Seconds(), fmt.Sprintf(format, args...))
}

func (d *demo) print(format string, args ...any) {
	fmt.Fprintf(d.a.stdout, "        "+format+"\n", args...)
}

// demoConstraint keeps the pick's head variants possible: GroupQueryAttention
// takes a head_dim that is a multiple of 8, so 16 heads need one of 128.
const demoConstraint = "d_model % 128 == 0"

func (d *demo) prepare() error {
	a := d.a
	if err := reportFolder(filepath.Join(d.dir, demoReport)).place(); err != nil { // not after minutes
		return err
	}
	d.title("ONNX Runtime and weights")
	if _, err := a.runtime(d.ctx); err != nil {
		return err
	}
	d.began = time.Now()
	d.print("library %s (%s): %s", a.library.Version, a.library.Source, a.library.Path)
	a.cfg.Space = spaceConfig{Space: arch.PaperSpace().With(demoConstraint)}
	a.cfg.Search.Builds, a.cfg.Search.Limits, a.cfg.Search.Objectives = "", "", "quality,latency"
	a.cfg.Search.Proxy = search.DecoderParams{}.Name()
	a.cfg.Search.Samples, a.cfg.Search.Method, a.cfg.Search.By = demoSamples, "enumerate", byModel
	a.cfg.Search.Visits = 1 // there is no time for two
	base, err := arch.ParseCandidate(baselineName)
	if err != nil {
		return err
	}
	if base.Build, err = arch.ParseBuild(a.cfg.Build); err != nil {
		return badInput(err)
	}
	a.cfg.Baseline = base.Name()
	if d.setup, err = a.setup(d.ctx); err != nil {
		return err
	}
	if d.problem, err = d.setup.problem(); err != nil {
		return err
	}
	// The pool is made for the largest candidate at once, so that no timing waits
	// for it.
	space := d.problem.Space.(*search.Homogeneous) // the paper's
	var largest arch.Candidate
	for g := range space.All() {
		if c := d.problem.Candidate(g); c.Spec.TotalParams() > largest.Spec.TotalParams() {
			largest = c
		}
	}
	poolStart := time.Now()
	if err := a.ensurePool(d.ctx, largest, base); err != nil {
		return err
	}
	d.print("weights pool ready in %.1f s: random weights that every candidate maps, so that none is written anew", time.Since(poolStart).Seconds())
	h := a.host(d.setup.Build)
	d.print("this machine: %s, %d cores, %.0f GiB", cmp.Or(h.CPUModel, h.Arch), h.Cores, float64(h.MemoryBytes)/(1<<30))
	return nil
}

// baselineName is the paper's baseline.
const baselineName = "gpt2-l12-d1024-f4096-h16"

// measureSample times the random candidates that the model is fitted to.
func (d *demo) measureSample() error {
	points, _ := d.problem.Space.Count()
	d.title("Timing %d random candidates of %.0f in the space, each beside the baseline", d.setup.Samples, points)
	start := time.Now()
	n, err := d.a.sample(d.ctx, d.setup, d.sampler)
	if err != nil {
		return err
	}
	if stored := d.setup.Samples - n; stored > 0 {
		d.print("%d were in the store already", stored)
	}
	if n > 0 {
		d.print("%d timed in %.1f s: %.1f s each, with %d pairs of prompts and %d of tokens", n, time.Since(start).Seconds(), time.Since(start).Seconds()/float64(n), d.setup.Timing.PLPairs, d.setup.Timing.TLPairs)
	}
	return nil
}

// demoConfirms bounds how often the pick is timed and the model fitted again.
const demoConfirms = 4

// searchAndConfirm fits and enumerates, times the pick, and does so again with
// what was learned until the pick is a candidate that has been timed: a pick is
// chosen for being predicted fast, so a prediction alone flatters it.
func (d *demo) searchAndConfirm() (*frontBody, error) {
	a := d.a
	d.title("Latency model and Pareto front")
	timed := map[string]bool{} // by hash of the candidate
	var body *frontBody
	for range demoConfirms {
		m, err := a.fit(d.ctx, d.setup)
		if err != nil {
			return nil, err
		}
		d.print("model of %d candidates: cross-validated error PL %.1f %%, TL %.1f %%", m.Candidates, 100*m.CV(latmodel.PL).Model.MAPE, 100*m.CV(latmodel.TL).Model.MAPE)
		start := time.Now()
		if body, err = d.enumerate(m); err != nil {
			return nil, err
		}
		d.print("%d candidates predicted in %.2f s, %d on the front", body.Evaluations, time.Since(start).Seconds(), len(body.Front))
		if body.Pick == nil {
			return nil, fmt.Errorf("demo: %s", body.NoPick)
		}
		c := body.Pick.Candidate
		if timed[c.Hash()] {
			break
		}
		r, _, err := d.sampler.get(d.ctx, c, 1, nil)
		if err != nil {
			return nil, err
		}
		timed[c.Hash()] = true
		e := d.setup.evaluation(d.problem, r)
		d.print("pick %s: predicted %.3f of the baseline's latency, measured %.3f", c.Spec.Name(), body.Pick.Latency, e.Values[d.problem.Index(search.Latency.Name)])
	}
	fmt.Fprintln(a.stdout)
	if err := a.printFrontTable(body, demoRows); err != nil {
		return nil, err
	}
	plot := filepath.Join(d.dir, "front")
	if err := a.plotFront(plot, body); err != nil {
		return nil, err
	}
	d.print("drawn in %s.svg and %s.png", plot, plot)
	return body, nil
}

const demoRows = 12 // of the front that are printed

// enumerate searches the space through a model, and stores the front as a search
// of its own.
func (d *demo) enumerate(m *latmodel.Model) (*frontBody, error) {
	st, err := d.a.project(d.ctx)
	if err != nil {
		return nil, err
	}
	run, err := d.a.newSearch(d.ctx, d.setup)
	if err != nil {
		return nil, err
	}
	body, err := d.a.searchPredicted(d.ctx, run, d.problem, []*latmodel.Model{m}, newModelEvaluator([]*latmodel.Model{m}, run.setup, d.problem), nil)
	if err != nil {
		return nil, err
	}
	return body, d.a.keepFront(d.ctx, st, run.id, body)
}

// measureVariants times whole requests of the pick with 4, 8 and 16 heads in one
// session beside the baseline.
func (d *demo) measureVariants(body *frontBody) (arch.Candidate, error) {
	a := d.a
	cands, _ := search.HeadVariants(body.Pick.Candidate)
	plan := d.setup.plan()
	plan.PLPairs, plan.TLPairs = demoPL, demoTL // enough for intervals of PL and TL
	plan.RequestPairs, plan.Workload = tailRequests, workload.Default(d.setup.Seed)
	cands, plan.RequestPairs = d.affordable(cands, plan)
	d.title("Timing %d requests of the pick with %s heads, for P95 latency_char", plan.RequestPairs, headList(cands))
	d.print("the first %d of %s", plan.RequestPairs, plan.Workload.Description)
	b := d.sampler.bench
	b.plan = plan
	bar := a.bar(100, "requests", false)
	records, err := b.measure(d.ctx, owns(cands), func(share float64) { bar.Set(int(100 * share)) })
	if err != nil {
		return arch.Candidate{}, err
	}
	d.result.Front, d.result.Baseline = body, record.SummarizeBaseline(records, record.Options{})
	rows := []reports.Table1Row{{Model: "baseline", Spec: d.setup.Baseline.Candidate.Spec, Summary: d.result.Baseline}}
	best := -1
	for i, r := range records {
		s := record.Summarize(r, record.Options{})
		rows = append(rows, reports.Table1Row{Model: fmt.Sprintf("pick-h%d", cands[i].Spec.Layers[0].NHead), Spec: cands[i].Spec, Summary: s})
		d.result.Results = append(d.result.Results, s)
		// The paper found that heads help quality and cost little: the variant with
		// most heads that is still faster than the baseline.
		if s.Ratio.LatencyCharP95.Value < 1 {
			best = i
		}
	}
	fmt.Fprintln(a.stdout)
	if err := reports.Table1(a.stdout, reports.Text, rows); err != nil {
		return arch.Candidate{}, err
	}
	said := map[string]bool{} // the sides share a session and its doubts
	for _, s := range append([]record.Summary{d.result.Baseline}, d.result.Results...) {
		for _, w := range s.Warnings {
			if !said[w] {
				d.print("warning: %s", w)
			}
			said[w] = true
		}
	}
	if best < 0 {
		d.print("none of them is faster than the baseline in P95 latency_char: measure again on a quieter machine")
		best = 0
	}
	return cands[best], nil
}

func headList(cands []arch.Candidate) (s string) {
	for i, c := range cands {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprint(c.Spec.Layers[0].NHead)
	}
	return s
}

// write writes the pick, and runs it from disk.
func (d *demo) write(pick arch.Candidate) error {
	d.title("Writing %s", pick.Name())
	e, err := d.a.emit(d.ctx, pick, filepath.Join(d.dir, "pick"), "random", true, true)
	if err != nil {
		return err
	}
	d.print("%s (%.1f MB) and its random weights (%.0f MB); loaded from disk and run: first token %d", e.Model, float64(e.ModelBytes)/1e6, float64(e.WeightBytes)/1e6, e.FirstToken)
	d.result.Pick, d.result.Written = pick.Name(), e
	if took := time.Since(d.began); took > demoBudget {
		d.print("so far it took longer than the %.0f s it was planned for: the machine was slower than when it was measured", demoBudget.Seconds())
	}
	return nil
}

// finish says what to do next.
func (d *demo) finish(pick arch.Candidate) {
	d.result.Seconds = time.Since(d.began).Seconds()
	d.title("Done")
	fmt.Fprintf(d.a.stdout, `
Next, with the measurements of this demo:
  lathe measure %[1]s --baseline %[2]s --store %[3]s --requests 256
  lathe fit --baseline %[2]s --store %[3]s%[4]s --samples 0
  lathe search --baseline %[2]s --store %[3]s%[4]s --samples 0 --constraint "n_layer >= 8"
  lathe front --store %[3]s
and with what it trained:
  lathe complete %[5]s --baseline %[6]s --serve
  lathe calibrate %[7]s --text %[8]s --max-aec 2
`, pick.Name(), d.setup.Baseline.Name(), d.a.cfg.Store, buildFlag(d.setup.Build), d.path("deploy"), d.path("small-baseline"), d.path("small-pick"), d.path("mail.txt"))
}

func buildFlag(b arch.Build) string {
	if b.Name() == "" {
		return ""
	}
	return " --build " + b.Name()
}
