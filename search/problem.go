// Package search looks for architectures, and ways to run them, that are good in
// several things at once, such as quality and latency: a Method proposes points of a
// Space, a Driver has an Evaluator say what each is worth, keeps the Pareto front,
// records everything as it comes, and stops with a Status that says why.
//
// It times nothing and predicts nothing: an Evaluator does, joined on by cmd,
// either by measuring real graphs or by the latency model. Methods live in the
// packages below this one (enumerate, evolve, nsga2 and others) and know neither. What is here is
// the common ground: spaces of homogeneous models, of models layer by layer and of
// models joined with builds, whose points are all Genomes; the Problem and its
// Objectives; what an Evaluation is; the journal that makes a killed search resumable;
// and the rule that picks from a front.
//
// It follows gonum/optimize in the split between Method, Recorder and driver;
// unlike there, a method is an ordinary value that is called for its next batch,
// not a goroutine, so that it can be replayed step by step from a journal.
package search

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"lathe/graphgen/arch"
	"lathe/search/pareto"
)

// Problem is what is searched for: points of Space that are good in the Objectives
// and within the Limits. It must not change once a search has begun.
type Problem struct {
	Space      Space
	Objectives []Objective
	Limits     []Limit
	Baseline   arch.Candidate // what ratios are relative to
	// File is the name of an ONNX file that is the baseline instead, run as it is.
	// Baseline then has the Spec that it was recognised as, or nothing.
	File  string
	Proxy Proxy // quality without training; nil means DecoderParams
	// Trained: quality is LogLikelihood, which the Evaluator finds by training, and Proxy is
	// not asked.
	Trained *Trained
}

// Trained is what a search by trained quality knows beforehand.
type Trained struct {
	Baseline float64 // the baseline's LogLikelihood; NaN where it is not known
}

// Proxy scores an architecture without training it; higher is better. The same
// Spec must always get the same score: a resumed search computes it again.
type Proxy interface {
	Name() string
	Score(arch.Spec) float64
}

// DecoderParams is the proxy of Lite-Transformer-Search (Javaheripi et al.
// 2022), which the paper uses: the number of parameters in the decoder's layers,
// without embeddings and final norm. It does not see n_head.
type DecoderParams struct{}

// Name is the count's name in every table and file.
func (DecoderParams) Name() string { return "decoder_params" }

// Score is the count; it is exact, as float64 holds integers up to 2^53.
func (DecoderParams) Score(s arch.Spec) float64 { return float64(s.DecoderParams()) }

// Validate reports what is missing or wrong.
func (p *Problem) Validate() error {
	if p.Space == nil {
		return errors.New("search: the problem has no space")
	}
	if err := p.Baseline.Validate(); err != nil && !p.unknownBaseline() {
		return fmt.Errorf("search: baseline: %w", err)
	}
	for _, b := range p.Space.Builds() {
		if err := b.Validate(); err != nil {
			return fmt.Errorf("search: build: %w", err)
		}
	}
	compared := 0
	for i, o := range p.Objectives {
		if o.Direction != pareto.Ignore {
			compared++
		}
		if p.Index(o.Name) != i {
			return fmt.Errorf("search: objective %q is there twice", o.Name)
		}
	}
	if p.Trained != nil && p.Index(LogLikelihood.Name) < 0 {
		return fmt.Errorf("search: quality is by training, and %s is no objective", LogLikelihood.Name)
	}
	if compared == 0 {
		return errors.New("search: the problem has no objectives: TwoObjectives are quality and latency")
	}
	for _, l := range p.Limits {
		switch {
		case p.Index(l.Objective) < 0:
			return fmt.Errorf("search: limit on %q, which is no objective; there are %s", l.Objective, strings.Join(p.names(), ", "))
		case !(l.Within.Low <= l.Within.High):
			return fmt.Errorf("search: limit on %s: %g to %g is no interval", l.Objective, l.Within.Low, l.Within.High)
		}
	}
	return nil
}

// Index is an objective's place, or -1 where there is none of that name.
func (p *Problem) Index(name string) int {
	for i := range p.Objectives {
		if p.Objectives[i].Name == name {
			return i
		}
	}
	return -1
}

func (p *Problem) names() []string {
	var names []string
	for _, o := range p.Objectives {
		names = append(names, o.Name)
	}
	return names
}

