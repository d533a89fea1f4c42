package latmodel

import (
	"fmt"
	"math/rand/v2"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
)

// DefaultLevel is the level of prediction intervals that a zero level stands for.
const DefaultLevel = 0.90

// minLevel is the least level asked for: below it the two ends of an interval,
// each a quantile of its own, could pass each other.
const minLevel = 0.5

// MinCandidates is the fewest timed candidates that a model is fitted to: two more
// than a target has features of transformer layers, so that some error is left to see
// even where a fit uses them all. Recurrent layers have up to three more, and take
// as many candidates more.
const MinCandidates = 10

// spareCandidates is how many more candidates than features a fit takes.
const spareCandidates = 2

// Options says which records to fit and how. The zero value is the documented
// default.
type Options struct {
	// Which records belong. What is left out is taken from the records, which must
	// then agree on it.
	Baseline *record.Subject
	Build    *arch.Build // of the candidates
	Host     string      // record.Host.Hash
	Binding  string      // record.Shared or record.Copied

	// Prompt is the prompt length in tokens that PL is fitted at; 0 stands for the
	// one that most records have. Cache is the number of tokens in the cache that
	// TL is fitted at; 0 stands for the median of the records' decode steps.
	Prompt, Cache int

	// Level of prediction intervals; 0 stands for DefaultLevel.
	Level float64
	// Folds of the cross-validation; 0 stands for one candidate at a time. With
	// fewer folds than candidates, Rand deals them out.
	Folds int
	Rand  *rand.Rand

	// Coverage asks for how often intervals hold what is held out, which takes several
	// times as long as the fit.
	Coverage bool

	// Alike weighs all candidates alike. The default gives a candidate less weight the
	// less certain its ratio is: a wide interval of the median, a machine that was
	// never quiet. Of 96 candidates, that took the held-out error of PL from 1.47 to
	// 1.48 % in fp32 and from 1.11 to 1.09 % in int4, and on those that were measured
	// on a quiet machine from 1.04 to 0.81 % and from 0.95 to 0.94 %.
	Alike bool
}

func (o Options) validate() (Options, error) {
	if o.Level == 0 {
		o.Level = DefaultLevel
	}
	switch {
	case !(o.Level >= minLevel && o.Level < 1):
		return o, fmt.Errorf("latmodel: interval level %g: want at least %g and less than 1", o.Level, minLevel)
	case o.Prompt < 0 || o.Cache < 0:
		return o, fmt.Errorf("latmodel: %d prompt tokens and %d tokens in the cache: neither may be negative", o.Prompt, o.Cache)
	case o.Folds < 0 || o.Folds == 1:
		return o, fmt.Errorf("latmodel: %d folds: want 2 or more, or 0 for one candidate at a time", o.Folds)
	case o.Folds > 0 && o.Rand == nil:
		return o, fmt.Errorf("latmodel: %d folds are dealt out at random, and no source of random numbers is given", o.Folds)
	case o.Binding != "" && o.Binding != record.Shared && o.Binding != record.Copied:
		return o, fmt.Errorf("latmodel: binding %q: want %q or %q", o.Binding, record.Shared, record.Copied)
	}
	return o, nil
}
