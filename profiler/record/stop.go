package record

import "fmt"

// What a question can be about: the ratio, candidate to baseline, of medians of
// PL or of TL, or of P95 latency_char.
const (
	MetricPL  = "pl"
	MetricTL  = "tl"
	MetricP95 = "latency_char_p95"
)

// Question is what sampling goes on for. With a margin m it is whether the
// candidate is faster (ratio under 1-m), slower (over 1/(1-m)) or neither; with a
// precision y, what the ratio is to within y of itself, either way.
type Question struct {
	Metric    string  `json:"metric"`    // MetricPL, MetricTL or MetricP95
	Margin    float64 `json:"margin"`    // a fraction, 0 to under 1
	Precision float64 `json:"precision"` // a fraction; 0: the verdict is all that is asked
}

// Verdicts on a question.
const (
	Faster    = "faster"    // by more than the margin
	Slower    = "slower"    // by more than the margin
	Equal     = "equal"     // within the margin, either way
	Undecided = "undecided" // the interval holds several of these
)

// Why sampling ended.
const (
	StopDecided     = "decided"     // the verdict is clear
	StopPrecise     = "precise"     // the interval is as narrow as was asked
	StopTime        = "time"        // the budget of time ended
	StopSamples     = "samples"     // the budget of samples ended
	StopInterrupted = "interrupted" // who asked for it called it off
)

// Stop is how sequential sampling ended. The interval that the verdict rests on is
// that of the samples at NominalLevel, which is higher than Level: having looked
// before costs something, and this is the price.
type Stop struct {
	Question     Question `json:"question"`
	Verdict      string   `json:"verdict"`
	Reason       string   `json:"reason"`
	Level        float64  `json:"level"`         // that holds however often was looked
	NominalLevel float64  `json:"nominal_level"` // of the interval at the last look
	Looks        int      `json:"looks"`
	ElapsedNS    int64    `json:"elapsed_ns"` // of sampling, without warm-up
}

// Validate reports a question that cannot be asked.
func (q Question) Validate() error {
	if err := q.check(); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

func (q Question) check() error {
	switch q.Metric {
	case MetricPL, MetricTL, MetricP95:
	default:
		return fmt.Errorf("question.metric is %q: want %q, %q or %q", q.Metric, MetricPL, MetricTL, MetricP95)
	}
	if !(q.Margin >= 0 && q.Margin < 1) {
		return fmt.Errorf("question.margin is %v: want a fraction, at least 0 and less than 1", q.Margin)
	}
	if !(q.Precision >= 0 && q.Precision < 1) {
		return fmt.Errorf("question.precision is %v: want a fraction, at least 0 and less than 1", q.Precision)
	}
	return nil
}

func (s Stop) check() error {
	if err := s.Question.check(); err != nil {
		return err
	}
	switch s.Verdict {
	case Faster, Slower, Equal, Undecided:
	default:
		return fmt.Errorf("verdict is %q: want %q, %q, %q or %q", s.Verdict, Faster, Slower, Equal, Undecided)
	}
	switch s.Reason {
	case StopDecided, StopPrecise, StopTime, StopSamples, StopInterrupted:
	default:
		return fmt.Errorf("reason is %q: want %q, %q, %q, %q or %q", s.Reason, StopDecided, StopPrecise, StopTime, StopSamples, StopInterrupted)
	}
	if !(s.Level > 0 && s.Level < 1) || !(s.NominalLevel >= s.Level && s.NominalLevel < 1) {
		return fmt.Errorf("level is %v and nominal_level %v: want 0 < level <= nominal_level < 1", s.Level, s.NominalLevel)
	}
	if s.Looks < 0 || s.ElapsedNS < 0 {
		return fmt.Errorf("looks is %d and elapsed_ns %d: want 0 or more", s.Looks, s.ElapsedNS)
	}
	return nil
}
