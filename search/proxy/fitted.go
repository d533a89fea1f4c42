package proxy

import (
	"fmt"
	"math"
	"strings"

	"lathe/graphgen/arch"
	"lathe/profiler/stat"
	"lathe/profiler/stat/gp"
)

// Fitted is a Gaussian process over counts and shape whose prior mean is linear in
// the logarithm of decoder parameters: it ranks as those do where nothing else is
// known, and as trained architectures have it where they speak.
//
// What it learns is the negative logarithm of perplexity or of another quality that
// is lower for better and positive throughout (a power law is a line then), the
// logarithm of one that is higher for better, and the quality itself, with its sign,
// where it is not positive. Scores are in that unit: a hundredth more is about one
// per cent less perplexity.
//
// It is safe for concurrent use.
type Fitted struct {
	evidence Evidence
	target   target
	mean, sd float64    // of what was learned, in which the process has its unit
	trend    [2]float64 // mean and sd of the log decoder parameters
	process  gp.Fitted
}

// Settings, chosen on the Transformer-XL tables of Lite-Transformer-Search's
// published logs (the mean Spearman correlation on rows held out of 25 and of 40
// trained), and on no other. The unit is the standard deviation of what is learned.
//
// Note: a Student's t in the place of normal noise ranked no better on them and knew
// its uncertainty less.
var settings = gp.Prior{
	// Shape is worth a tenth of what size is, and training runs differ by a fifth.
	Amplitude: gp.LogNormal{Median: 0.1, SD: 1},
	Nugget:    gp.LogNormal{Median: 0.2, SD: 1},
	// Effects of shape are next to quadratic over a table.
	Length: gp.LogNormal{Median: 8, SD: 0.7},
}

// vague is the standard deviation a priori of the line's coefficients: the data
// decide them.
const vague = 10

// MinTrain is how few trained architectures the process learns from: a line has two
// coefficients, and noise and shape have to be told apart beside it.
const MinTrain = 6

// target is how quality becomes what is learned.
type target struct {
	log  bool
	sign float64 // times quality or its logarithm, so that higher is better
}

func (t *Table) target() target {
	g := target{log: true, sign: -1}
	if t.HigherIsBetter {
		g.sign = 1
	}
	for _, r := range t.Rows {
		g.log = g.log && r.Quality > 0
	}
	return g
}

func (g target) of(quality float64) float64 {
	if g.log {
		quality = math.Log(quality)
	}
	return g.sign * quality
}

// Fit learns from all rows of a table. Its evidence says nothing yet: New validates
// too.
func Fit(t *Table) (*Fitted, error) {
	return fit(t, t.target())
}

func fit(t *Table, g target) (*Fitted, error) {
	n := len(t.Rows)
	if n < MinTrain {
		return nil, fmt.Errorf("proxy: fitted: %d trained architectures, want %d or more: %w", n, MinTrain, ErrNothingToLearn)
	}
	f := &Fitted{target: g, evidence: unvalidated("fitted")}
	var points [][]float64
	var size, values []float64
	for _, r := range t.Rows {
		p := featuresOf(r.Spec)
		points, size, values = append(points, p), append(size, p[0]), append(values, g.of(r.Quality))
	}
	f.mean, f.sd = stat.Mean(values), stat.StdDev(values)
	if !(f.sd > 0) {
		return nil, fmt.Errorf("proxy: fitted: %s is %v in all %d rows: %w", t.Quality, t.Rows[0].Quality, n, ErrNothingToLearn)
	}
	f.trend = [2]float64{stat.Mean(size), stat.StdDev(size)}
	var trend [][]float64
	in := make([]int, n)
	for i := range values {
		in[i], values[i] = i, (values[i]-f.mean)/f.sd
		trend = append(trend, f.terms(size[i]))
	}
	inputs := gp.New(points, settings).WithTrend(trend)
	if inputs.Dims() == 0 {
		return nil, fmt.Errorf("proxy: fitted: the %d architectures are alike in %s: %w", n, strings.Join(featureNames, ", "), ErrNothingToLearn)
	}
	if f.process = inputs.Fit(in, values, make([]float64, n), nil); f.process.Process == nil {
		return nil, fmt.Errorf("proxy: fitted: no process fits the %d rows: %w", n, ErrNothingToLearn)
	}
	return f, nil
}

// terms are the trend's at a logarithm of decoder parameters.
func (f *Fitted) terms(size float64) []float64 {
	const same = 1e-9 // rounding
	if f.trend[1] < same {
		return []float64{vague, 0}
	}
	return []float64{vague, vague * (size - f.trend[0]) / f.trend[1]}
}

// Name implements search.Proxy.
func (f *Fitted) Name() string { return "fitted" }

// Evidence implements Proxy.
func (f *Fitted) Evidence() Evidence { return f.evidence }

// Score is the expected quality, higher for better, in the unit of what is learned.
func (f *Fitted) Score(s arch.Spec) float64 {
	x := featuresOf(s)
	return f.mean + f.sd*f.process.Mean(x, f.terms(x[0]))
}

// Predict is the score and its standard deviation: that of what is not known of the
// architecture. One more training run of it would differ by Noise besides. Where the
// table's architectures did not differ at all, as in the kind of their layers, the
// process takes no notice, and knows too little of its uncertainty.
func (f *Fitted) Predict(s arch.Spec) (mean, sd float64) {
	x := featuresOf(s)
	mean, sd = f.process.Predict(x, f.terms(x[0]))
	return f.mean + f.sd*mean, f.sd * sd
}

// Noise is the standard deviation of a training run's quality around what counts and
// shape say of its architecture, in the unit of scores.
func (f *Fitted) Noise() float64 { return f.sd * f.process.Process.Nugget }
