package record

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lathe/profiler/stat"
)

// Options says how to summarise. The zero value is the documented default.
type Options struct {
	// Level is the two-sided confidence level; 0 stands for stat.DefaultLevel.
	Level float64
}

// Summary is what a record says, as `lathe measure --json` prints it.
type Summary struct {
	Candidate    string     `json:"candidate"` // its name
	Samples      Samples    `json:"samples"`
	PL           *Dist      `json:"pl_ms"`            // of steps, or of requests where there are no steps
	TL           *Dist      `json:"tl_ms"`            // likewise; a request's TL is its mean
	LatencyChar  *Dist      `json:"latency_char_ms"`  // over the requests that show something
	LatencyToken *Dist      `json:"latency_token_ms"` // the paper's form, over the requests that generate something
	Request      *Dist      `json:"request_ms"`       // whole time of the requests that show something
	Silent       *Dist      `json:"silent_ms"`        // and of those that show nothing
	Ratio        *Ratios    `json:"ratio,omitempty"`  // to the baseline; nil for the baseline itself
	Stop         *Stop      `json:"stop,omitempty"`   // the question that was sampled for, and its answer
	Failure      *Failure   `json:"failure,omitempty"`
	Drift        float64    `json:"drift"` // of the baseline over the session, a fraction
	Level        float64    `json:"level"` // confidence level of every interval
	Binding      string     `json:"binding"`
	Conditions   Conditions `json:"conditions"`
	Host         Host       `json:"host"`
	Warnings     []string   `json:"warnings"`
}

// Samples counts what a summary rests on.
type Samples struct {
	PL       int `json:"pl"`       // pairs of steps
	TL       int `json:"tl"`       // pairs of steps
	Requests int `json:"requests"` // pairs of requests
	Silent   int `json:"silent"`   // requests of this side that show nothing
}

// Dist is the middle and the tail of some times, in milliseconds.
type Dist struct {
	N     int            `json:"n"`
	P50   float64        `json:"p50"`
	P90   float64        `json:"p90"`
	P95   float64        `json:"p95"`
	P99   float64        `json:"p99"`
	P95CI *stat.Interval `json:"p95_ci"` // exact; nil where there are too few samples
}

// Ratios compares the candidate with the baseline: under 1 is faster.
type Ratios struct {
	PL             *MedianRatio   `json:"pl"` // of steps, or of requests where there are no steps
	TL             *MedianRatio   `json:"tl"`
	LatencyCharP95 *QuantileRatio `json:"latency_char_p95"`
}

// MedianRatio is the median of paired ratios.
type MedianRatio struct {
	Median float64        `json:"median"`
	CI     *stat.Interval `json:"ci"` // nil where there are too few pairs
	N      int            `json:"n"`
}

// QuantileRatio is the ratio of two P95 over the same requests.
type QuantileRatio struct {
	Value float64        `json:"value"`
	CI    *stat.Interval `json:"ci"` // nil under 72 requests
	N     int            `json:"n"`
}

