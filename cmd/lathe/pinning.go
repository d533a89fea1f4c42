package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lathe/profiler/machine"
)

// pinnedCPUs are the CPUs that timing.cpus pins a session's threads to, the
// calling thread's first; none where it is empty.
func (a *app) pinnedCPUs(threads int) ([]int, error) {
	text := a.cfg.Timing.CPUs
	if text == "" {
		return nil, nil
	}
	have, err := machine.CPUs()
	if err != nil {
		return nil, fmt.Errorf("timing.cpus is %q: %w", text, err)
	}
	if text == "auto" {
		// The last ones: the first has most of the system's own work.
		if threads > len(have) {
			return nil, fmt.Errorf("timing.cpus is auto: %d threads, and this process may use %d CPUs: %v", threads, len(have), have)
		}
		return have[len(have)-threads:], nil
	}
	var cpus []int
	for field := range strings.SplitSeq(text, ",") {
		cpu, err := strconv.Atoi(strings.TrimSpace(field))
		switch {
		case err != nil:
			return nil, fmt.Errorf("timing.cpus is %q: %q is no number of a CPU; want auto or numbers such as 0,1", text, field)
		case !slices.Contains(have, cpu):
			return nil, fmt.Errorf("timing.cpus is %q: this process may not use CPU %d, only %v", text, cpu, have)
		case slices.Contains(cpus, cpu):
			return nil, fmt.Errorf("timing.cpus is %q: CPU %d is there twice", text, cpu)
		}
		cpus = append(cpus, cpu)
	}
	if len(cpus) != threads {
		return nil, fmt.Errorf("timing.cpus is %q: %d CPUs for the %d threads of a session", text, len(cpus), threads)
	}
	return cpus, nil
}

// affinity pins the threads that the library makes, all but the calling one, in
// its own words: processors counted from 1.
func affinity(cpus []int, threads int) string {
	var groups []string
	for i := 1; i < min(threads, len(cpus)); i++ {
		groups = append(groups, strconv.Itoa(cpus[i]+1))
	}
	return strings.Join(groups, ";")
}
