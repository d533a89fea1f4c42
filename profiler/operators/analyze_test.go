package operators

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/graphgen/ir"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*(1+math.Abs(a)+math.Abs(b)) }

// wholeSums holds a profile to its tables adding up.
func wholeSums(t failer, p Profile) {
	t.Helper()
	sum := func(rows []Row) (r Row) { return Merge("", rows) }
	for name, rows := range map[string][]Row{"nodes": p.Nodes, "operators": p.Operators, "layers": p.Layers} {
		s := sum(rows)
		for what, v := range map[string][2]float64{
			"ms": {s.MS, p.KernelsMS}, "bytes": {s.Bytes(), p.Bytes()}, "flops": {s.Flops, p.Flops}, "limit": {s.LimitMS, p.LimitMS},
			"memory-bound": {s.MemoryMS, p.MemoryMS}, "compute-bound": {s.ComputeMS, p.ComputeMS}, "nodes": {float64(s.Nodes), float64(len(p.Nodes))},
			"share": {s.Share, share(p.KernelsMS, p.RunMS)}, "memory share": {s.MemoryShare, share(p.MemoryMS, p.RunMS)},
		} {
			if !near(v[0], v[1]) {
				t.Errorf("%s: %s of %s sum to %v, the whole is %v", p.Phase, what, name, v[0], v[1])
			}
		}
	}
	if !near(p.KernelsMS+p.DispatchMS, p.RunMS) || p.DispatchMS < 0 {
		t.Errorf("%s: kernels %v and dispatch %v in %v", p.Phase, p.KernelsMS, p.DispatchMS, p.RunMS)
	}
	if p.MemoryMS+p.ComputeMS > p.KernelsMS*(1+1e-9) {
		t.Errorf("%s: %v ms bound by memory and %v by arithmetic in %v", p.Phase, p.MemoryMS, p.ComputeMS, p.KernelsMS)
	}
}