// Summarize computes what r says of its candidate.
//
// Intervals of ratios allow for neighbours that are alike
// (stat.PairedRatioDependent, stat.PairedQuantileRatio). Where sampling was sequential, the interval of what was asked
// about is that of the stop's nominal level, and so holds Level for all that was
// looked before.
//
// A record of a failure has no figures: the summary carries the failure.
func Summarize(r Record, o Options) Summary {
	o = o.withDefaults()
	own := func(p RequestPair) Request { return p.Own }
	s := summarizeSide([]Record{r}, o, own, ownNS)
	s.Candidate, s.Stop, s.Failure = r.Candidate.Name(), r.Stop, r.Failure
	doubts := newDoubts(s.Warnings)

	var plOwn, plPartner, tlOwn, tlPartner, charOwn, charPartner []float64
	unequal := 0
	for _, p := range r.Requests {
		plOwn, plPartner = append(plOwn, float64(p.Own.PL)), append(plPartner, float64(p.Partner.PL))
		a, okA := p.Own.MeanTL()
		b, okB := p.Partner.MeanTL()
		if okA && okB {
			tlOwn, tlPartner = append(tlOwn, a), append(tlPartner, b)
		}
		a, okA = p.Own.LatencyChar()
		b, okB = p.Partner.LatencyChar()
		if okA && okB {
			charOwn, charPartner = append(charOwn, a), append(charPartner, b)
		}
		if okA != okB {
			unequal++
		}
	}
	// As with the times: steps are of one size, requests of many, and a ratio
	// depends on the size.
	if len(r.PL) > 0 {
		plOwn, plPartner = ownNS(r.PL), partnerNS(r.PL)
	}
	if len(r.TL) > 0 {
		tlOwn, tlPartner = ownNS(r.TL), partnerNS(r.TL)
	}
	s.Ratio = &Ratios{
		PL: medianRatio("ratio.pl", plOwn, plPartner, o.at(r.Stop, MetricPL), doubts),
		TL: medianRatio("ratio.tl", tlOwn, tlPartner, o.at(r.Stop, MetricTL), doubts),
	}
	if unequal > 0 {
		doubts.addf("%d of %d requests show something on one side only: the ratio of latency_char leaves them out", unequal, len(r.Requests))
	}
	if len(charOwn) > 0 {
		est := stat.PairedQuantileRatio(charOwn, charPartner, 0.95, o.at(r.Stop, MetricP95).Level)
		s.Ratio.LatencyCharP95 = &QuantileRatio{est.Value, finite(est.CI), est.N}
		doubts.addAll("ratio.latency_char_p95", est.Warnings)
	}
	s.Warnings = doubts.list
	return s
}

// Sessions is one record for each session of records, in the order of their firsts:
// candidates that were timed together have the baseline's samples in common. It is
// the record with the most of them, since a candidate that has its answer leaves.
func Sessions(records []Record) []Record {
	type session struct {
		began int64
		seed  uint64
	}
	at := map[session]int{}
	var out []Record
	pairs := func(r Record) int { return len(r.PL) + len(r.TL) + len(r.Requests) }
	for _, r := range records {
		k := session{r.Time.UnixNano(), r.Seed}
		switch i, known := at[k]; {
		case !known:
			at[k] = len(out)
			out = append(out, r)
		case pairs(r) > pairs(out[i]):
			out[i] = r
		}
	}
	return out
}

// SummarizeBaseline computes what records say of the baseline that they share:
// the partner's samples of all of them, pooled in order; records of candidates that
// were timed together, in one session, have the same samples, which count once.
// It returns the zero Summary of no records.
func SummarizeBaseline(records []Record, o Options) Summary {
	if len(records) == 0 {
		return Summary{}
	}
	once := Sessions(records)
	partner := func(p RequestPair) Request { return p.Partner }
	s := summarizeSide(once, o.withDefaults(), partner, partnerNS)
	s.Candidate = records[0].Baseline.Name()
	return s
}

