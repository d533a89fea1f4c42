package operators

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"lathe/profiler/stat"
)

// Profile is where the time of one phase goes, in a typical run. RunMS is KernelsMS
// and DispatchMS together, and the sum of Nodes, of Operators or of Layers is
// KernelsMS.
type Profile struct {
	Phase      Phase   `json:"phase"`
	Runs       int     `json:"runs"`
	NewTokens  int     `json:"new_tokens"`
	PastTokens float64 `json:"past_tokens_mean"`

	RunMS       float64 `json:"run_ms"`
	KernelsMS   float64 `json:"kernels_ms"`
	DispatchMS  float64 `json:"dispatch_ms"` // what no kernel accounts for
	MedianRunMS float64 `json:"median_run_ms"`
	RoundingMS  float64 `json:"rounding_ms"` // of DispatchMS, on average, may be the kernels'
	// Plain is the same run without a trace; see Compare.
	Plain *Plain `json:"untraced,omitempty"`

	Machine Machine `json:"machine"`
	Work
	Bound
	// AttainedShare is the limit of all kernels over the time of a whole run: of one
	// without a trace, if there is one.
	AttainedShare float64 `json:"attained_share,omitempty"`

	Operators []Row    `json:"operators"` // the longest first
	Layers    []Row    `json:"layers"`    // in the graph's order, Other last
	Nodes     []Row    `json:"nodes"`     // in the order of the first run
	Warnings  []string `json:"warnings"`
}

// Bound says which limit the time stands under. Times are of a run.
type Bound struct {
	MemoryMS     float64 `json:"memory_bound_ms"`      // spent in nodes that memory bounds
	ComputeMS    float64 `json:"compute_bound_ms"`     // in those that arithmetic bounds
	AtMemoryMS   float64 `json:"at_memory_limit_ms"`   // all bytes at the machine's bandwidth
	AtComputeMS  float64 `json:"at_compute_limit_ms"`  // all operations at its rate
	LimitMS      float64 `json:"limit_ms"`             // the greater of the two, summed over nodes
	MemoryShare  float64 `json:"memory_bound_share"`   // of the whole run's time
	ComputeShare float64 `json:"compute_bound_share"`  // likewise
	UnknownMS    float64 `json:"unknown_operators_ms"` // in nodes whose operations are not known
}

// Row is a node, or those of one operator or layer.
type Row struct {
	Name    string  `json:"name"`
	Op      string  `json:"operator,omitempty"` // of a node
	Layer   string  `json:"layer,omitempty"`    // of a node
	Nodes   int     `json:"nodes"`
	Calls   float64 `json:"calls"` // kernels a run
	MS      float64 `json:"ms"`
	Share   float64 `json:"share"` // of the whole run
	Unknown int     `json:"unknown_nodes,omitempty"`
	Work
	Bound
	AttainedShare float64 `json:"attained_share,omitempty"` // LimitMS over MS
}

// Plain is what a run takes without a trace, and what the trace adds.
type Plain struct {
	RunMS float64 `json:"run_ms"`
	// Ratio of a traced run's time to one without, in pairs of one place in the
	// schedule; CI is null where there are too few.
	Ratio float64        `json:"traced_ratio"`
	CI    *stat.Interval `json:"traced_ratio_ci"`
	Pairs int            `json:"pairs"`
}

func (p *Profile) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

// finish fills what follows from the nodes.
func (p *Profile) finish(scopes []string) {
	p.Warnings = []string{}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		n.Share = share(n.MS, p.RunMS)
		if n.Unknown > 0 {
			n.UnknownMS = n.MS
		}
		if p.Machine.known() {
			n.bound(p.Machine, p.RunMS)
		}
		p.Work.add(n.Work)
		p.Bound.add(n.Bound)
	}
	p.AttainedShare = share(p.LimitMS, p.RunMS)
	p.Operators = group(p.Nodes, func(r Row) string { return r.Op })
	slices.SortStableFunc(p.Operators, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.MS, a.MS), cmp.Compare(a.Name, b.Name))
	})
	p.Layers = group(p.Nodes, func(r Row) string { return r.Layer })
	place := func(name string) int {
		if i := slices.Index(scopes, name); i >= 0 {
			return i
		}
		return len(scopes)
	}
	slices.SortStableFunc(p.Layers, func(a, b Row) int { return cmp.Compare(place(a.Name), place(b.Name)) })
	if d := math.Abs(p.RunMS-p.MedianRunMS) / p.MedianRunMS; d > mostDifference {
		p.warn("kernels and dispatch sum to %.3g ms and the median run takes %.3g ms: the runs differ much from each other; something else was running, or more runs are needed",
			p.RunMS, p.MedianRunMS)
	}
	var unknown []string
	for _, r := range p.Operators {
		if r.Unknown > 0 {
			unknown = append(unknown, fmt.Sprintf("%s (%d)", r.Name, r.Unknown))
		}
	}
	if len(unknown) > 0 && p.Machine.known() {
		p.warn("what these operators have to do is not wholly known, their limits are too low: %v", unknown)
	}
}

