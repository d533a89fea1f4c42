package operators

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Names that the library gives its events. Before 1.20 a node had two more, for
// fences, which took no time.
const (
	sessionCategory = "Session"
	nodeCategory    = "Node"
	deviceCategory  = "Kernel" // what ran on a GPU, beside the node that launched it
	kernelSuffix    = "_kernel_time"
	fenceInfix      = "_fence_"
	runName         = "model_run"
	executorName    = "SequentialExecutor::Execute"
	parallelName    = "ParallelExecutor::Execute"
)

// Trace is a session's trace, run by run.
type Trace struct {
	Nodes  []Node
	Shapes []Args // what nodes said in their runs, each different saying once
	Runs   []Run
	// DeviceEvents counts events of a device's own clock, which are in no Run: a
	// node's time is then that of launching its kernels.
	DeviceEvents int
}

// Node is a node of the graph as the library rewrote it.
type Node struct {
	Name, Op, Provider string
	index              int64
}

// Run is one run of the session, in nanoseconds.
type Run struct {
	NS      int64 // of the whole call
	Kernels []Kernel
}

// KernelNS is the time of all kernels.
func (r Run) KernelNS() (sum int64) {
	for _, k := range r.Kernels {
		sum += k.NS
	}
	return sum
}

// Kernel is one node's time in one run.
type Kernel struct {
	Node, Shape int   // into Trace.Nodes and Trace.Shapes
	NS          int64 // without the nodes of graphs inside it, which are kernels of their own
	start, end  int64 // microseconds
}

// Read reads a trace. Runs that were under way at once, operators side by side, and
// files that lack events are errors: their times cannot be told apart.
func Read(r io.Reader) (*Trace, error) {
	b := &runReader{nodes: map[Node]int{}, shapes: map[string]int{}}
	events := 0
	err := ReadEvents(r, func(e Event) error {
		events++
		return b.add(e)
	})
	if err != nil {
		return nil, err
	}
	if len(b.pending) > 0 {
		err := fmt.Errorf("operators: the trace has %d kernels after its last whole run; it lacks the run's end", len(b.pending))
		if events >= MaxEvents {
			err = fmt.Errorf("%w: the library keeps %d events; trace fewer runs", err, MaxEvents)
		}
		return nil, err
	}
	if len(b.t.Runs) == 0 {
		return nil, errors.New("operators: the trace has no run of a session")
	}
	return &b.t, nil
}

type runReader struct {
	t       Trace
	nodes   map[Node]int
	shapes  map[string]int
	pending []Kernel
	threads []string // of pending, each once
}

func (b *runReader) add(e Event) error {
	switch e.Category {
	case nodeCategory:
		name, ok := strings.CutSuffix(e.Name, kernelSuffix)
		if !ok {
			if strings.Contains(e.Name, fenceInfix) {
				return nil
			}
			return fmt.Errorf("operators: the trace has the node event %q, which no known library writes; want ...%s", e.Name, kernelSuffix)
		}
		if e.Args.Op == "" {
			return fmt.Errorf("operators: the trace does not say what operator %s is (op_name)", name)
		}
		b.kernel(name, e)
	case deviceCategory:
		b.t.DeviceEvents++
	case sessionCategory:
		switch e.Name {
		case parallelName:
			return errors.New("operators: the session ran operators side by side, whose times overlap; profile it with one inter-op thread")
		case runName:
			return b.endRun(e)
		}
	}
	return nil
}

func (b *runReader) kernel(name string, e Event) {
	n := Node{name, e.Args.Op, e.Args.Provider, e.Args.Index}
	node, ok := b.nodes[n]
	if !ok {
		node = len(b.t.Nodes)
		b.nodes[n] = node
		b.t.Nodes = append(b.t.Nodes, n)
	}
	a := e.Args
	a.Op, a.Provider, a.Index = "", "", 0
	key := fmt.Sprint(a)
	shape, ok := b.shapes[key]
	if !ok {
		shape = len(b.t.Shapes)
		b.shapes[key] = shape
		b.t.Shapes = append(b.t.Shapes, a)
	}
	b.pending = append(b.pending, Kernel{Node: node, Shape: shape, start: e.Start, end: e.End()})
	if !slices.Contains(b.threads, e.Thread) {
		b.threads = append(b.threads, e.Thread)
	}
}

// endRun makes a run of the kernels since the last one.
func (b *runReader) endRun(e Event) error {
	n := len(b.t.Runs) + 1
	for _, t := range b.threads {
		if t != e.Thread {
			return fmt.Errorf("operators: run %d of the trace has kernels of thread %s, it ran in %s; profile one run at a time", n, t, e.Thread)
		}
	}
	run := Run{NS: 1000 * e.Dur, Kernels: slices.Clone(b.pending)}
	b.pending, b.threads = b.pending[:0], b.threads[:0]
	if err := ownTimes(run.Kernels, b.t.Nodes, e); err != nil {
		return fmt.Errorf("operators: run %d of the trace: %w", n, err)
	}
	b.t.Runs = append(b.t.Runs, run)
	return nil
}

// ownTimes gives each kernel its time less that of the kernels inside it: a node
// with a graph of its own (If, Loop, Scan) lasts as long as that graph's nodes.
func ownTimes(kernels []Kernel, nodes []Node, run Event) error {
	// A kernel is written when it ends: of two that lasted from and to the same
	// microsecond the later written is the outer one.
	order := make([]int, len(kernels))
	for i := range order {
		order[i] = len(kernels) - 1 - i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := kernels[i], kernels[j]
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end))
	})
	name := func(k *Kernel) string { return nodes[k.Node].Name }
	var open []*Kernel // those that the next one may be inside
	for _, i := range order {
		k := &kernels[i]
		if k.start < run.Start || k.end > run.End() {
			return fmt.Errorf("kernel %s lasts from %d to %d us, the run from %d to %d", name(k), k.start, k.end, run.Start, run.End())
		}
		for len(open) > 0 && open[len(open)-1].end <= k.start {
			open = open[:len(open)-1]
		}
		k.NS = 1000 * (k.end - k.start)
		if len(open) > 0 {
			outer := open[len(open)-1]
			if k.end > outer.end {
				return fmt.Errorf("kernels %s and %s overlap: they ran side by side", name(outer), name(k))
			}
			outer.NS -= k.NS
		}
		open = append(open, k)
	}
	return nil
}
