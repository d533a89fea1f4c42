package record

import "fmt"

// Conditions are what a session was timed under besides its Host: where its
// thread ran, and what else the machine did meanwhile.
type Conditions struct {
	CPUs  []int `json:"cpus"`          // logical CPUs that the timing thread was pinned to; empty: not pinned
	Child bool  `json:"child_process"` // timed in a process of its own
	Usage Usage `json:"usage"`
}

// Usage is what the machine was used for while samples were taken. A count that
// the system does not tell is 0; WallNS is 0 where nothing was watched.
type Usage struct {
	WallNS              int64   `json:"wall_ns"`
	OwnNS               int64   `json:"own_cpu_ns"`    // CPU time of this process, all its threads
	OthersNS            int64   `json:"others_cpu_ns"` // CPU time of everything else on the machine, all cores
	StealNS             int64   `json:"steal_ns"`      // time that the hypervisor gave to other machines, all cores
	InvoluntarySwitches int64   `json:"involuntary_switches"`
	MajorFaults         int64   `json:"major_faults"` // pages that had to be read from disk
	MinMHz              float64 `json:"min_mhz"`      // clock rates seen, of the cores at work
	MaxMHz              float64 `json:"max_mhz"`
}

// A session is disturbed, and its record warns, where other work took more than
// this share of one core, or the clock rate moved by more than this.
const (
	contentionThreshold = 0.05
	clockThreshold      = 0.10
	// A quiet machine takes a thread off its core some times a second, for work of
	// the kernel's.
	switchThreshold = 25 // a second
)

// Warnings says what disturbed the session, for people.
func (u Usage) Warnings() (out []string) {
	if u.WallNS <= 0 {
		return nil
	}
	share := func(ns int64) float64 { return float64(ns) / float64(u.WallNS) }
	if s := share(u.OthersNS); s > contentionThreshold {
		out = append(out, fmt.Sprintf("other processes used %.0f %% of a core while this was timed", 100*s))
	}
	if s := share(u.StealNS); s > contentionThreshold {
		out = append(out, fmt.Sprintf("the hypervisor gave %.0f %% of a core to other machines while this was timed", 100*s))
	}
	if s := float64(u.InvoluntarySwitches) / (float64(u.WallNS) / 1e9); s > switchThreshold {
		out = append(out, fmt.Sprintf("the timing thread was taken off its core %.0f times a second", s))
	}
	if u.MajorFaults > 0 {
		out = append(out, fmt.Sprintf("%d pages were read from disk while this was timed: memory is short, or the weights were not in it yet", u.MajorFaults))
	}
	if u.MinMHz > 0 && u.MaxMHz > (1+clockThreshold)*u.MinMHz {
		out = append(out, fmt.Sprintf("the clock moved between %.0f and %.0f MHz while this was timed", u.MinMHz, u.MaxMHz))
	}
	return out
}

func (c Conditions) check() error {
	for i, cpu := range c.CPUs {
		if cpu < 0 {
			return fmt.Errorf("conditions.cpus[%d] is %d: want 0 or more", i, cpu)
		}
	}
	u := c.Usage
	for _, f := range []struct {
		name string
		v    float64
	}{
		{"wall_ns", float64(u.WallNS)}, {"own_cpu_ns", float64(u.OwnNS)}, {"others_cpu_ns", float64(u.OthersNS)},
		{"steal_ns", float64(u.StealNS)}, {"involuntary_switches", float64(u.InvoluntarySwitches)},
		{"major_faults", float64(u.MajorFaults)}, {"min_mhz", u.MinMHz}, {"max_mhz", u.MaxMHz},
	} {
		if !(f.v >= 0) {
			return fmt.Errorf("conditions.usage.%s is %v: want 0 (unknown) or more", f.name, f.v)
		}
	}
	return nil
}

// Where a session that has no samples ended.
const (
	FailedMemory  = "memory"  // there was not enough of it to begin
	FailedCreate  = "create"  // the library refused the graph
	FailedRun     = "run"     // a run returned an error
	FailedProcess = "process" // the process that held the session died
)

// Failure is why there are no samples: a result too, which a search need not
// take again.
type Failure struct {
	Stage     string `json:"stage"` // FailedMemory, FailedCreate, FailedRun or FailedProcess
	Message   string `json:"message"`
	MaxTokens int    `json:"max_tokens"` // of the longest sequence that was to be run: what is shorter may well run
}

func (f Failure) check() error {
	switch f.Stage {
	case FailedMemory, FailedCreate, FailedRun, FailedProcess:
	default:
		return fmt.Errorf("failure.stage is %q: want %q, %q, %q or %q", f.Stage, FailedMemory, FailedCreate, FailedRun, FailedProcess)
	}
	if f.Message == "" {
		return fmt.Errorf("failure.message is empty: want what went wrong")
	}
	if f.MaxTokens < 0 {
		return fmt.Errorf("failure.max_tokens is %d: want 0 (unknown) or more", f.MaxTokens)
	}
	return nil
}
