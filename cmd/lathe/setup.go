package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/spf13/pflag"

	"lathe/graphgen/arch"
	"lathe/profiler"
	"lathe/profiler/latmodel"
	"lathe/profiler/record"
	"lathe/search"
	"lathe/search/enumerate"
	"lathe/search/evolve"
	"lathe/search/local"
	"lathe/search/mcts"
	"lathe/search/modelbased"
	"lathe/search/nsga2"
	"lathe/search/random"
)

// setup is all that decides what a search finds: it is stored with the search,
// and a resumed search takes it from there.
type setup struct {
	Baseline       record.Subject `json:"baseline"`
	BaselinePath   string         `json:"baseline_path,omitempty"` // of an ONNX file
	baselineFiles  []fileState    // that it consists of
	Build          arch.Build     `json:"build"`
	Builds         []arch.Build   `json:"builds,omitempty"`     // searched together, in the place of Build
	Axes           []buildAxis    `json:"build_axes,omitempty"` // that make Builds of Build
	Space          spaceConfig    `json:"space"`
	Objectives     []string       `json:"objectives"`
	Limits         []string       `json:"limits,omitempty"`
	Proxy          string         `json:"proxy"`
	Trained        *trained       `json:"trained,omitempty"`  // what a fitted proxy learns from
	Training       *recipe        `json:"training,omitempty"` // quality is found by it, and not by Proxy
	trainer        *trainer       // opened when the search was set up
	proxy          search.Proxy   // see loadProxy
	Seed           uint64         `json:"seed"`
	Method         string         `json:"method"` // one of methods
	By             string         `json:"by"`     // model, measure
	Samples        int            `json:"samples"`
	Visits         int            `json:"visits"` // sessions of each sample
	Iterations     int            `json:"iterations"`
	Population     int            `json:"population"`
	CostWeight     float64        `json:"cost_weight"`
	MaxEvaluations int            `json:"max_evaluations"`   // 0: no limit
	Initial        int            `json:"initial,omitempty"` // see initial
	RequestTokens  int            `json:"request_tokens"`
	LoadableBy     []string       `json:"loadable_by,omitempty"` // programs that can open all candidates
	Timing         timingConfig   `json:"timing"`
	Configured     string         `json:"configured,omitempty"` // hash of the configuration's space, before flags
}

// setup takes the search's settings from the configuration.
func (a *app) setup(ctx context.Context) (*setup, error) {
	base, err := a.loadRunnable(ctx, a.cfg.Baseline)
	if err != nil {
		return nil, err
	}
	build, err := arch.ParseBuild(a.cfg.Build)
	if err != nil {
		return nil, badInput(err)
	}
	c := a.cfg.Search
	s := &setup{
		Baseline: base.Subject, BaselinePath: base.Path, baselineFiles: base.Files, Build: build.Normalized(), Space: a.cfg.Space, Seed: a.cfg.Seed,
		Method: c.Method, By: c.By, Samples: c.Samples, Visits: c.Visits, Iterations: c.Iterations, Population: c.Population, CostWeight: c.CostWeight,
		MaxEvaluations: c.Evaluations, RequestTokens: c.RequestTokens, Timing: a.cfg.Timing,
	}
	s.Configured = a.cfg.configured
	s.Objectives, s.Limits, s.Proxy = commaList(c.Objectives), commaList(c.Limits), c.Proxy
	if c.Trained != "" && c.Proxy == "fitted" {
		s.Trained = &trained{Path: c.Trained, Quality: c.TrainedQuality, HigherIsBetter: c.TrainedHigher}
	}
	if s.Builds, s.Axes, err = parseBuilds(c.Builds, s.Build); err != nil {
		return nil, badInput(err)
	}
	notes, err := s.keepLoadable(c.LoadableBy, a.cfg.Build, c.Builds)
	if err != nil {
		return nil, badInput(err)
	}
	for _, n := range notes {
		a.note("%s", n)
	}
	if err := s.validate(); err != nil {
		return nil, badInput(err)
	}
	return s, badInput(s.loadProxy())
}

