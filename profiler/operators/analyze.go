package operators

import (
	"fmt"
	"slices"
	"strings"

	"lathe/graphgen/ir"
	"lathe/profiler/stat"
)

// Phase is what a run was for.
type Phase string

// The phases. Runs of WarmUp are in no Profile.
const (
	WarmUp  Phase = "warm-up"
	Prefill Phase = "prefill"
	Decode  Phase = "decode"
)

// Step is one run that was asked for: new tokens after those in the cache.
type Step struct {
	Phase     Phase
	New, Past int
	Kept      int // rows of logits
}

// Machine is what a session could at best use: see machine.ReadBandwidth and
// FlopRate. Where a rate is 0 nothing is said of limits.
type Machine struct {
	ReadBytesPerSecond float64 `json:"read_bytes_per_second"`
	FlopsPerSecond     float64 `json:"flops_per_second"`
}

func (m Machine) known() bool { return m.ReadBytesPerSecond > 0 && m.FlopsPerSecond > 0 }

// Options say what a trace is of.
type Options struct {
	Graph    *ir.Graph // as it was before the library rewrote it; nil: the trace's shapes alone
	Schedule []Step    // every run of the session, in order
	Machine  Machine
}

// mostDifference before a warning: of the sum of medians and the median run, which
// part on a machine that is busy with other things, and of a run with and without a
// trace.
const mostDifference = 0.05

// Analyze makes a Profile of each phase that the schedule has, prefill first.
func Analyze(t *Trace, o Options) ([]Profile, error) {
	if len(t.Runs) != len(o.Schedule) {
		return nil, fmt.Errorf("operators: the trace has %d runs, %d were made; was the session run by others too?", len(t.Runs), len(o.Schedule))
	}
	a := &analysis{t: t, o: o, scopes: scopes(o.Graph), works: map[Step]map[string]NodeWork{}}
	var out []Profile
	for _, phase := range []Phase{Prefill, Decode} {
		var runs []int
		for i, s := range o.Schedule {
			if s.Phase == phase {
				runs = append(runs, i)
			}
		}
		if len(runs) == 0 {
			continue
		}
		p, err := a.profile(phase, runs)
		if err != nil {
			return nil, err
		}
		out = append(out, *p)
	}
	return out, nil
}

type analysis struct {
	t      *Trace
	o      Options
	scopes []string
	works  map[Step]map[string]NodeWork // by dimensions: Phase left out
}

// nodeRuns is one node over the runs of a phase.
type nodeRuns struct {
	node  int
	calls int
	last  int       // the run it was last in, counted from 1
	ns    []float64 // by run
	work  Work      // sum over runs
	known bool
}

func (a *analysis) profile(phase Phase, runs []int) (*Profile, error) {
	p := &Profile{Phase: phase, Runs: len(runs), Machine: a.o.Machine}
	p.NewTokens = a.o.Schedule[runs[0]].New
	byNode := map[int]*nodeRuns{}
	var order []*nodeRuns
	var whole, rest []float64
	for nth, i := range runs {
		r, step := a.t.Runs[i], a.o.Schedule[i]
		p.PastTokens += float64(step.Past) / float64(len(runs))
		seen := 0
		whole, rest = append(whole, float64(r.NS)), append(rest, float64(r.NS-r.KernelNS()))
		for _, k := range r.Kernels {
			n := byNode[k.Node]
			if n == nil {
				n = &nodeRuns{node: k.Node, ns: make([]float64, len(runs)), known: true}
				byNode[k.Node] = n
				order = append(order, n)
				if nth > 0 {
					return nil, fmt.Errorf("operators: node %s is in run %d of the trace and not in run %d; both are one %s", a.t.Nodes[k.Node].Name, i+1, runs[0]+1, phase)
				}
			}
			if n.last != nth+1 {
				n.last = nth + 1
				seen++
			}
			n.ns[nth] += float64(k.NS)
			n.calls++
			w, known, err := a.work(step, k)
			if err != nil {
				return nil, fmt.Errorf("operators: run %d of the trace, %s: %w", i+1, phase, err)
			}
			n.work.add(w) // sums of whole numbers are exact, those of shares are not
			n.known = n.known && known
		}
		if seen < len(order) {
			return nil, fmt.Errorf("operators: run %d of the trace has kernels of %d nodes and run %d of %d; both are one %s", i+1, seen, runs[0]+1, len(order), phase)
		}
	}
	layers := layersOf(a.scopes, a.t, a.t.Runs[runs[0]])
	for _, n := range order {
		node := a.t.Nodes[n.node]
		row := Row{Name: node.Name, Op: node.Op, Layer: layers[n.node], Nodes: 1,
			Calls: float64(n.calls) / float64(len(runs)), MS: stat.Median(n.ns) / 1e6}
		row.Work = n.work.over(float64(len(runs)))
		if !n.known {
			row.Unknown = 1
		}
		p.Nodes = append(p.Nodes, row)
		p.KernelsMS += row.MS
		p.RoundingMS += row.Calls / 2e3
	}
	p.DispatchMS = stat.Median(rest) / 1e6
	p.RunMS = p.KernelsMS + p.DispatchMS
	p.MedianRunMS = stat.Median(whole) / 1e6
	p.finish(a.scopes)
	if a.t.DeviceEvents > 0 {
		p.warn("%d kernels ran on a device with a clock of its own: times here are of launching them", a.t.DeviceEvents)
	}
	return p, nil
}

// work is what a kernel had to do, by our graph where the node is in it, and by the
// trace's shapes where not. A node of our graph whose output has another shape than
// it should have means that the runs are not those of the schedule.
func (a *analysis) work(step Step, k Kernel) (Work, bool, error) {
	node, args := a.t.Nodes[k.Node], a.t.Shapes[k.Shape]
	if a.o.Graph == nil {
		w, known := args.work(node.Op)
		return w, known, nil
	}
	step.Phase = ""
	works, ok := a.works[step]
	if !ok {
		d, err := DimsOf(a.o.Graph, 1, int64(step.New), int64(step.Past), int64(step.Kept))
		if err == nil {
			works, err = WorkOf(a.o.Graph, d)
		}
		if err != nil {
			return Work{}, false, err
		}
		a.works[step] = works
	}
	w, ours := works[node.Name]
	if ours && w.Op == node.Op {
		if len(args.Outputs) > 0 && w.Outputs[0] != nil && !slices.Equal(args.Outputs[0].Shape, w.Shape) {
			return Work{}, false, fmt.Errorf("node %s gave %v, and %d new tokens after %d give %v: the runs are not those that were asked for",
				node.Name, args.Outputs[0].Shape, step.New, step.Past, w.Shape)
		}
		all := w.Work
		all.add(args.given(w))
		return all, w.Known, nil
	}
	// A product that the library has taken a transposition or a scale into keeps its
	// name in front.
	if base, ok := works[strings.TrimSuffix(cutFusion(node.Name), "/")]; ok && base.Op == "MatMul" && node.Op == "FusedMatMul" {
		return base.Work, base.Known, nil
	}
	fallback, known := args.work(node.Op)
	return fallback, known, nil
}

// cutFusion is a name without the names of rewriting passes behind it:
// h.0/MatMul_1/MatmulTransposeFusion//MatMulScaleFusion/ is h.0/MatMul_1.
func cutFusion(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if strings.HasSuffix(part, "Fusion") {
			return strings.Join(parts[:i], "/")
		}
	}
	return name
}