func stored(t *testing.T) (*Trace, *ir.Graph) {
	t.Helper()
	f, err := os.Open("testdata/portable-l1.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tr, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return tr, lower(t, "gpt2-l1-d64-f128-h2-v300-p64+portable")
}

func lower(t testing.TB, name string) *ir.Graph {
	t.Helper()
	c, err := arch.ParseCandidate(name)
	if err != nil {
		t.Fatal(err)
	}
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The stored trace is one prompt of 8 tokens to warm up, another, and two tokens.
var storedSchedule = []Step{{WarmUp, 8, 0, 1}, {Prefill, 8, 0, 1}, {Decode, 1, 8, 1}, {Decode, 1, 9, 1}}

func TestAnalyzeStoredTrace(t *testing.T) {
	tr, g := stored(t)
	ps, err := Analyze(tr, Options{Graph: g, Schedule: storedSchedule, Machine: Machine{40e9, 200e9}})
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) != 2 || ps[0].Phase != Prefill || ps[1].Phase != Decode || ps[1].Runs != 2 || ps[1].PastTokens != 8.5 {
		t.Fatalf("profiles %+v", ps)
	}
	for _, p := range ps {
		wholeSums(t, p)
	}
	// What the library made has a layer by its own name, by its neighbours', or none.
	layers := map[string]string{}
	for _, n := range ps[0].Nodes {
		layers[n.Name] = n.Layer
	}
	for name, want := range map[string]string{
		"embed/Where": "embed", "h.0/MatMul_5": "h.0", "head/MatMul": "head", "FastGelu": "h.0", "SkipLayerNormalization": Other,
		"h.0/MatMul_1/MatmulTransposeFusion//MatMulScaleFusion/": "h.0",
	} {
		if layers[name] != want {
			t.Errorf("node %s is of layer %q, want %q", name, layers[name], want)
		}
	}
	var order []string
	for _, l := range ps[0].Layers {
		order = append(order, l.Name)
	}
	if diff := cmp.Diff([]string{"embed", "h.0", "head", Other}, order); diff != "" {
		t.Error(diff)
	}
	// All is known, from our graph or from the trace, and so are all the weights: the
	// matrices, which the library rearranged, from our graph alone.
	c, _ := arch.ParseCandidate("gpt2-l1-d64-f128-h2-v300-p64+portable")
	p := ps[1]
	if want := float64(c.Spec.BytesPerToken(c.Build)); p.UnknownMS != 0 || p.WeightBytes != want {
		t.Errorf("decode moves %v B of weights, want %v; %v ms are unknown", p.WeightBytes, want, p.UnknownMS)
	}
	if want := float64(c.Spec.FlopsPerToken()); p.Flops < want || p.Flops > 1.2*want {
		t.Errorf("decode does %v, want the products' %v and a little", p.Flops, want)
	}
}

func TestAnalyzeRefuses(t *testing.T) {
	tr, g := stored(t)
	swapped := []Step{storedSchedule[0], storedSchedule[2], storedSchedule[1], storedSchedule[3]}
	for _, c := range []struct {
		name, want string
		o          Options
	}{
		{"few runs", "the trace has 4 runs, 3 were made", Options{Schedule: storedSchedule[:3]}},
		{"other order", "the runs are not those that were asked for", Options{Graph: g, Schedule: swapped}},
		{"other lengths", "9 new tokens after 0 give", Options{Graph: g, Schedule: []Step{{WarmUp, 8, 0, 1}, {Prefill, 9, 0, 1}, {Decode, 1, 8, 1}, {Decode, 1, 9, 1}}}},
		{"no decoder", "is no decoder of ours", Options{Graph: &ir.Graph{Name: "x"}, Schedule: storedSchedule}},
	} {
		if _, err := Analyze(tr, c.o); err == nil || !strings.HasPrefix(err.Error(), "operators: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	for name, text := range map[string]string{
		"a node less": trace(node("a", "Add", 1, 1), node("b", "Add", 2, 1), run(0, 5), node("a", "Add", 6, 1), run(6, 5)),
		"a node more": trace(node("a", "Add", 1, 1), run(0, 5), node("a", "Add", 6, 1), node("b", "Add", 7, 1), run(6, 5)),
	} {
		tr, err := read(t, text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Analyze(tr, Options{Schedule: []Step{{Decode, 1, 1, 1}, {Decode, 1, 2, 1}}}); err == nil || !strings.Contains(err.Error(), "both are one decode") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestMedianNotMean(t *testing.T) {
	var events []string
	for i, dur := range []int{10, 900, 12} { // one run was disturbed
		events = append(events, node("a", "Add", 1000*i, dur), node("b", "Mul", 1000*i+dur, 5), run(1000*i, dur+8))
	}
	tr, err := read(t, trace(events...))
	if err != nil {
		t.Fatal(err)
	}
	ps, err := Analyze(tr, Options{Schedule: []Step{{Decode, 1, 1, 1}, {Decode, 1, 2, 1}, {Decode, 1, 3, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	p := ps[0]
	wholeSums(t, p)
	if !near(p.RunMS, 0.020) || !near(p.DispatchMS, 0.003) || !near(p.Nodes[0].MS, 0.012) || p.LimitMS != 0 {
		t.Errorf("%+v", p)
	}
	if err := p.Compare(storedSchedule, make([]int64, 3), nil); err == nil {
		t.Error("times of other runs were taken")
	}
	if err := p.Compare([]Step{{Decode, 1, 1, 1}, {WarmUp, 1, 2, 1}}, []int64{30, 9}, []int64{20, 1}); err != nil || p.Plain.Ratio != 1.5 || p.Plain.CI != nil {
		t.Errorf("%v, %+v", err, p.Plain)
	}
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "adds 50 %") {
		t.Errorf("warnings %q", p.Warnings)
	}
}

func TestSumsAreWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := rapid.IntRange(1, 6).Draw(t, "nodes")
		runs := rapid.IntRange(1, 5).Draw(t, "runs")
		var events []string
		var schedule []Step
		at := 0
		for range runs {
			from := at
			for i := range nodes {
				at += rapid.IntRange(0, 3).Draw(t, "gap")
				dur := rapid.IntRange(0, 500).Draw(t, "dur")
				op := []string{"MatMul", "Add", "Custom"}[i%3]
				e := node(fmt.Sprintf("h.%d/%s", i%2, op), op, at, dur)
				e = strings.Replace(e, `"node_index":"1"`, fmt.Sprintf(`"node_index":"%d","input_type_shape":[{"float":[1,64]}],"output_type_shape":[{"float":[1,%d]}]`, i, 8+i), 1)
				events = append(events, e)
				at += dur
			}
			events = append(events, run(from, at-from+rapid.IntRange(0, 9).Draw(t, "after")))
			at += 20
			schedule = append(schedule, Step{Decode, 1, 1, 1})
		}
		tr, err := Read(strings.NewReader(trace(events...)))
		if err != nil {
			t.Fatal(err)
		}
		ps, err := Analyze(tr, Options{Schedule: schedule, Machine: Machine{1e6, 1e9}})
		if err != nil {
			t.Fatal(err)
		}
		wholeSums(t, ps[0])
	})
}