func (s *setup) validate() error {
	method, err := s.method(nil)
	switch {
	case err != nil:
		return err
	case !(s.CostWeight >= 0 && s.CostWeight <= maxCostWeight):
		return fmt.Errorf("search.cost_weight is %g; it is from 0, which leaves cost to the limits, to %d", s.CostWeight, maxCostWeight)
	case s.By != byModel && s.By != byMeasure:
		return fmt.Errorf("search.by is %q; known: %s, %s", s.By, byModel, byMeasure)
	case s.Samples < 0 || s.MaxEvaluations < 0:
		return fmt.Errorf("search.samples is %d and search.evaluations %d; neither may be negative", s.Samples, s.MaxEvaluations)
	case needsBudget(method) && s.MaxEvaluations == 0:
		return fmt.Errorf("search.evaluations is 0, and method %s goes on for as long as it may: how many candidates may it evaluate?", s.Method)
	case s.Visits < 1:
		return fmt.Errorf("search.visits is %d; a sample is timed in 1 session or more", s.Visits)
	case s.RequestTokens < 1:
		return fmt.Errorf("search.request_tokens is %d; a request generates 1 token or more", s.RequestTokens)
	case s.Timing.PLPairs < 1 || s.Timing.TLPairs < 1:
		return fmt.Errorf("timing.pl_pairs is %d and timing.tl_pairs %d; a candidate's latency takes 1 or more of both", s.Timing.PLPairs, s.Timing.TLPairs)
	}
	return s.plan().Validate()
}

// maxCostWeight is so much that performance no longer counts.
const maxCostWeight = 1000

// needsBudget reports whether a method never ends by itself.
func needsBudget(m search.Method) bool {
	e, ok := m.(search.Endless)
	return ok && e.NeedsBudget()
}

// What says how fast a candidate is.
const (
	byModel   = "model"
	byMeasure = "measure"
)

// modelBased is the default method.
const modelBased = "model-based"

// methods are those that a search knows, for people.
const methods = modelBased + ", enumerate, evolve, nsga2, local, random, stratified, alphanas"

// method makes the search method from nothing. No problem will do to see whether there
// is one.
func (s *setup) method(p *search.Problem) (search.Method, error) {
	switch s.Method {
	case modelBased:
		if p == nil {
			return nil, nil
		}
		return s.modelBased(s.surrogate(p))
	case enumerate.Name:
		return enumerate.New(enumerate.Options{})
	case "evolve":
		return evolve.New(evolve.Options{Iterations: s.Iterations, Population: s.Population})
	case "nsga2":
		return nsga2.New(nsga2.Options{Generations: s.Iterations, Population: s.Population})
	case "local":
		return local.New(local.Options{Batch: s.Population})
	case "random", "stratified":
		return random.New(random.Options{Batch: s.Population, Stratified: s.Method == "stratified"})
	case "alphanas":
		o := mcts.Options{Initial: s.Population, Lambda: s.CostWeight}
		if o.Lambda == 0 {
			o.Lambda = -1 // none, where 0 is the default
		}
		return mcts.New(o)
	}
	return nil, fmt.Errorf("search.method is %q; known: %s", s.Method, methods)
}

// firstBatch is how many candidates a model-based search measures before it first learns
// from them, of each build: twice the terms of a latency, or half of the budget if that is less.
const firstBatch = 16

// surrogate is what a model-based search believes before it measures.
func (s *setup) surrogate(p *search.Problem) *surrogate {
	return newSurrogate(p, s.Baseline, latmodel.Point{Prompt: s.Timing.PromptTokens, Cache: s.Timing.PromptTokens + s.Timing.GeneratedTokens/2})
}

