package operators

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func read(t *testing.T, text string) (*Trace, error) {
	t.Helper()
	return Read(strings.NewReader(text))
}

// node and run write events as the library does.
func node(name, op string, from, dur int) string {
	return fmt.Sprintf(`{"cat":"Node","pid":1,"tid":7,"dur":%d,"ts":%d,"ph":"X","name":"%s_kernel_time","args":{"op_name":"%s","node_index":"1"}}`, dur, from, name, op)
}

func run(from, dur int) string {
	return fmt.Sprintf(`{"cat":"Session","pid":1,"tid":7,"dur":%d,"ts":%d,"ph":"X","name":"model_run","args":{}}`, dur, from)
}

func trace(events ...string) string { return "[\n" + strings.Join(events, ",\n") + "]" }

func TestReadStoredTrace(t *testing.T) {
	b, err := os.ReadFile("testdata/portable-l1.json")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.Runs) != 4 || len(tr.Nodes) != 48 {
		t.Fatalf("%d runs of %d nodes, want 4 of 48", len(tr.Runs), len(tr.Nodes))
	}
	for i, r := range tr.Runs {
		if len(r.Kernels) != len(tr.Nodes) || r.KernelNS() <= 0 || r.KernelNS() > r.NS {
			t.Errorf("run %d: %d kernels of %d ns together in %d ns", i+1, len(r.Kernels), r.KernelNS(), r.NS)
		}
	}
	k := tr.Runs[0].Kernels[2]
	if n := tr.Nodes[k.Node]; n.Name != "embed/Gather_1" || n.Op != "Gather" || n.Provider != "CPUExecutionProvider" || k.NS != 19000 {
		t.Errorf("third kernel: %+v of %d ns", n, k.NS)
	}
	want := Args{
		Inputs:         []Tensor{{"float", []int64{64, 64}}, {"int64", []int64{1, 8}}},
		Outputs:        []Tensor{{"float", []int64{1, 8, 64}}},
		ParameterBytes: 16384, ActivationBytes: 64, OutputBytes: 2048,
	}
	if diff := cmp.Diff(want, tr.Shapes[k.Shape]); diff != "" {
		t.Error(diff)
	}
}

