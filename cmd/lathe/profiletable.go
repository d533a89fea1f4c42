package main

import (
	"fmt"
	"strings"

	"lathe/profiler/operators"
	"lathe/reports"
)

// printProfile writes the tables that were asked for, phase by phase.
func (a *app) printProfile(p *profiled, f profileFlags) error {
	threads := "1 thread"
	if p.Threads > 1 {
		threads = fmt.Sprintf("%d threads", p.Threads)
	}
	fmt.Fprintf(a.stdout, "%s, past and present %s, %s\n", p.Candidate, p.Binding, threads)
	tables := []string{byLayer, byOperator}
	if f.by != "" {
		tables = []string{f.by}
	}
	for _, phase := range p.Phases {
		fmt.Fprintf(a.stdout, "\n%s: a typical run, of %d\n", phaseTitle(phase), phase.Runs)
		for i, what := range tables {
			fmt.Fprintln(a.stdout)
			table := operatorProfile(phase, what, f.top)
			table.Brief = i < len(tables)-1
			if err := reports.OperatorTable(a.stdout, reports.Text, table); err != nil {
				return err
			}
		}
	}
	if p.Trace != "" {
		fmt.Fprintf(a.stdout, "\nThe trace is in %s.\n", p.Trace)
	}
	return nil
}

// operatorProfile is a phase as reports takes it.
func operatorProfile(p operators.Profile, what string, top int) reports.OperatorProfile {
	out := reports.OperatorProfile{
		What: what, RunMS: p.RunMS, DispatchMS: p.DispatchMS, RoundingMS: p.RoundingMS, Top: top,
		ReadBytesPerSecond: p.Machine.ReadBytesPerSecond, FlopsPerSecond: p.Machine.FlopsPerSecond, Flops: p.Flops,
		AttainedShare: p.AttainedShare, Warnings: p.Warnings,
	}
	if p.Plain != nil {
		out.PlainMS, out.TracedRatio, out.TracedCI = p.Plain.RunMS, p.Plain.Ratio, p.Plain.CI
	}
	rows := p.Operators
	if what == byLayer {
		rows = p.Layers
	}
	for _, r := range rows {
		out.Rows = append(out.Rows, reports.OperatorRow{
			Name: r.Name, Kernels: r.Calls, MS: r.MS, AtMemoryMS: r.AtMemoryMS, AtComputeMS: r.AtComputeMS, LimitMS: r.LimitMS,
			MemoryMS: r.MemoryMS, ComputeMS: r.ComputeMS, UnknownOperations: r.Unknown > 0,
			WeightBytes: r.WeightBytes, CacheAnd: r.CacheBytes + r.ActivationBytes,
		})
	}
	return out
}

// phaseTitle says what a profile's runs are.
func phaseTitle(p operators.Profile) string {
	if p.Phase == operators.Decode {
		return fmt.Sprintf("decode of 1 token after %s", strings.TrimSuffix(fmt.Sprintf("%.1f", p.PastTokens), ".0"))
	}
	return fmt.Sprintf("%s of %d tokens", p.Phase, p.NewTokens)
}