// bound sets a node's limits.
func (r *Row) bound(m Machine, runMS float64) {
	r.AtMemoryMS = 1e3 * r.Bytes() / m.ReadBytesPerSecond
	r.AtComputeMS = 1e3 * r.Flops / m.FlopsPerSecond
	r.LimitMS = max(r.AtMemoryMS, r.AtComputeMS)
	switch {
	case r.LimitMS == 0: // it has nothing to do: all its time is the library's own
	case r.AtMemoryMS > r.AtComputeMS:
		r.MemoryMS, r.MemoryShare = r.MS, share(r.MS, runMS)
	default:
		r.ComputeMS, r.ComputeShare = r.MS, share(r.MS, runMS)
	}
	r.AttainedShare = share(r.LimitMS, r.MS)
}

func (b *Bound) add(o Bound) {
	b.MemoryMS += o.MemoryMS
	b.ComputeMS += o.ComputeMS
	b.AtMemoryMS += o.AtMemoryMS
	b.AtComputeMS += o.AtComputeMS
	b.LimitMS += o.LimitMS
	b.MemoryShare += o.MemoryShare
	b.ComputeShare += o.ComputeShare
	b.UnknownMS += o.UnknownMS
}

// group sums rows that have one name, in the order in which names come.
func group(rows []Row, name func(Row) string) (out []Row) {
	at := map[string]int{}
	for _, r := range rows {
		i, ok := at[name(r)]
		if !ok {
			i = len(out)
			at[name(r)] = i
			out = append(out, Row{Name: name(r)})
		}
		out[i].merge(r)
	}
	return out
}

// Merge is the sum of rows under one name.
func Merge(name string, rows []Row) Row {
	sum := Row{Name: name}
	for _, r := range rows {
		sum.merge(r)
	}
	return sum
}

func (r *Row) merge(o Row) {
	r.Nodes += o.Nodes
	r.Calls += o.Calls
	r.MS += o.MS
	r.Share += o.Share
	r.Unknown += o.Unknown
	r.Work.add(o.Work)
	r.Bound.add(o.Bound)
	r.AttainedShare = share(r.LimitMS, r.MS)
}

func share(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}

// Compare sets beside a profile the times of the same runs without a trace. Times are
// in nanoseconds by place in the schedule; those of other phases are left out.
func (p *Profile) Compare(schedule []Step, traced, plain []int64) error {
	if len(traced) != len(schedule) || len(plain) != len(schedule) {
		return fmt.Errorf("operators: %d traced times and %d others for %d runs", len(traced), len(plain), len(schedule))
	}
	var with, without []float64
	for i, s := range schedule {
		if s.Phase == p.Phase {
			with, without = append(with, float64(traced[i])), append(without, float64(plain[i]))
		}
	}
	if len(with) == 0 {
		return fmt.Errorf("operators: no run of the schedule is a %s", p.Phase)
	}
	est := stat.PairedRatio(with, without, stat.DefaultLevel)
	if math.IsNaN(est.Value) {
		return fmt.Errorf("operators: the times of a %s have no ratio: %v", p.Phase, est.Warnings)
	}
	p.Plain = &Plain{RunMS: stat.Median(without) / 1e6, Ratio: est.Value, Pairs: len(with)}
	if est.CI.Finite() {
		p.Plain.CI = &est.CI
	}
	p.AttainedShare = share(p.LimitMS, p.Plain.RunMS)
	if p.Plain.Ratio > 1+mostDifference {
		p.warn("the trace adds %.0f %% to a run: small operators, and what lies between kernels, take less than is shown", 100*(p.Plain.Ratio-1))
	}
	return nil
}
