package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"lathe/profiler"
	"lathe/profiler/record"
	"lathe/profiler/workload"
)

// questionFlags are what --decide asks.
type questionFlags struct {
	metric            string
	margin, precision fraction
	budget            time.Duration
}

// enoughRequests are more than any budget takes: those that a generator is asked
// for where a question, and not a number, says when to stop.
const enoughRequests = 4096

// requests is how many the workload must have: as many as were asked for, or for a
// question about P95 without end as many as it can take.
func (q *questionFlags) requests(t timingConfig) int {
	p95 := q.metric == "p95" || q.metric == record.MetricP95
	if p95 && t.RequestPairs == 0 && slices.Contains(workload.Generators, cmp.Or(t.Workload, workload.Generators[0])) {
		return enoughRequests
	}
	return t.RequestPairs
}

// defaultBudget is how long a question may be sampled for.
const defaultBudget = time.Minute

func (q *questionFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&q.metric, "decide", "", "sample until it is clear whether a candidate is faster or slower in `METRIC`: pl, tl or p95 (latency_char)")
	fs.Var(&q.margin, "margin", "by how much faster or slower counts, such as 5%")
	fs.Var(&q.precision, "precision", "sample until the ratio is known to within this, such as 1%")
	fs.DurationVar(&q.budget, "budget", defaultBudget, "time that sampling may take, warm-up left out")
}

// question is what is asked, or nil. It makes the plan one for it, whose pairs are
// limits: those that were given by flag, and no others.
func (q *questionFlags) question(fs *pflag.FlagSet, p *profiler.Plan) (*record.Question, error) {
	if q.metric == "" {
		for _, name := range []string{"margin", "precision", "budget"} {
			if fs.Changed(name) {
				return nil, fmt.Errorf("--%s without --decide: say which metric, pl, tl or p95", name)
			}
		}
		return nil, nil
	}
	if q.budget <= 0 {
		return nil, fmt.Errorf("--budget is %v: want a time to sample for, such as 20s", q.budget)
	}
	out := &record.Question{Margin: float64(q.margin), Precision: float64(q.precision)}
	for _, n := range []struct {
		flag string
		of   *int
	}{{"pl-pairs", &p.PLPairs}, {"tl-pairs", &p.TLPairs}} {
		if !fs.Changed(n.flag) {
			*n.of = 0
		}
	}
	switch q.metric {
	case record.MetricPL, record.MetricTL:
		out.Metric = q.metric
	case "p95", record.MetricP95:
		out.Metric = record.MetricP95
	default:
		return nil, fmt.Errorf("--decide is %q: want pl, tl or p95", q.metric)
	}
	if err := out.Validate(); err != nil {
		return nil, err
	}
	*p = p.For(*out)
	return out, nil
}

// fraction is a flag such as 5% or 0.05, from 0 to under 1.
type fraction float64

func (f *fraction) String() string { return strconv.FormatFloat(100*float64(*f), 'g', -1, 64) + "%" }
func (f *fraction) Type() string   { return "percent" }

func (f *fraction) Set(text string) error {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v < 1) {
		return errors.New("want a share of at least 0 and under 100 %, such as 5% or 0.05")
	}
	*f = fraction(v)
	return nil
}