// modelBased makes the method that chooses what to measure.
func (s *setup) modelBased(by *surrogate) (*modelbased.Method, error) {
	return modelbased.New(by, modelbased.Options{Initial: s.initial()})
}

// initial is how many candidates are measured before anything is learned: of a search
// that was extended, as many as its first budget asked for.
func (s *setup) initial() int {
	builds := len(s.builds())
	return cmp.Or(s.Initial, max(latmodel.MinCandidates*builds, min(firstBatch*builds, s.budget()/2)))
}

// budget is how many candidates a model-based search measures.
func (s *setup) budget() int { return cmp.Or(s.MaxEvaluations, s.Samples*len(s.builds())) }

// builds are those that candidates run as.
func (s *setup) builds() []arch.Build {
	if len(s.Builds) > 0 {
		return s.Builds
	}
	return []arch.Build{s.Build}
}

// perBuild is the setup for each build by itself: samples and latency models are of
// one, so that searches of one build and of several share what was measured.
func (s *setup) perBuild() (all []*setup) {
	for _, b := range s.builds() {
		one := *s
		one.Build, one.Builds, one.Axes = b, nil, nil
		all = append(all, &one)
	}
	return all
}

// space compiles the space, with what the builds need of its points.
func (s *setup) space() (search.Enumerable, error) {
	if len(s.Builds) == 0 {
		return s.Space.compile(s.Build)
	}
	own, axes := arch.Build{}.Normalized(), []search.BuildAxis{search.BuildList(s.Builds)}
	if s.Axes != nil {
		var err error
		if axes, err = compileAxes(s.Axes); err != nil {
			return nil, err
		}
		own = s.Build
	}
	architectures, ofBuilds, err := s.splitConstraints()
	if err != nil {
		return nil, err
	}
	if ofBuilds == nil {
		own.Float = s.Builds[0].Float // which is that of all, or nothing counts it
	}
	base, err := architectures.compile(own)
	if err != nil {
		return nil, err
	}
	return search.NewConstrainedJoint(ofBuilds, base, axes...)
}

// splitConstraints is the space with the constraints that bear on architectures alone, and
// those on counts that the builds differ in; nil where these do not.
func (s *setup) splitConstraints() (spaceConfig, *arch.Constraints, error) {
	if !slices.ContainsFunc(s.Builds, func(b arch.Build) bool { return b.Float != s.Builds[0].Float }) {
		return s.Space, nil, nil
	}
	all, err := arch.CompileConstraints(s.Space.Constraints)
	if err != nil {
		return s.Space, nil, err
	}
	var ofSpecs, ofBuilds []string
	for n, text := range all.Texts() {
		if all.OfBuild(n) {
			ofBuilds = append(ofBuilds, text)
		} else {
			ofSpecs = append(ofSpecs, text)
		}
	}
	if ofBuilds == nil {
		return s.Space, nil, nil
	}
	space := s.Space
	space.Constraints = ofSpecs
	of, err := arch.CompileConstraints(ofBuilds)
	return space, of, err
}

// problem is what is searched for.
func (s *setup) problem() (*search.Problem, error) {
	space, err := s.space()
	if err != nil {
		return nil, badInput(err)
	}
	p := &search.Problem{Space: space, Proxy: s.proxy}
	if s.Training != nil {
		p.Trained = &search.Trained{Baseline: math.NaN()}
	}
	if p.Objectives, p.Limits, err = s.goals(); err != nil {
		return nil, badInput(err)
	}
	has := s.anyCandidate().Spec.Positions
	if base := s.Baseline.Positions(); base > 0 {
		has = min(has, base)
	}
	p.Baseline.Spec, _ = s.Baseline.Spec()
	if c, own := s.Baseline.Own(); own {
		p.Baseline = c
	} else {
		p.File = s.Baseline.Name()
	}
	if n := s.plan().MaxLen(); n > has {
		return nil, badInput(fmt.Errorf("timing.prompt_tokens and timing.generated_tokens make %d tokens, the space and the baseline have %d positions", n, has))
	}
	if err := p.Validate(); err != nil {
		return nil, badInput(err)
	}
	if size := space.Size(); s.Method == enumerate.Name && size > enumerate.MaxPoints {
		return nil, badInput(fmt.Errorf("search.method enumerate goes through up to %d points, and the space has %.4g before its constraints: another method, such as %s, need not", enumerate.MaxPoints, size, modelBased))
	}
	if err := p.CheckObjectives(); err != nil {
		return nil, badInput(err)
	}
	return p, badInput(p.CheckLimits())
}

