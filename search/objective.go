package search

import (
	"fmt"
	"math"
	"strings"

	"lathe/graphgen/arch"
	"lathe/search/pareto"
)

// Objective is one thing that candidates are compared by.
type Objective struct {
	Name      string
	Direction pareto.Direction // Ignore: recorded, and limited where a Limit says so, but not compared
	// Ratio is for figures relative to the baseline's: positive, and the baseline has 1.
	Ratio bool
	// Count says what is known of a candidate without evaluating it. The driver calls
	// it, and a resumed search calls it again: the same candidate must always get the
	// same value. It must not keep or change the candidate's layers. Where it is nil
	// the Evaluator gives the value.
	Count func(arch.Candidate) float64
}

// Quality is a proxy's score, to be maximised.
func Quality(p Proxy) Objective {
	return Objective{Name: p.Name(), Direction: pareto.Maximise, Count: func(c arch.Candidate) float64 { return p.Score(c.Spec) }}
}

// What evaluators give, relative to the baseline's.
var (
	// Latency is the time of one request. Characters cancel, so that it is also the
	// ratio of latency_char.
	Latency = Objective{Name: "latency", Ratio: true}
	// PL is prompt latency: the time to the first token.
	PL = Objective{Name: "pl", Ratio: true}
	// TL is token latency: the mean time of each later token.
	TL = Objective{Name: "tl", Ratio: true}
	// Throughput is tokens a second while generating: 1/TL.
	Throughput = Objective{Name: "throughput", Direction: pareto.Maximise, Ratio: true}
)

// What is counted, exactly.
var (
	// WeightBytes is the size of all weights as the build stores them, which is that of
	// the files but for some kilobytes of graph.
	WeightBytes = Objective{Name: "weight_bytes", Count: func(c arch.Candidate) float64 { return float64(c.Spec.WeightBytes(c.Build)) }}
	// BytesPerToken is the weight bytes that one decode step reads.
	BytesPerToken = Objective{Name: "bytes_per_token", Count: func(c arch.Candidate) float64 { return float64(c.Spec.BytesPerToken(c.Build)) }}
	// MemoryBytes is weights and a cache of all positions: what a session that holds one
	// full context cannot do without.
	MemoryBytes = Objective{Name: "memory_bytes", Count: func(c arch.Candidate) float64 {
		return float64(c.Spec.WeightBytes(c.Build) + int64(c.Spec.Positions)*c.Counts().KVBytesPerToken)
	}}
	// FlopsPerToken is 2 for each multiply-add of the products with weights.
	FlopsPerToken = Objective{Name: "flops_per_token", Count: func(c arch.Candidate) float64 { return float64(c.Spec.FlopsPerToken()) }}
	// WeightBits is the mean number of bits that a weight of the products is stored in,
	// scales included: what a proxy that sees only the architecture cannot know of a
	// build's quality. More bits are no worse.
	WeightBits = Objective{Name: "weight_bits", Direction: pareto.Maximise, Count: weightBits}
)

func weightBits(c arch.Candidate) float64 {
	var weights float64
	for _, m := range c.Spec.MatMuls() {
		weights += float64(m.K) * float64(m.N)
	}
	const bits = 8 // of a byte
	return bits * float64(c.Spec.ProductBytes(c.Build)) / weights
}

// LogLikelihood is quality by training: minus the loss on held-out text, in nats a token,
// after a training that is the same for all candidates. Evaluators give it.
var LogLikelihood = Objective{Name: "log_likelihood", Direction: pareto.Maximise}

// TwoObjectives are the paper's: quality by a proxy, and latency. They make the plane
// that fronts are drawn in, X and Y.
func TwoObjectives(p Proxy) []Objective { return []Objective{Quality(p), Latency} }

// NamedObjective returns the objective of a name; "quality" is the proxy's score.
func NamedObjective(name string, p Proxy) (Objective, error) {
	known := []Objective{Quality(p), Latency, PL, TL, Throughput, WeightBytes, BytesPerToken, MemoryBytes, FlopsPerToken, WeightBits}
	names := []string{"quality"}
	for _, o := range known {
		names = append(names, o.Name)
	}
	if name == "quality" {
		return known[0], nil
	}
	for _, o := range known {
		if o.Name == name {
			return o, nil
		}
	}
	hint := ""
	if near := arch.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %s? ", near)
	}
	return Objective{}, fmt.Errorf("search: no objective %q: %sknown are %s", name, hint, strings.Join(names, ", "))
}

// Limit keeps an objective's value within an interval, whose ends may be infinite. What
// breaks it is on no front.
type Limit struct {
	Objective string   `json:"objective"`
	Within    Interval `json:"within"`
}

// violation is how far a value is outside, relative to the end that it is beyond (to 1
// where that is 0), so that those of several limits can be added.
func (l Limit) violation(v float64) float64 {
	over, end := 0.0, 0.0
	switch {
	case v < l.Within.Low:
		over, end = l.Within.Low-v, l.Within.Low
	case v > l.Within.High:
		over, end = v-l.Within.High, l.Within.High
	default:
		return 0
	}
	if end == 0 {
		return over
	}
	return over / math.Abs(end)
}
