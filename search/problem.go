// Package search looks for architectures that are fast for their quality: a
// Method proposes points of a space, a Driver has an Evaluator say what each is
// worth, keeps the Pareto front, records everything as it comes, and stops with
// a Status that says why.
//
// It times nothing and predicts nothing: an Evaluator does, joined on by cmd,
// either by measuring real graphs or by the latency model. Methods live in the
// packages below this one (evolve, enumerate) and know neither. What is here is
// the common ground: the Problem, what an Evaluation is, the journal that makes
// a killed search resumable, and the rule that picks from a front.
//
// It follows gonum/optimize in the split between Method, Recorder and driver;
// unlike there, a method is an ordinary value that is called for its next batch,
// not a goroutine, so that it can be replayed step by step from a journal.
package search

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"lathe/graphgen/arch"
	"lathe/search/pareto"
)

// Problem is what is searched for: points of Space, run as Build, that keep the
// baseline's quality and take less of its time.
type Problem struct {
	Space    *arch.Compiled
	Build    arch.Build     // how every candidate runs
	Baseline arch.Candidate // what latencies are relative to
	Proxy    Proxy          // quality without training; nil means DecoderParams
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

// Plane is how evaluations are compared: X is quality, to be maximised, and Y is
// latency relative to the baseline's, to be minimised.
var Plane = pareto.Plane{X: pareto.Maximise, Y: pareto.Minimise}

// Validate reports what is missing or wrong.
func (p *Problem) Validate() error {
	if p.Space == nil {
		return errors.New("search: the problem has no space")
	}
	if err := p.Build.Validate(); err != nil {
		return fmt.Errorf("search: build: %w", err)
	}
	if err := p.Baseline.Validate(); err != nil {
		return fmt.Errorf("search: baseline: %w", err)
	}
	return nil
}

// Candidate is a point as it is built, timed and shipped.
func (p *Problem) Candidate(pt arch.Point) arch.Candidate { return p.Space.Candidate(pt, p.Build) }

// Quality is the proxy's score of a point.
func (p *Problem) Quality(pt arch.Point) float64 { return p.proxy().Score(p.Space.Spec(pt)) }

// BaselineQuality is the proxy's score of the baseline.
func (p *Problem) BaselineQuality() float64 { return p.proxy().Score(p.Baseline.Spec) }

// IsBaseline reports whether a point is the baseline's own architecture.
func (p *Problem) IsBaseline(pt arch.Point) bool {
	return p.Space.Spec(pt).Hash() == p.Baseline.Spec.Hash()
}

func (p *Problem) proxy() Proxy {
	if p.Proxy == nil {
		return DecoderParams{}
	}
	return p.Proxy
}

// spaceHash tells spaces apart, constraints included, in a journal's head.
func (p *Problem) spaceHash() string {
	data, err := json.Marshal(p.Space.Space())
	if err != nil { // a Space is numbers and strings
		panic(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// buildName is the build's name in a journal's head.
func (p *Problem) buildName() string {
	if name := p.Build.Name(); name != "" {
		return name
	}
	return "default"
}
