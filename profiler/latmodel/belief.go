package latmodel

import (
	"cmp"
	"fmt"
	"math"

	"lathe/graphgen/arch"
	"lathe/profiler/latmodel/regress"
	"lathe/profiler/record"
	"lathe/profiler/stat/gp"
)

// Observation is what one candidate's measurement came to, for those who have no
// records: ratios to the baseline and their relative standard errors, 0 where nobody
// knows them.
type Observation struct {
	Spec       arch.Spec
	PL, TL     float64
	PLSD, TLSD float64
	Cache      float64 // tokens in the cache in TL's steps, a mean; 0: the point's
}

// Observations are what Fit would fit of the same records.
func Observations(records []record.Record, o Options) ([]Observation, error) {
	o, err := o.validate()
	if err != nil {
		return nil, err
	}
	seen, err := observe(records, o)
	if err != nil {
		return nil, err
	}
	var out []Observation
	for _, c := range seen.all {
		own := Observation{Spec: c.spec, PL: c.pl.ratio, TL: c.tl.ratio, Cache: c.tl.past}
		if !math.IsInf(c.pl.spread+c.tl.spread, 0) && !math.IsNaN(c.pl.spread+c.tl.spread) {
			own.PLSD, own.TLSD = c.pl.sd(), c.tl.sd()
		}
		out = append(out, own)
	}
	return out, nil
}

// Belief is a model in the making, of one build: of the same terms as a [Model], fitted to
// observations instead of records, and as regress.Belief says; with standard deviations
// that are there after every observation and without the cross-validation that a Model's
// intervals come from. It says where the next measurement would tell most. It is safe for
// concurrent use.
type Belief struct {
	model  Model // of which intervals, ranges and records are unknown
	pl, tl *regress.Belief
	// blind: no observation's standard error is known, so that what candidates have of
	// their own cannot be told from noise.
	blind bool
}

// NewBelief fits observations of a build's candidates beside a baseline. With fewer than
// MinCandidates it is the belief before any: a prefill takes time by its FLOPs and a step
// by the bytes it reads, and nothing is known beyond that.
func NewBelief(seen []Observation, b arch.Build, baseline record.Subject, at Point) (*Belief, error) {
	out := &Belief{model: Model{Build: b.Normalized(), Point: at, Candidates: len(seen)}}
	var all observed
	seen, out.blind = withNoise(seen)
	for _, o := range seen {
		all.all = append(all.all, observation{
			spec: o.Spec,
			pl:   measured{ratio: o.PL, spread: halfWidths * o.PLSD},
			tl:   measured{ratio: o.TL, spread: halfWidths * o.TLSD, past: cmp.Or(o.Cache, float64(at.Cache))},
		})
	}
	all.build = out.model.Build
	all.baseline = baseline
	for _, name := range []Target{PL, TL} {
		t := newTarget(name, at)
		belief := &regress.Belief{Model: t.physical(all.build, baseline)}
		if len(seen) >= MinCandidates {
			rows, anchor := all.rows(t, Options{})
			var err error
			if belief, err = regress.Believe(rows, regress.Options{Names: names(t.features), Anchor: anchor}); err != nil {
				return nil, fmt.Errorf("latmodel: %s: %w", name, err)
			}
		}
		t.full.model = belief.Model
		*out.model.target(name) = *t
		if name == PL {
			out.pl = belief
		} else {
			out.tl = belief
		}
	}
	return out, nil
}

// withNoise gives observations whose standard errors are not known the greatest of the
// others', since it is the shortest sessions that have no interval. Where none is known it
// is 0, and blind: the fit's noise is then all there is.
func withNoise(seen []Observation) (out []Observation, blind bool) {
	var pl, tl float64
	for _, o := range seen {
		pl, tl = max(pl, o.PLSD), max(tl, o.TLSD)
	}
	for _, o := range seen {
		o.PLSD, o.TLSD = cmp.Or(o.PLSD, pl), cmp.Or(o.TLSD, tl)
		out = append(out, o)
	}
	return out, pl == 0 || tl == 0
}

// physical is what is believed before anything is measured: ratios are in proportion to
// the one thing that bounds a step's time, and the baseline's is 1 where its Spec is
// known.
func (t *target) physical(b arch.Build, baseline record.Subject) *regress.Model {
	m := &regress.Model{Weights: make([]float64, len(t.features)), Excluded: make([]string, len(t.features))}
	for j, f := range t.features {
		switch f.Name {
		case "linear_flops", "layer_weights", "head_weights":
			m.Weights[j] = 1
		}
	}
	sum := 1.0
	if spec, known := baseline.Spec(); known {
		x, _ := t.row(b, spec)
		sum = m.Sum(x)
	}
	for j := range m.Weights {
		m.Weights[j] /= sum
	}
	return m
}

// Known reports whether there were observations enough for standard deviations.
func (b *Belief) Known() bool { return b.pl.Known() && b.tl.Known() }

// Predictor is that of the model so far: its means.
func (b *Belief) Predictor(s arch.Space) *Predictor { return b.model.Predictor(s) }

// At is the mean for any Spec.
func (b *Belief) At(s arch.Spec) (pl, tl float64) {
	at := func(t *target) float64 {
		x, shape := t.row(b.model.Build, s)
		return t.full.model.Predict(x, shape)
	}
	return at(&b.model.pl), at(&b.model.tl)
}

// Own is the relative standard deviation of what each candidate's ratio has of its own,
// which its sizes do not tell; 0 where the observations show none, or where no standard
// error of theirs is known: what the fit leaves is then all taken for noise.
func (b *Belief) Own(t Target) float64 {
	if b.blind {
		return 0
	}
	return b.of(t).Own()
}

func (b *Belief) of(t Target) *regress.Belief {
	if t == PL {
		return b.pl
	}
	return b.tl
}

// Left is the share of what was observed of a candidate beyond its mean that counts as
// its own and not as noise, and the relative standard deviation of what stays unknown of
// its own, for an observation with a relative standard error of sd; of one whose error is
// not known, none counts.
func (b *Belief) Left(t Target, sd float64) (share, unknown float64) {
	own, noise := b.Own(t), math.Hypot(b.of(t).Noise(), sd)
	if own == 0 || sd == 0 {
		return 0, own
	}
	share = own * own / (own*own + noise*noise)
	return share, own * math.Sqrt(1-share)
}

// Joint is what is not known of the ratios of several Specs together, as relative
// standard deviations. It panics where nothing is Known.
func (b *Belief) Joint(specs []arch.Spec) *Joint {
	j := &Joint{plNoise: math.Pow(b.pl.Nugget, 2), tlNoise: math.Pow(b.tl.Nugget, 2)}
	for _, name := range []Target{PL, TL} {
		t := b.model.target(name)
		var features, shapes [][]float64
		for _, s := range specs {
			x, shape := t.row(b.model.Build, s)
			features, shapes = append(features, x), append(shapes, shape)
		}
		if name == PL {
			j.PL = b.pl.Joint(features, shapes)
		} else {
			j.TL = b.tl.Joint(features, shapes)
		}
	}
	return j
}

// Joint is two targets' posteriors over the same Specs.
type Joint struct {
	PL, TL           *gp.Joint
	plNoise, tlNoise float64
}

// Observe conditions both on a measurement of one of the Specs with the given relative
// standard errors.
func (j *Joint) Observe(i int, plSD, tlSD float64) {
	j.PL.Observe(i, j.plNoise+plSD*plSD)
	j.TL.Observe(i, j.tlNoise+tlSD*tlSD)
}