// Other versions, and viewers that wrap the events, have other forms.
func TestReadOtherForms(t *testing.T) {
	for name, text := range map[string]string{
		"traceEvents":  `{"displayTimeUnit":"ms","traceEvents":` + trace(node("a", "Add", 1, 2), run(0, 4)) + `}`,
		"fences":       trace(strings.Replace(node("a", "Add", 1, 0), "_kernel_time", "_fence_before", 1), node("a", "Add", 1, 2), run(0, 4)),
		"numbers":      trace(strings.ReplaceAll(node("a", "Add", 1, 2), `"node_index":"1"`, `"graph_index":1,"output_size":12`), run(0, 4)),
		"metadata":     trace(`{"name":"process_name","ph":"M","pid":1,"args":{"name":"x"}}`, node("a", "Add", 1, 2), run(0, 4)),
		"no arguments": trace(node("a", "Add", 1, 2), `{"cat":"Api","tid":7,"ph":"X","ts":1,"dur":1,"name":"x"}`, run(0, 4)),
		"shapes":       trace(strings.Replace(node("a", "Add", 1, 2), `"node_index"`, `"input_type_shape":"none","output_type_shape":[{"float":[-1]}],"node_index"`, 1), run(0, 4)),
	} {
		tr, err := read(t, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		k := tr.Runs[0].Kernels
		if len(k) != 1 || k[0].NS != 2000 || tr.Nodes[0].index != 1 || tr.Shapes[0].Inputs != nil || tr.Shapes[0].Outputs != nil {
			t.Errorf("%s: %+v of %+v, %+v", name, k, tr.Nodes, tr.Shapes)
		}
	}
}

func TestNestedGraphsCountOnce(t *testing.T) {
	// A loop of 100 us runs a body of 30 and 40 us; the body's own executor is written
	// before the loop ends.
	inner := strings.Replace(run(10, 80), "model_run", "SequentialExecutor::Execute", 1)
	tr, err := read(t, trace(node("body/a", "Add", 12, 30), node("body/b", "Mul", 45, 40), inner,
		node("loop", "Loop", 10, 100), node("after", "Neg", 110, 5), run(8, 120)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range tr.Runs[0].Kernels {
		got = append(got, fmt.Sprint(tr.Nodes[k.Node].Name, " ", k.NS))
	}
	if diff := cmp.Diff([]string{"body/a 30000", "body/b 40000", "loop 30000", "after 5000"}, got); diff != "" {
		t.Error(diff)
	}
	if tr.Runs[0].KernelNS() != 105_000 {
		t.Errorf("kernels take %d ns, want 105000", tr.Runs[0].KernelNS())
	}
	// One that fills its loop is inside it, though both have the same times.
	if tr, err = read(t, trace(node("body", "Add", 10, 5), node("loop", "Loop", 10, 5), run(8, 20))); err != nil {
		t.Fatal(err)
	}
	if k := tr.Runs[0].Kernels; k[0].NS != 5000 || k[1].NS != 0 {
		t.Errorf("body and loop: %+v", k)
	}
}

func TestReadRefuses(t *testing.T) {
	other := strings.Replace(node("b", "Add", 1, 1), `"tid":7`, `"tid":8`, 1)
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "no trace of ONNX Runtime: unexpected EOF"},
		{"no JSON", "x", "no trace of ONNX Runtime"},
		{"a number", "12", "begins with 12"},
		{"an object", `{"a":1}`, "without traceEvents"},
		{"traceEvents is a number", `{"traceEvents":1}`, "want a list"},
		{"cut short", trace(node("a", "Add", 1, 2), run(0, 4))[:200], "event 2 of the trace"},
		{"no end", strings.TrimSuffix(trace(node("a", "Add", 1, 2), run(0, 4)), "]"), "without its end"},
		{"no time", trace(`{"cat":"Node","ph":"X","name":"a_kernel_time"}`), "starts at -1 us"},
		{"negative", trace(node("a", "Add", 1, -2), run(0, 4)), "takes -2 us"},
		{"huge", trace(strings.Replace(run(0, 4), `"ts":0`, `"ts":9223372036854775807`, 1)), "starts at 9223372036854775807"},
		{"fraction", trace(strings.Replace(run(0, 4), `"ts":0`, `"ts":0.5`, 1)), "0.5 is no whole number"},
		{"no operator", trace(node("a", "", 1, 2), run(0, 4)), "what operator a is"},
		{"unknown event", trace(strings.Replace(node("a", "Add", 1, 2), "_kernel_time", "_time", 1)), `"a_time", which no known library writes`},
		{"no run", trace(), "no run of a session"},
		{"no end of the run", trace(run(0, 4), node("a", "Add", 5, 2)), "1 kernels after its last whole run"},
		{"outside the run", trace(node("a", "Add", 1, 9), run(0, 4)), "kernel a lasts from 1 to 10 us, the run from 0 to 4"},
		{"side by side", trace(node("a", "Add", 1, 3), node("b", "Add", 2, 4), run(0, 9)), "kernels a and b overlap"},
		{"two threads", trace(node("a", "Add", 1, 1), other, run(0, 9)), "kernels of thread 8, it ran in 7"},
		{"parallel", trace(strings.Replace(run(0, 9), "model_run", "ParallelExecutor::Execute", 1)), "one inter-op thread"},
	} {
		_, err := read(t, c.text)
		if err == nil || !strings.HasPrefix(err.Error(), "operators: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

func TestTooManyEventsIsSaid(t *testing.T) {
	text := "[" + run(0, 1) + strings.Repeat(`,{"cat":"Api","ph":"X","ts":1,"dur":1}`, MaxEvents) + "," + node("a", "Add", 5, 2) + "]"
	if _, err := read(t, text); err == nil || !strings.Contains(err.Error(), "the library keeps 1000000 events") {
		t.Errorf("error %v", err)
	}
}

// Whatever the bytes, a trace that is read has times that add up.
func FuzzRead(f *testing.F) {
	f.Add([]byte(trace(node("a", "Add", 1, 2), node("loop", "Loop", 0, 4), run(0, 4), run(6, 2))))
	f.Add([]byte(`{"traceEvents":[{"cat":"Node","ph":"X","ts":"1","dur":1,"tid":[],"name":"_kernel_time","args":{"op_name":"MatMul","input_type_shape":[{"float":[1,8]}],"output_type_shape":[{"float":[1,8]}]}}]}`))
	if b, err := os.ReadFile("testdata/portable-l1.json"); err == nil {
		f.Add(b[:8000])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, err := Read(bytes.NewReader(b))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "operators: ") {
				t.Errorf("error %q without its package", err)
			}
			return
		}
		schedule := make([]Step, len(tr.Runs))
		for i, r := range tr.Runs {
			schedule[i] = Step{Phase: Decode, New: 1}
			for _, k := range r.Kernels {
				if k.NS < 0 {
					t.Errorf("run %d: %s takes %d ns", i, tr.Nodes[k.Node].Name, k.NS)
				}
			}
			if r.KernelNS() > r.NS {
				t.Errorf("run %d: kernels of %d ns in %d", i, r.KernelNS(), r.NS)
			}
		}
		profiles, err := Analyze(tr, Options{Schedule: schedule, Machine: Machine{1e9, 1e9}})
		if err == nil {
			wholeSums(t, profiles[0])
		}
	})
}
