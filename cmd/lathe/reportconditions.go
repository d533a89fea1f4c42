package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"lathe/reports"
)

// conditions says under which the report's figures hold.
func (r *reportOf) conditions() error {
	add := func(name, value string) {
		if value != "" {
			r.out.Conditions = append(r.out.Conditions, reports.Condition{Name: name, Value: value})
		}
	}
	add("store", r.st.Path())
	if r.known {
		add("baseline", r.baseline.Name())
	}
	if b := r.front; b != nil {
		s := b.Setup
		add("search", fmt.Sprintf("%s, %s by %s, seed %d", b.Search, s.Method, s.By, s.Seed))
		var builds []string
		for _, one := range s.builds() {
			builds = append(builds, cmp.Or(one.Name(), "fused, fp32, 1 thread"))
		}
		add("build of candidates", strings.Join(builds, "; "))
		add("latency of the search", "one request of "+s.requestOf())
		add("objectives", strings.Join(b.Objectives, ", "))
		add("limits", strings.Join(s.Limits, ", "))
		add("constraints of the space", strings.Join(s.Space.Constraints, ", "))
	}
	if s := r.study; s != nil {
		add("study", r.flags.study)
		r.sameMachine("study.json", s.Host)
	}
	g := r.records
	if g == nil {
		return nil
	}
	h := g.host
	add("machine", fmt.Sprintf("%s, %s, %.0f GiB", cmp.Or(h.CPUModel, h.Arch, "unknown"), reports.Count(h.Cores, "core"), float64(h.MemoryBytes)/(1<<30)))
	add("system", fmt.Sprintf("%s/%s, kernel %s, governor %s", cmp.Or(h.OS, "unknown"), cmp.Or(h.Arch, "unknown"), cmp.Or(h.Kernel, "unknown"), cmp.Or(h.Governor, "none")))
	add("instruction sets", strings.Join(h.Flags, " "))
	add("ONNX Runtime", cmp.Or(h.LibraryVersion, "unknown"))
	add("execution provider", counted(g.providers))
	add("huge pages", map[bool]string{true: "yes", false: "no"}[h.HugePages])
	add("threads of the baseline", fmt.Sprint(r.baseline.Threads()))
	add("pinned to CPUs", counted(g.cpus))
	add("past and present", counted(g.bindings))
	if prompts := g.promptTexts(); len(prompts) > 0 {
		add("prompt of steps", counted(prompts))
	}
	add("workload", counted(g.workloads))
	add("seeds", seedText(g.seeds))
	add("measured", g.first.UTC().Format(time.DateTime)+" to "+g.last.UTC().Format(time.DateTime)+" UTC")
	return nil
}

// conditionValues bounds how many values of a condition are listed.
const conditionValues = 6

// counted lists what records have, with how many where they differ.
func counted(of map[string]int) string {
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(of[b]-of[a], strings.Compare(a, b)) })
	if len(names) == 1 {
		return cmp.Or(names[0], "unknown")
	}
	var out []string
	for i, n := range names {
		if i == conditionValues {
			out = append(out, reports.Count(len(names)-i, "other"))
			break
		}
		out = append(out, fmt.Sprintf("%s (%s)", cmp.Or(n, "unknown"), reports.Count(of[n], "record")))
	}
	return strings.Join(out, "; ")
}

func seedText(seeds map[uint64]bool) string {
	list := slices.Sorted(maps.Keys(seeds))
	if len(list) > conditionValues {
		return fmt.Sprintf("%d, from %d to %d", len(list), list[0], list[len(list)-1])
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ", "), "[]")
}