// plan is the timing of one candidate during the search: steps only.
func (s *setup) plan() profiler.Plan {
	return profiler.Plan{
		PromptTokens: s.Timing.PromptTokens, GeneratedTokens: s.Timing.GeneratedTokens,
		PLPairs: s.Timing.PLPairs, TLPairs: s.Timing.TLPairs,
	}
}

// samplePlan is the timing of a sample in one of its sessions. A machine's state,
// its neighbours and its clock, lasts for minutes and bears on prompts' ratios;
// sessions that are minutes apart see more than one of them.
func (s *setup) samplePlan() profiler.Plan {
	p := s.plan()
	p.PLPairs, p.TLPairs = (p.PLPairs+s.Visits-1)/s.Visits, (p.TLPairs+s.Visits-1)/s.Visits
	return p
}

// baseline is what is timed beside every candidate.
func (s *setup) baseline() runnable { return runnable{s.Baseline, s.BaselinePath, s.baselineFiles} }

// baselineArg is the baseline as a command takes it.
func (s *setup) baselineArg() string {
	if f := s.Baseline.File; f != nil {
		return s.BaselinePath + arch.Build{Threads: f.Threads, Provider: f.Provider}.Name()
	}
	return s.Baseline.Name()
}

// findBaseline looks for the file of a setup that was stored, which must still be the
// one that it was.
func (a *app) findBaseline(ctx context.Context, s *setup) error {
	f := s.Baseline.File
	if f == nil {
		return nil
	}
	r, err := a.loadFile(ctx, s.BaselinePath, arch.Build{Threads: f.Threads, Provider: f.Provider}.Name())
	if err != nil {
		return fmt.Errorf("the baseline: %w", err)
	}
	if !r.Subject.Equal(s.Baseline) {
		return badInput(fmt.Errorf("the baseline %s is another file by now, %s: start another search", s.Baseline.Name(), r.name()))
	}
	s.baselineFiles = r.Files
	return nil
}

// anyCandidate is one of the space's family, for what all of them have in common.
func (s *setup) anyCandidate() arch.Candidate {
	return arch.Candidate{Spec: s.Space.Spec(arch.Point{NLayer: 1, DModel: 1, DInner: 1, NHead: 1}), Build: s.Build}
}

// samplePoints draws distinct points of the space, the same for a seed: the
// candidates that a latency model is fitted to.
func (s *setup) samplePoints(space search.Space) ([]search.Genome, error) {
	n := s.Samples
	if count, exact := space.Count(); exact {
		n = int(min(float64(n), count))
	}
	return drawDistinct(space, s.Seed, sampleStream, n, nil)
}

// heldOutPoints draws n more points, none of them a sample: candidates that a
// model's error is taken on and that it is never fitted to.
func (s *setup) heldOutPoints(space search.Space, n int) ([]search.Genome, error) {
	samples, err := s.samplePoints(space)
	if err != nil {
		return nil, err
	}
	if count, exact := space.Count(); exact && n > int(count)-len(samples) {
		return nil, fmt.Errorf("%d held-out candidates: %d samples leave %d of the space's %d", n, len(samples), int(count)-len(samples), int(count))
	}
	return drawDistinct(space, s.Seed, heldOutStream, n, samples)
}

// drawTries is how many draws in a row may give nothing new.
const drawTries = 100_000

