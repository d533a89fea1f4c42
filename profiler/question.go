package profiler

import (
	"math"
	"slices"

	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// Looks are taken when these shares of the budget are used: each has twice the
// samples of the one before.
const (
	firstLook  = 1.0 / 64
	lookGrowth = 2
	lastLook   = 0.7 // beyond this the next look is the one at the end
)

// spendRho is the exponent of the error spent by a share of the budget
// (stat.SpendPower): a half gives the first looks enough to see a large difference,
// and each later one more than the one before.
//
// Note: what O'Brien and Fleming's spending saves for the last look is worth little
// here, where the budget is a limit and not the plan. Simulated (BenchmarkCoverage),
// exponents from 0.25 to 1 cover and err alike.
const spendRho = 0.5

// newsShare: a look that has less new than this beside the last one is not worth
// its price.
const newsShare = 0.05

// minBlocks is the fewest blocks for a look at TL before the end. Their steps
// follow each other closely, and what one side has of its own for a second (where
// its memory lies, what the caches hold) is in all steps of few blocks alike.
const minBlocks = 8

// asked is a question, and how near each candidate is to its answer.
type asked struct {
	question record.Question
	next     float64           // share at which is looked again
	state    []stat.Sequential // of each candidate
	nominal  []float64         // level of each candidate's last look
	verdict  []string
}

func newAsked(q record.Question, level float64, candidates int) *asked {
	a := &asked{question: q, next: firstLook}
	for range candidates {
		s := stat.NewSequential(level, stat.SpendPower(spendRho))
		a.state, a.nominal, a.verdict = append(a.state, s), append(a.nominal, s.Level()), append(a.verdict, record.Undecided)
	}
	return a
}

// look looks whether the question is answered, where it is time to.
func (l *loop) look() {
	a, share := l.asked, l.share()
	if share < a.next || share >= 1 { // the last look comes when sampling ends
		return
	}
	looked := false
	for _, side := range slices.Clone(l.active[1:]) { // those who are done leave it
		took, done := l.lookAt(side, share)
		looked = looked || took
		if done != "" {
			l.stop(side, done)
		}
	}
	if looked {
		if a.next = lookGrowth * share; a.next > lastLook {
			a.next = 1
		}
	}
}

// end takes the last look at every candidate that has no answer: all that is left
// of the error may be spent, unless sampling was called off, which may have to do
// with what was seen.
func (l *loop) end(reason string) {
	if l.asked == nil {
		return
	}
	share := 1.0
	if reason == record.StopInterrupted {
		share = l.share()
	}
	for len(l.active) > 1 {
		side, why := l.active[1], reason
		if _, done := l.lookAt(side, share); done != "" && reason != record.StopInterrupted {
			why = done
		}
		l.stop(side, why)
	}
}

// stop takes a candidate out of the rotation.
func (l *loop) stop(side int, reason string) {
	a, i := l.asked, side-1
	l.out[i].Stop = &record.Stop{
		Question: a.question, Verdict: a.verdict[i], Reason: reason,
		Level: a.state[i].Level(), NominalLevel: a.nominal[i], Looks: a.state[i].Looks(),
		ElapsedNS: int64(l.clock.Now() - l.began),
	}
	l.active = slices.DeleteFunc(l.active, func(s int) bool { return s == side })
}

// lookAt takes a look at a candidate, if it has the samples for one, and returns
// why it is done, or "".
func (l *loop) lookAt(side int, share float64) (looked bool, done string) {
	a, i := l.asked, side-1
	own, partner := series(l.out[i], a.question.Metric)
	n := len(own)
	if a.question.Metric == record.MetricTL && share < 1 && len(l.out[i].PL) < minBlocks {
		return false, ""
	}
	if n < stat.MinDependent || float64(n) < (1+newsShare)*a.state[i].Information() || share <= 0 {
		return false, ""
	}
	next, z := a.state[i].Look(share, float64(n))
	nominal := next.NominalLevel(z)
	if a.question.Metric == record.MetricP95 && share < 1 && n < stat.MinSamples(0.95, nominal) {
		return false, ""
	}
	a.state[i], a.nominal[i] = next, nominal
	est := estimate(a.question.Metric, own, partner, nominal)
	a.verdict[i] = verdict(a.question, est.CI)
	decided := a.verdict[i] != record.Undecided
	precise := a.question.Precision > 0 && est.CI.Finite() && (est.CI.High-est.CI.Low)/2 <= a.question.Precision*est.Value
	switch {
	case a.question.Precision > 0 && a.question.Margin == 0 && precise:
		return true, record.StopPrecise
	case decided && (precise || a.question.Precision == 0):
		return true, record.StopDecided
	}
	return true, ""
}

// estimate compares both sides' figures of a metric.
func estimate(metric string, own, partner []float64, level float64) stat.Estimate {
	if metric == record.MetricP95 {
		return stat.PairedQuantileRatio(own, partner, 0.95, level)
	}
	return stat.PairedRatioDependent(own, partner, level)
}

// verdict is what an interval says of a question.
func verdict(q record.Question, ci stat.Interval) string {
	low, high := 1-q.Margin, 1/(1-q.Margin)
	switch {
	case math.IsNaN(ci.Low) || math.IsNaN(ci.High):
	case ci.High < low:
		return record.Faster
	case ci.Low > high:
		return record.Slower
	case q.Margin > 0 && low <= ci.Low && ci.High <= high:
		return record.Equal
	}
	return record.Undecided
}

// series are the figures of the candidate and its partner that a metric compares.
func series(t Timed, metric string) (own, partner []float64) {
	return record.Record{PL: t.PL, TL: t.TL, Requests: t.Requests}.Sides(metric)
}
