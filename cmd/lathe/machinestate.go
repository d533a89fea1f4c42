package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"lathe/profiler/machine"
	"lathe/profiler/operators"
	"lathe/runtime/ort"
)

// machineState is what the machine has left and is doing as doctor looks.
type machineState struct {
	CPUs                 []int   `json:"cpus"`                     // that this process may use
	CPUQuotaCores        float64 `json:"cpu_quota_cores,omitzero"` // of a control group; 0: none
	AvailableMemoryBytes int64   `json:"available_memory_bytes"`   // 0: unknown
	Pinning              string  `json:"pinning"`                  // "ok", or why not

	SampleMS      float64 `json:"sample_ms"`
	OthersPercent float64 `json:"others_percent_of_core"` // CPU time of all other processes
	StealPercent  float64 `json:"steal_percent_of_core"`  // CPU time that the hypervisor took
	MinMHz        float64 `json:"min_mhz"`                // of those CPUs; 0: unknown
	MaxMHz        float64 `json:"max_mhz"`

	rates // of one thread
	// AllCores is that of a thread on every core, where there is more than one.
	AllCores *coresRates `json:"all_cores,omitempty"`

	Warnings []string `json:"warnings"`
}

// rates bound a session: no product with a matrix is faster. 0 is not measured.
type rates struct {
	ReadGBPerS float64 `json:"read_gb_per_s,omitzero"`
	GFlopPerS  float64 `json:"gflop_per_s,omitzero"` // fp32, in ONNX Runtime
}

type coresRates struct {
	Threads int `json:"threads"`
	rates
}

const (
	// loadSample: the system counts in ticks of 10 ms, of which 5 % are 2.5 here.
	loadSample = 500 * time.Millisecond
	// busyPercent of a core by others, and timings suffer; record.Usage warns at the
	// same.
	busyPercent = 5
)

// lookAtMachine takes half a second, and with the speeds about two. env may be nil:
// the speed of products is then not measured.
func lookAtMachine(ctx context.Context, env *ort.Env, speeds bool) (machineState, error) {
	var m machineState
	var err error
	if m.CPUs, err = machine.CPUs(); err != nil {
		return m, err
	}
	m.CPUQuotaCores, _ = machine.CPUQuota()
	m.AvailableMemoryBytes, _ = machine.AvailableMemory()
	m.Pinning = "ok"
	if err := tryPinning(m.CPUs[:1]); err != nil {
		m.Pinning = err.Error()
	}
	if err := m.sampleLoad(ctx); err != nil {
		return m, err
	}
	if speeds {
		if m.rates, err = m.measureSpeed(ctx, env, 1); err != nil {
			return m, err
		}
		if n := min(len(m.CPUs), runtime.GOMAXPROCS(0)); n > 1 {
			all := coresRates{Threads: n}
			if all.rates, err = m.measureSpeed(ctx, env, n); err != nil {
				return m, err
			}
			m.AllCores = &all
		}
	}
	m.warn()
	return m, nil
}

// sampleLoad watches for a while in which this process does nothing.
func (m *machineState) sampleLoad(ctx context.Context) error {
	before := machine.Read()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(loadSample):
	}
	u := machine.Read().Since(before)
	wall := float64(max(u.WallNS, 1))
	m.SampleMS = wall / 1e6
	m.OthersPercent, m.StealPercent = 100*float64(u.OthersNS)/wall, 100*float64(u.StealNS)/wall
	mhz := slices.DeleteFunc(machine.ClockRates(m.CPUs), func(f float64) bool { return f <= 0 })
	if len(mhz) > 0 {
		m.MinMHz, m.MaxMHz = slices.Min(mhz), slices.Max(mhz)
	}
	return nil
}

// measureSpeed measures with so many threads. What cannot be measured is a
// warning; only ctx's end is an error.
func (m *machineState) measureSpeed(ctx context.Context, env *ort.Env, threads int) (r rates, err error) {
	read, err := machine.ReadBandwidth(ctx, threads)
	r.ReadGBPerS = read / 1e9
	if err == nil && env != nil {
		var flops float64
		flops, err = operators.FlopRate(ctx, env, threads)
		r.GFlopPerS = flops / 1e9
	}
	if err != nil && ctx.Err() == nil {
		m.Warnings = append(m.Warnings, err.Error())
		err = nil
	}
	return r, err
}

// warn says what timings will suffer from.
func (m *machineState) warn() {
	if m.OthersPercent > busyPercent {
		m.Warnings = append(m.Warnings, fmt.Sprintf("other processes use %.0f %% of a core: timings will suffer; end them, or measure later", m.OthersPercent))
	}
	if m.StealPercent > busyPercent {
		m.Warnings = append(m.Warnings, fmt.Sprintf("the hypervisor gives %.0f %% of a core to other machines: timings will suffer", m.StealPercent))
	}
	if q := m.CPUQuotaCores; q > 0 && q < float64(len(m.CPUs)) {
		m.Warnings = append(m.Warnings, fmt.Sprintf("a control group allows the time of %.3g of %d cores: builds with more threads stand still in between", q, len(m.CPUs)))
	}
	if m.Warnings == nil {
		m.Warnings = []string{}
	}
}

// tryPinning reports why a thread cannot be kept on these CPUs, if so.
func tryPinning(cpus []int) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		unpin, err := machine.PinThread(cpus)
		if err == nil {
			err = unpin()
		}
		if err == nil {
			runtime.UnlockOSThread()
		} // else the thread ends with its goroutine
		result <- err
	}()
	err := <-result
	if errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("this system has none: %w", err)
	}
	return err
}