// Directions are the objectives', in their order.
func (p *Problem) Directions() pareto.Directions {
	d := make(pareto.Directions, len(p.Objectives))
	for i, o := range p.Objectives {
		d[i] = o.Direction
	}
	return d
}

// Violation is the sum over the limits of how far values are outside, each relative to
// the end that it is beyond: 0 for what breaks none.
func (p *Problem) Violation(values []float64) float64 {
	sum := 0.0
	for _, l := range p.Limits {
		sum += l.violation(values[p.Index(l.Objective)])
	}
	return sum
}

// Candidate is a point as it is built, timed and shipped.
func (p *Problem) Candidate(g Genome) arch.Candidate { return p.Space.Candidate(g) }

// Quality is the proxy's score of a point.
func (p *Problem) Quality(g Genome) float64 { return p.proxy().Score(p.Space.Candidate(g).Spec) }

// BaselineName names the baseline.
func (p *Problem) BaselineName() string {
	if p.File != "" {
		return p.File
	}
	return p.Baseline.Name()
}

// unknownBaseline: it is a file that was not recognised.
func (p *Problem) unknownBaseline() bool { return p.File != "" && len(p.Baseline.Spec.Layers) == 0 }

// QualityName names the objective that is quality.
func (p *Problem) QualityName() string {
	if p.Trained != nil {
		return LogLikelihood.Name
	}
	return p.proxy().Name()
}

// qualityOf is an evaluated point's quality.
func (p *Problem) qualityOf(e *Evaluation) float64 {
	if p.Trained != nil {
		return e.Values[p.Index(LogLikelihood.Name)]
	}
	return p.Quality(e.Genome)
}

// BaselineQuality is the baseline's quality; ok is false where it is not known, as where
// the proxy would have to score an architecture that is not.
func (p *Problem) BaselineQuality() (score float64, ok bool) {
	if p.Trained != nil {
		return p.Trained.Baseline, !math.IsNaN(p.Trained.Baseline)
	}
	if p.unknownBaseline() {
		return 0, false
	}
	return p.proxy().Score(p.Baseline.Spec), true
}

// IsBaseline reports whether a point is the baseline's own architecture. A file's may be
// a point's too: that one is lowered by us, which makes it another thing to run.
func (p *Problem) IsBaseline(g Genome) bool {
	return p.File == "" && p.Space.Candidate(g).Spec.Equal(p.Baseline.Spec)
}

func (p *Problem) proxy() Proxy {
	if p.Proxy == nil {
		return DecoderParams{}
	}
	return p.Proxy
}

// counted reports whether any objective is known by counting.
func (p *Problem) counted() bool {
	for _, o := range p.Objectives {
		if o.Count != nil {
			return true
		}
	}
	return false
}

// Count fills in the values of a point that are known without evaluating it, and
// leaves the others alone.
func (p *Problem) Count(g Genome, values []float64) { p.count(g, values, new([]arch.Layer)) }

// count is Count with a place for the layers, which is used again and again.
func (p *Problem) count(g Genome, values []float64, layers *[]arch.Layer) {
	if !p.counted() {
		return
	}
	if h, ok := p.Space.(*Homogeneous); ok {
		p.CountOf(h.counting(g, layers), values)
		return
	}
	p.CountOf(p.Space.Candidate(g), values)
}

// CountOf is Count for a candidate, in the space or not.
func (p *Problem) CountOf(c arch.Candidate, values []float64) {
	for i, o := range p.Objectives {
		if o.Count != nil {
			values[i] = o.Count(c)
		}
	}
}

// buildNames are the builds' in a journal's head.
func (p *Problem) buildNames() string {
	var names []string
	for _, b := range p.Space.Builds() {
		names = append(names, buildLabel(b))
	}
	const most = 8 // the space's hash tells more apart
	if n := len(names); n > most {
		names = append(names[:most], fmt.Sprintf("and %d more", n-most))
	}
	return strings.Join(names, " ")
}

// objectiveNames are the objectives and limits in a journal's head.
func (p *Problem) objectiveNames() string {
	var names []string
	for _, o := range p.Objectives {
		names = append(names, o.Direction.String()+" "+o.Name)
	}
	for _, l := range p.Limits {
		names = append(names, fmt.Sprintf("%g <= %s <= %g", l.Within.Low, l.Objective, l.Within.High))
	}
	return strings.Join(names, ", ")
}
