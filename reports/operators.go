package reports

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"lathe/profiler/stat"
)

// OperatorRow is one operator or layer of a profile. Times are milliseconds of a run.
type OperatorRow struct {
	Name                  string
	Kernels               float64 // run in one run of the session
	MS                    float64
	AtMemoryMS            float64 // what its bytes take at the machine's bandwidth
	AtComputeMS           float64 // what its operations take at the machine's rate
	LimitMS               float64 // the greater of the two, summed over its nodes
	MemoryMS, ComputeMS   float64 // spent in nodes that the one or the other bounds
	UnknownOperations     bool    // its limits are too low
	WeightBytes, CacheAnd float64 // moved, of weights and of all else
}

// OperatorProfile is where the time of one phase goes: rows that, with what lies
// between the kernels, make up a run.
type OperatorProfile struct {
	What       string  // the rows are: operator, layer
	RunMS      float64 // kernels and what lies between them
	DispatchMS float64
	RoundingMS float64 // of DispatchMS, on average, may be the kernels'
	Rows       []OperatorRow
	Top        int // rows shown, the longest; the others are summed. 0: all, as they come

	// Without a trace: 0 where that was not measured.
	PlainMS     float64
	TracedRatio float64
	TracedCI    *stat.Interval

	// Of the machine: 0 where they are not known.
	ReadBytesPerSecond, FlopsPerSecond float64
	Flops                              float64 // of a run
	AttainedShare                      float64 // the limits of all kernels over a run's time
	Warnings                           []string

	Brief bool // the table alone, without what holds for the phase as a whole
}

// Labels of rows that are no operator or layer.
const (
	betweenKernels = "(between kernels)"
	totalRow       = "total"
)

// OperatorTable writes a profile. Its rows, what lies between kernels, and the total
// add up.
func OperatorTable(w io.Writer, style Style, p OperatorProfile) error {
	if len(p.Rows) == 0 {
		return errNoRows
	}
	limits := p.ReadBytesPerSecond > 0 && p.FlopsPerSecond > 0
	t := &table{columns: []column{{name: p.What, left: true}, {name: "kernels"}, {name: "ms"}, {name: "share"}}}
	if limits {
		t.columns = append(t.columns, column{name: "at memory limit"}, column{name: "at compute limit"},
			column{name: "attained"}, column{name: "bound by", left: true})
	}
	rows := p.shown()
	var total OperatorRow
	for _, r := range rows {
		total.add(r)
	}
	total.Name, total.MS = totalRow, total.MS+p.DispatchMS
	add := func(r OperatorRow, bound string) {
		cells := []string{r.Name, kernels(r.Kernels), millis(r.MS), percent(r.MS / p.RunMS)}
		if limits {
			cells = append(cells, millis(r.AtMemoryMS), millis(r.AtComputeMS), attained(r.LimitMS/r.MS), bound)
		}
		t.add(cells...)
	}
	for _, r := range rows {
		bound := r.bound()
		if limits && r.UnknownOperations {
			bound += " " + t.note("what it has to do is not wholly known: its limits are too low")
		}
		add(r, bound)
	}
	dispatch := []string{betweenKernels, "", millis(p.DispatchMS), percent(p.DispatchMS / p.RunMS)}
	if limits {
		dispatch = append(dispatch, "", "", "", "")
	}
	t.add(dispatch...)
	add(total, "")
	if !p.Brief {
		t.remarks = p.remarks(limits, total)
	}
	return t.write(w, style)
}

// shown are the longest rows, and one for all others.
func (p OperatorProfile) shown() []OperatorRow {
	if p.Top <= 0 || len(p.Rows) <= p.Top+1 { // a row of others that is one alone saves nothing
		return p.Rows
	}
	order := make([]int, len(p.Rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p.Rows[j].MS, p.Rows[i].MS) })
	longest := order[:p.Top]
	var out []OperatorRow
	var others OperatorRow
	for i, r := range p.Rows {
		if slices.Contains(longest, i) {
			out = append(out, r)
		} else {
			others.add(r)
		}
	}
	others.Name = Count(len(p.Rows)-p.Top, "other")
	return append(out, others)
}

func (p OperatorProfile) remarks(limits bool, total OperatorRow) (out []string) {
	if p.PlainMS > 0 {
		trace := change(p.TracedRatio)
		if ci, ok := known(p.TracedCI); ok {
			trace += fmt.Sprintf(" [%s, %s]", change(ci.Low), change(ci.High))
		}
		out = append(out, fmt.Sprintf("without a trace a run takes %s ms; the trace changes that by %s", millis(p.PlainMS), trace))
	}
	out = append(out, fmt.Sprintf("the library counts whole microseconds, rounded down: about %s ms of what lies between kernels is theirs",
		millis(min(p.RoundingMS, p.DispatchMS))))
	if limits {
		out = append(out,
			fmt.Sprintf("bound by memory: %s of the time; by arithmetic: %s", percent(total.MemoryMS/p.RunMS), percent(total.ComputeMS/p.RunMS)),
			fmt.Sprintf("a run moves %s of weights and %s of cache and activations, and does %s", scaled(whole(total.WeightBytes), "B"),
				scaled(whole(total.CacheAnd), "B"), scaled(whole(p.Flops), "FLOP")),
			fmt.Sprintf("limits: %s/s read, %s/s in fp32; at them a run takes %s ms: %s attained", scaled(whole(p.ReadBytesPerSecond), "B"),
				scaled(whole(p.FlopsPerSecond), "FLOP"), millis(total.LimitMS), attained(p.AttainedShare)))
	}
	for _, w := range p.Warnings {
		out = append(out, "warning: "+w)
	}
	return out
}

func (r *OperatorRow) add(o OperatorRow) {
	r.Kernels += o.Kernels
	r.MS += o.MS
	r.AtMemoryMS += o.AtMemoryMS
	r.AtComputeMS += o.AtComputeMS
	r.LimitMS += o.LimitMS
	r.MemoryMS += o.MemoryMS
	r.ComputeMS += o.ComputeMS
	r.WeightBytes += o.WeightBytes
	r.CacheAnd += o.CacheAnd
	r.UnknownOperations = r.UnknownOperations || o.UnknownOperations
}

// bound names what bounds nine tenths of a row's time, that of nodes without work
// apart.
func (r OperatorRow) bound() string {
	const most = 0.9
	switch {
	case r.LimitMS == 0:
		return none
	case r.MemoryMS >= most*(r.MemoryMS+r.ComputeMS):
		return "memory"
	case r.ComputeMS >= most*(r.MemoryMS+r.ComputeMS):
		return "arithmetic"
	}
	return "both"
}

// millis prints milliseconds down to the microseconds that a trace counts in.
func millis(ms float64) string {
	if math.IsNaN(ms) || math.IsInf(ms, 0) {
		return none
	}
	return strconv.FormatFloat(ms, 'f', 3, 64)
}

// attained prints the share of a limit in whole per cent.
func attained(share float64) string {
	if share <= 0 || math.IsNaN(share) || math.IsInf(share, 0) {
		return none
	}
	return strconv.FormatFloat(100*share, 'f', 0, 64) + " %"
}

// kernels prints a count that is whole but for nodes inside loops.
func kernels(n float64) string { return strconv.FormatFloat(math.Round(10*n)/10, 'f', -1, 64) }

func whole(v float64) int64 { return int64(math.Round(v)) }
