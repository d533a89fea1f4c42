package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
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
