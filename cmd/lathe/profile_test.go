package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lathe/graphgen"
	"lathe/graphgen/arch"
	"lathe/profiler/operators"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A stored trace, as the command prints it: one of each phase.
func TestProfileTables(t *testing.T) {
	c, err := arch.ParseCandidate("gpt2-l1-d64-f128-h2-v300-p64+portable")
	if err != nil {
		t.Fatal(err)
	}
	g, err := graphgen.Lower(c, graphgen.Cached)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join("..", "..", "profiler", "operators", "testdata", "portable-l1.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	trace, err := operators.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	step := func(phase operators.Phase, tokens, past int) operators.Step {
		return operators.Step{Phase: phase, New: tokens, Past: past, Kept: 1}
	}
	schedule := []operators.Step{step(operators.WarmUp, 8, 0), step(operators.Prefill, 8, 0), step(operators.Decode, 1, 8), step(operators.Decode, 1, 9)}
	phases, err := operators.Analyze(trace, operators.Options{
		Graph: g, Schedule: schedule, Machine: operators.Machine{ReadBytesPerSecond: 40e9, FlopsPerSecond: 200e9},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range phases {
		if err := phases[i].Compare(schedule, []int64{9, 250e3, 260e3, 280e3}, []int64{9, 230e3, 250e3, 260e3}); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	a := &app{stdout: &out}
	p := &profiled{Candidate: c.Name(), Binding: bindingOf(c.Build), Threads: 1, Phases: phases, Trace: "trace.json"}
	if err := a.printProfile(p, profileFlags{top: 6}); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "profile.golden")
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%s (run with -update to accept):\n%s", golden, out.String())
	}
}

func TestUnsteadyMachine(t *testing.T) {
	m := func(read, flops float64) operators.Machine {
		return operators.Machine{ReadBytesPerSecond: read, FlopsPerSecond: flops}
	}
	if w := unsteady(m(36e9, 210e9), m(37e9, 200e9)); len(w) != 0 {
		t.Errorf("warnings %q", w)
	}
	w := unsteady(m(23e9, 210e9), m(37e9, 100e9))
	if len(w) != 2 || !strings.Contains(w[0], "was 23 GB/s before the runs and 37 after") || !strings.Contains(w[1], "210 GFLOP/s before the runs and 100 after") {
		t.Errorf("warnings %q", w)
	}
	if w := unsteady(m(0, 0), m(0, 0)); len(w) != 0 { // another provider's
		t.Errorf("warnings %q", w)
	}
}