// drawDistinct draws n points that are neither alike nor among those to be left out.
func drawDistinct(space search.Space, seed, stream uint64, n int, without []search.Genome) ([]search.Genome, error) {
	rng := rand.New(rand.NewPCG(seed, stream))
	var out []search.Genome
	for vain := 0; len(out) < n; vain++ {
		g, err := space.Random(rng)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(without, g) && !slices.Contains(out, g) {
			out, vain = append(out, g), 0
		}
		if vain == drawTries {
			return nil, fmt.Errorf("%d candidates: only %d that differ could be drawn from the space", n, len(out))
		}
	}
	return out, nil
}

// sampleStream keeps the drawing of samples apart from other uses of the seed.
const sampleStream = 0x5a3b1e

// heldOutStream does so for the drawing of held-out candidates.
const heldOutStream = 0x4e1d00

// latency is the objective: the time of one request relative to the baseline's,
// PL and then RequestTokens-1 times TL, from the two ratios and the baseline's
// times. Characters cancel, so it is the ratio of latency_char too.
func (s *setup) latency(pl, tl, baselinePL, baselineTL float64) float64 {
	rest := float64(s.RequestTokens-1) * baselineTL
	return (pl*baselinePL + tl*rest) / (baselinePL + rest)
}

// requestOf is the request that latency is of.
func (s *setup) requestOf() string {
	return fmt.Sprintf("%d prompt and %d generated tokens", s.Timing.PromptTokens, s.RequestTokens)
}

// modelTarget names what a latency model is for, in the store.
func (s *setup) modelTarget(host string) string {
	return fmt.Sprintf("baseline %s build %s prompt %d host %s", s.Baseline.Hash(), s.Build.Hash(), s.Timing.PromptTokens, host)
}

var errNoModel = errors.New("no latency model")

// setupFlags adds the flags that decide what is searched.
func (a *app) setupFlags(fs *pflag.FlagSet) {
	fs.String("baseline", "", "`NAME` or file of the candidate, or ONNX file, to compare with; it runs as its name says, whatever --build is")
	fs.String("build", "", "how candidates run: `PARTS` of a name, such as +int4b32+t2")
	fs.Uint64("seed", 0, "seed of everything drawn at random")
	fs.Int("samples", 0, "random candidates measured for the latency model")
	a.bind(fs, "baseline", "baseline")
	a.bind(fs, "build", "build")
	a.bind(fs, "seed", "seed")
	fs.Int("visits", 0, "sessions, minutes apart, that the pairs of each are spread over")
	a.bind(fs, "search.samples", "samples")
	a.bind(fs, "search.visits", "visits")
	fs.StringVar(&a.spaceFile, "space", "", "YAML `FILE` of the space to search (default: the configuration's)")
	fs.StringArrayVar(&a.constraints, "constraint", nil, "one more constraint on the space: an `EXPRESSION` such as \"n_layer <= 8\"; may be repeated")
	a.planFlags(fs, false)
}

// buildsFlag adds the flag of builds that are searched, or fitted, together.
func (a *app) buildsFlag(fs *pflag.FlagSet) {
	fs.String("builds", "", "several ways to run: `PARTS` of names with commas between, such as default,+int4b32, or axes such as \"precision=fp32,int4;threads=1,2\"")
	a.bind(fs, "search.builds", "builds")
}

// applySpaceFlags puts --space and --constraint into the configuration in force.
func (a *app) applySpaceFlags() error {
	if a.spaceFile != "" {
		s, err := loadSpace(a.spaceFile)
		if err != nil {
			return badInput(err)
		}
		a.cfg.Space = s
	}
	a.cfg.Space = a.cfg.Space.With(a.constraints...)
	return nil
}

// baselineMS are the baseline's median PL and TL that a model was fitted beside.
func baselineMS(m *latmodel.Model) (pl, tl float64) {
	return m.BaselineMS(latmodel.PL), m.BaselineMS(latmodel.TL)
}
