package nightly

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"lathe/profiler/stat"
)

// Verdicts on a comparison, and on a night.
const (
	Slower     = "slower"
	Faster     = "faster"
	Same       = "same"
	CannotTell = "cannot tell"
	// Reference is of a thing whose sessions tonight are the reference from now on.
	Reference = "reference"
)

// How a comparison was made.
const (
	Stored = "stored" // tonight's ratio to the baseline against that of the reference's night
	Paired = "paired" // the reference's own file, timed in the same sessions
)

const (
	// Level is the share of nights in which all intervals of the night hold, by which slower
	// and faster are decided: divided among the night's comparisons.
	Level = 0.99
	// SameLevel is that of the interval by which same is decided, of each comparison by itself:
	// a night is the same where all of its comparisons are, and to ask all of several tests
	// for their answer needs no correction (Berger, "Multiparameter hypothesis testing and
	// acceptance sampling", 1982).
	SameLevel = 0.95
)

// Comparison is one metric of one thing against its reference.
type Comparison struct {
	Metric    string         `json:"metric"`
	How       string         `json:"how"`             // Stored or Paired
	Ratio     float64        `json:"ratio"`           // tonight's time to the reference's: over 1 is slower
	CI        *stat.Interval `json:"ci"`              // at Level; nil where there is none
	Level     float64        `json:"level"`           // that holds over all looks, and with those of the other comparisons
	SameCI    *stat.Interval `json:"same_ci"`         // at SameLevel, over all looks
	MinEffect float64        `json:"min_effect"`      // a fraction
	Reference float64        `json:"reference_ratio"` // to the baseline, then; 0 where it was not timed
	Tonight   float64        `json:"tonight_ratio"`   // to the baseline
	Sessions  int            `json:"sessions"`
	Looks     int            `json:"looks"`
	Spread    Spread         `json:"spread"`
	Verdict   string         `json:"verdict"`
}

// Judge decides one comparison, looking as sessions come in. Make it with NewJudge.
type Judge struct {
	metric    string
	minEffect float64
	spread    Spread
	alarmAt   int  // sessions that Slower and Faster take
	reference Mean // to the baseline, with what its nights have of their own
	strict    stat.Sequential
	single    stat.Sequential
	at        Comparison
}

// spendRho is the exponent of the error that a share of the budget may spend: as in
// profiler, half of the exponent 1, since a large difference should be seen early.
const spendRho = 0.5

// lookGrowth: a look wants so many times the sessions of the one before.
const lookGrowth = 4.0 / 3

// NewJudge is of one of so many comparisons that a night makes. minEffect is a fraction:
// 0.03 is 3 %. reference are the reference's figures to the baseline, of each of its nights;
// nil where the comparison is paired.
func NewJudge(metric string, comparisons int, minEffect float64, reference [][]Figure, s Spread) *Judge {
	level := 1 - (1-Level)/float64(max(comparisons, 1))
	j := &Judge{metric: metric, minEffect: minEffect, spread: s, reference: meanOfNights(reference, s),
		strict: stat.NewSequential(level, stat.SpendPower(spendRho)), single: stat.NewSequential(SameLevel, stat.SpendPower(spendRho))}
	how := Paired
	if reference != nil {
		how = Stored
	}
	j.at = Comparison{Metric: metric, How: how, Level: level, MinEffect: minEffect, Spread: s, Verdict: CannotTell}
	return j
}

// Decided reports whether there is an answer, which stays.
func (j *Judge) Decided() bool { return j.at.Verdict != CannotTell }

// Comparison is what is known so far.
func (j *Judge) Comparison() Comparison { return j.at }

// alarmFactor: slower and faster take so many times the sessions that same does at least. A
// process in some 300 is off by 5 % and says of itself that it is sure (of those in
// profiler/testdata/sessions.csv; what else the machine does slows one side of its pairs more
// than the other): among three sessions it is the mean, among six it is an outlier.
const alarmFactor = 2

// Look looks at tonight's figures, those to the reference's file where it is paired. share
// is that of the budget that is used, in (0, 1]; at 1 it is the last look. Without enough
// that is new it does nothing.
func (j *Judge) Look(figures []Figure, share float64) {
	n := len(figures)
	if j.Decided() || n < 2 || float64(n) < lookGrowth*float64(j.at.Sessions) && (share < 1 || n == j.at.Sessions) {
		return
	}
	information := float64(n)
	if j.at.How == Stored {
		if j.reference.N == 0 { // its sessions have no figure of this metric
			return
		}
		information = float64(n*j.reference.N) / float64(n+j.reference.N)
	}
	log, variance, df := j.difference(figures)
	t := distuv.StudentsT{Sigma: 1, Nu: df}
	interval := func(seq *stat.Sequential) (ci stat.Interval) {
		next, z := seq.Look(min(share, 1), information)
		*seq = next
		half := t.Quantile(1-(1-next.NominalLevel(z))/2) * math.Sqrt(variance)
		return stat.Interval{Low: math.Exp(log - half), High: math.Exp(log + half)}
	}
	strict, single := interval(&j.strict), interval(&j.single)
	j.at.Ratio, j.at.Sessions, j.at.Looks = math.Exp(log), n, j.strict.Looks()
	j.at.CI, j.at.SameCI = nil, nil
	if strict.Finite() && single.Finite() {
		j.at.CI, j.at.SameCI = &strict, &single
	}
	j.at.Verdict = Decide(j.at.Ratio, strict, single, j.minEffect)
	if n < j.alarmAt && j.at.Verdict != Same {
		j.at.Verdict = CannotTell
	}
}

// difference is the logarithm of tonight's time to the reference's, its variance, and the
// degrees of freedom that this is known with (Satterthwaite's).
func (j *Judge) difference(figures []Figure) (log, variance, df float64) {
	t := MeanOf(figures, j.spread)
	if j.at.How == Paired {
		return t.Log, t.Var, t.DF
	}
	r := j.reference
	j.at.Reference, j.at.Tonight = math.Exp(r.Log), math.Exp(t.Log)
	night := j.spread.Night * j.spread.Night
	variance = t.Var + r.Var + night
	df = variance * variance / (t.Var*t.Var/t.DF + r.Var*r.Var/r.DF + night*night/j.spread.NightDF)
	return t.Log - r.Log, variance, df
}

// Decide is the verdict on a ratio. Slower, or faster, takes that the whole strict interval
// is on that side of 1 and that the ratio itself is away from it by the least effect of
// interest or more. Same takes that the whole single interval is within the least effect,
// either way: that is an equivalence test.
//
// Note: to ask for an interval that lies beyond the least effect as a whole was turned
// down: a thing that is slower by 4 %, 2.5 to 5.5, would be one about which a gate of 3 %
// cannot tell, for as many nights as it likes.
func Decide(ratio float64, strict, single stat.Interval, minEffect float64) string {
	high := 1 + minEffect
	low := 1 / high
	switch {
	case !strict.Finite() || !single.Finite():
	case low <= single.Low && single.High <= high:
		return Same
	case strict.Low > 1 && ratio >= high:
		return Slower
	case strict.High < 1 && ratio <= low:
		return Faster
	}
	return CannotTell
}

// Worst is the verdict on several together: slower before cannot tell, before faster,
// before same.
func Worst(verdicts ...string) string {
	worst := Same
	for _, of := range []string{Reference, Faster, CannotTell, Slower} {
		for _, v := range verdicts {
			if v == of {
				worst = of
			}
		}
	}
	return worst
}
