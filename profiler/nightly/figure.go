package nightly

import (
	"fmt"
	"math"

	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// Figure is what one session says of one metric.
type Figure struct {
	Ratio float64 `json:"ratio"`  // to the session's partner
	LogSE float64 `json:"log_se"` // standard error of the ratio's logarithm, by the session's own samples
	Pairs int     `json:"pairs"`
}

// Session is one process's figures.
type Session struct {
	Records []string          `json:"records,omitempty"` // IDs of its raw samples in the store: the thing's, and the reference's own
	Figures map[string]Figure `json:"figures"`           // by metric (record.MetricPL, ...), to the baseline
	// Direct are figures to the reference's own file, timed in the same blocks.
	Direct map[string]Figure `json:"direct,omitempty"`
}

// sessionLevel is that of the interval that a session's standard error is read off.
// A higher one has no finite end where there are few pairs: ten pairs have one at 95 %.
const sessionLevel = 0.9

// seScale is the half width of such an interval in standard errors, of normal ones.
// Student's t makes it wider with few pairs: the error is then taken for too large.
var seScale = math.Sqrt2 * math.Erfinv(sessionLevel)

// FigureOf computes a figure of pairs in the order measured. ok is false where they
// are too few for an interval.
func FigureOf(metric string, own, partner []float64) (f Figure, ok bool) {
	var est stat.Estimate
	if metric == record.MetricP95 {
		est = stat.PairedQuantileRatio(own, partner, 0.95, sessionLevel)
	} else {
		est = stat.PairedRatioDependent(own, partner, sessionLevel)
	}
	if !est.CI.Finite() || !(est.CI.Low > 0) || !(est.Value > 0) {
		return Figure{}, false
	}
	return Figure{est.Value, math.Log(est.CI.High/est.CI.Low) / 2 / seScale, est.N}, true
}

// Validate reports a figure that cannot be one.
func (f Figure) Validate() error {
	switch {
	case !(f.Ratio > 0) || math.IsInf(f.Ratio, 1):
		return fmt.Errorf("nightly: ratio is %v: want a positive number", f.Ratio)
	case !(f.LogSE >= 0) || math.IsInf(f.LogSE, 1):
		return fmt.Errorf("nightly: log_se is %v: want 0 or more", f.LogSE)
	case f.Pairs < 0:
		return fmt.Errorf("nightly: pairs is %d: want 0 or more", f.Pairs)
	}
	return nil
}

// Figures are those of a metric, of the sessions that have it.
func Figures(sessions []Session, metric string) (out []Figure) {
	for _, s := range sessions {
		if f, ok := s.Figures[metric]; ok {
			out = append(out, f)
		}
	}
	return out
}

// Directs are the direct ones.
func Directs(sessions []Session, metric string) (out []Figure) {
	for _, s := range sessions {
		if f, ok := s.Direct[metric]; ok {
			out = append(out, f)
		}
	}
	return out
}

// Mean is what several sessions say together, on the scale of logarithms.
type Mean struct {
	Log float64
	Var float64 // of Log, without what a night has of its own
	DF  float64 // that Var is known with
	N   int
}

// MeanOf is the weighted mean of figures. Weights are the reciprocals of what each
// figure varies by, by its samples and by processes; that they are right is not taken
// for granted: the spread about the mean scales the variance (Hartung and Knapp, "On
// tests of the overall treatment effect in meta-analysis", 2001), and as few sessions
// say little about spread, what is known of it before counts like so many sessions
// more (Smyth, "Linear models and empirical Bayes methods", 2004).
//
// Where a neighbour has the machine for a second, a short session may be off by tens of per
// cent: figures that are further from the mean than bend deviations count as if they were
// there (Huber, "Robust estimation of a location parameter", 1964).
func MeanOf(figures []Figure, s Spread) Mean {
	m := Mean{N: len(figures), Var: math.Inf(1), DF: 1}
	if m.N == 0 {
		return m
	}
	logs := make([]float64, m.N)
	for i, f := range figures {
		logs[i] = math.Log(f.Ratio)
	}
	m.Log = stat.Median(logs)
	m.DF = s.ProcessDF + float64(m.N-1)
	scale, sum, inside, scatter := 1.0, 0.0, 0.0, 0.0
	for range meanRounds {
		scale = s.scaleAbout(figures, logs, m.Log)
		moved := 0.0
		sum, inside, scatter = 0, 0, 0
		for i, f := range figures {
			w := s.weight(f)
			z := (logs[i] - m.Log) * math.Sqrt(w) / scale
			if math.Abs(z) <= bend {
				inside += w
			}
			z = min(max(z, -bend), bend)
			sum += w
			moved += z * scale * math.Sqrt(w)
			scatter += z * z * scale * scale
		}
		m.Log += moved / sum
	}
	// The share of weight within the bend is what the mean moves by, of what a figure does.
	share := max(inside/sum, minInside)
	m.Var = (s.ProcessDF + scatter/(share*share)) / m.DF / sum
	return m
}

const (
	bend       = 2.0 // deviations; of normal figures, the mean loses 1 % of its precision by that
	meanRounds = 20  // after which the mean of sessions stands still to 1e-6
	minInside  = 0.5 // more figures beyond the bend are not outliers but the spread
)

// scaleAbout is by how much the figures' deviations from a mean exceed what is expected, by
// the middle one of them, pulled towards 1 as far as the figures are few.
func (s Spread) scaleAbout(figures []Figure, logs []float64, mean float64) float64 {
	z := make([]float64, len(figures))
	for i, f := range figures {
		z[i] = math.Abs(logs[i]-mean) * math.Sqrt(s.weight(f))
	}
	const normal = 0.6745 // the median of the absolute value of a standard normal number
	robust := stat.Median(z) / normal
	n := float64(len(figures))
	return math.Sqrt((s.ProcessDF + n*robust*robust) / (s.ProcessDF + n))
}

// meanOfNights is the mean of several nights' means, with what each night has of its own in
// the variance.
func meanOfNights(nights [][]Figure, s Spread) (m Mean) {
	weights, known := 0.0, 0.0
	for _, figures := range nights {
		if len(figures) == 0 {
			continue
		}
		one := MeanOf(figures, s)
		night := s.Night * s.Night
		v := one.Var + night
		weights += 1 / v
		m.Log += one.Log / v
		// Satterthwaite's, of the variance of the weighted mean.
		known += (one.Var*one.Var/one.DF + night*night/s.NightDF) / (v * v * v * v)
		m.N += one.N
	}
	if m.N == 0 {
		return m
	}
	m.Log /= weights
	m.Var = 1 / weights
	m.DF = weights * weights / known
	return m
}

func (s Spread) weight(f Figure) float64 { return 1 / (s.Process*s.Process + f.LogSE*f.LogSE) }

// scatter is the sum of squared deviations from a mean, each held to the bend: one less than
// the number of figures on average, where the spread is right.
func (s Spread) scatter(figures []Figure, mean float64) (q float64) {
	// What is cut off of normal deviations.
	const kept = 0.9205 // the mean of min(z^2, bend^2)
	for _, f := range figures {
		d := math.Log(f.Ratio) - mean
		q += min(s.weight(f)*d*d, bend*bend) / kept
	}
	return q
}

// meanRatio is the mean of figures, 0 of none.
func meanRatio(figures []Figure, s Spread) float64 {
	if len(figures) == 0 {
		return 0
	}
	return math.Exp(MeanOf(figures, s).Log)
}

// MinPairs is the fewest pairs of a metric that a session's figure takes.
func MinPairs(metric string) int {
	if metric == record.MetricP95 {
		return stat.MinSamples(0.95, sessionLevel)
	}
	return stat.MinSamples(0.5, sessionLevel)
}

// Middle is the mean ratio of figures, with the spread that is taken for granted.
func Middle(figures []Figure) float64 { return meanRatio(figures, Learn(nil)) }