func summarizeSide(records []Record, o Options, request func(RequestPair) Request, steps func([]StepPair) []float64) Summary {
	s := Summary{Level: o.Level, Binding: records[0].Binding, Conditions: records[0].Conditions, Host: records[0].Host}
	doubts := newDoubts(nil)
	var pl, tl, requestPL, requestTL, char, token, whole, silent []float64
	for _, r := range records {
		pl, tl = append(pl, steps(r.PL)...), append(tl, steps(r.TL)...)
		for _, p := range r.Requests {
			q := request(p)
			requestPL = append(requestPL, float64(q.PL))
			if ns, ok := q.MeanTL(); ok {
				requestTL = append(requestTL, ns)
			}
			if ns, ok := q.LatencyToken(); ok {
				token = append(token, ns)
			}
			if ns, ok := q.LatencyChar(); ok {
				char, whole = append(char, ns), append(whole, q.TotalNS())
			} else {
				silent = append(silent, q.TotalNS())
			}
		}
		s.Samples.PL += len(r.PL)
		s.Samples.TL += len(r.TL)
		s.Samples.Requests += len(r.Requests)
		for _, w := range append(slices.Clone(r.Warnings), r.Conditions.Usage.Warnings()...) {
			doubts.addf("%s", w)
		}
		d := Drift(r)
		if math.Abs(d) > math.Abs(s.Drift) {
			s.Drift = d
		}
		if r.Binding != s.Binding {
			doubts.addf("records of %s and %s buffers are pooled", s.Binding, r.Binding)
		}
		if r.Host.Hash() != s.Host.Hash() {
			doubts.addf("records of different hosts are pooled")
		}
	}
	s.Samples.Silent = len(silent)
	if math.Abs(s.Drift) > DriftThreshold {
		doubts.addf("the baseline's time changed by %+.0f %% over the session: measure again on a quieter machine", 100*s.Drift)
	}
	// Steps have one size and requests many: pooling both would give a quantile of
	// their mixture, which depends on how many of each there happen to be.
	if len(pl) == 0 {
		pl = requestPL
	}
	if len(tl) == 0 {
		tl = requestTL
	}
	var short []string
	// A claim is P95 of requests; of steps of one size it is there for those who
	// take enough of them, and its interval is missing without further words.
	dist := func(name string, ns []float64, claim bool) *Dist {
		if len(ns) == 0 {
			return nil
		}
		const ms = 1e6 // ns
		est := stat.QuantileCI(ns, 0.95, o.Level)
		if claim && !est.CI.Finite() {
			short = append(short, fmt.Sprintf("%s (%d)", name, est.N))
		}
		q := func(p float64) float64 { return stat.Quantile(ns, p) / ms }
		return &Dist{est.N, q(0.5), q(0.9), est.Value / ms, q(0.99), finite(stat.Interval{Low: est.CI.Low / ms, High: est.CI.High / ms})}
	}
	s.PL, s.TL = dist("pl", pl, false), dist("tl", tl, false)
	s.LatencyChar, s.LatencyToken = dist("latency_char", char, true), dist("latency_token", token, true)
	s.Request, s.Silent = dist("request", whole, true), dist("silent", silent, true)
	if len(short) > 0 {
		doubts.addf("too few samples for a %g %% interval of P95, which takes %d: %s",
			100*o.Level, stat.MinSamples(0.95, o.Level), strings.Join(short, ", "))
	}
	s.Warnings = doubts.list
	return s
}

func medianRatio(name string, own, partner []float64, o Options, doubts *doubts) *MedianRatio {
	if len(own) == 0 {
		return nil
	}
	est := stat.PairedRatioDependent(own, partner, o.Level)
	doubts.addAll(name, est.Warnings)
	return &MedianRatio{est.Value, finite(est.CI), est.N}
}

func (o Options) withDefaults() Options {
	if o.Level == 0 {
		o.Level = stat.DefaultLevel
	}
	return o
}

// at is o with the level that the interval of a metric needs for it to hold o's:
// a higher one where sampling went on until that interval looked right.
func (o Options) at(stop *Stop, metric string) Options {
	if stop != nil && stop.Question.Metric == metric {
		tail := (1 - o.Level) / (1 - stop.Level) * (1 - stop.NominalLevel)
		o.Level = 1 - tail
	}
	return o
}

func finite(iv stat.Interval) *stat.Interval {
	if !iv.Finite() {
		return nil
	}
	return &iv
}

// doubts collects warnings, each once, in the order in which they arise.
type doubts struct{ list []string }

func newDoubts(have []string) *doubts { return &doubts{append([]string{}, have...)} }

func (d *doubts) addf(format string, args ...any) {
	if w := fmt.Sprintf(format, args...); !slices.Contains(d.list, w) {
		d.list = append(d.list, w)
	}
}

func (d *doubts) addAll(name string, errs []error) {
	for _, err := range errs {
		d.addf("%s: %s", name, strings.TrimPrefix(err.Error(), "stat: "))
	}
}
