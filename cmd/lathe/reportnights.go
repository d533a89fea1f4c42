package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"lathe/profiler"
	"lathe/profiler/nightly"
	"lathe/profiler/record"
	"lathe/reports"
)

// nightsPart fills in the history of the nightly gate.
func (r *reportOf) nightsPart() error {
	nights, err := r.readNights(r.ctx, r.st)
	if err != nil {
		return err
	}
	var machines []string
	for _, n := range nights {
		if m := n.Scope.Machine(); !slices.Contains(machines, m) {
			machines = append(machines, m)
		}
	}
	scope, err := r.scopeOfNights(nights, machines)
	if err != nil || scope == "" {
		return err
	}
	var own []nightly.Night
	for _, n := range nights {
		if n.Scope.Key() == scope {
			own = append(own, n)
		}
	}
	r.out.Nights = &reports.Nights{Last: own[len(own)-1], Rows: nightly.Rows(own)}
	if others := len(nights) - len(own); others > 0 {
		r.warn("nights", reports.Count(others, "night")+" of other machines, baselines or workloads left out: lathe nightly history shows them", 1)
	}
	for _, w := range own[len(own)-1].Warnings {
		r.warn("nights", w, 1)
	}
	return nil
}

// scopeOfNights is the key of the scope whose nights are shown: of the machine that was
// asked for, of this one, or of the only one; there, the last night's. "" is of none.
func (r *reportOf) scopeOfNights(nights []nightly.Night, machines []string) (scope string, err error) {
	asked := r.flags.nights
	if asked != "" {
		machines = slices.DeleteFunc(machines, func(m string) bool { return !strings.HasPrefix(m, asked) })
		if len(machines) != 1 {
			return "", badInput(fmt.Errorf("report: --nights %s: %s have a hash that begins so: want one, as lathe nightly history has them", asked, reports.Count(len(machines), "machine")))
		}
	}
	for _, n := range nights {
		only := len(machines) == 1 && n.Scope.Machine() == machines[0]
		if only || asked == "" && ofThisMachine(n.Scope.Host) {
			scope = n.Scope.Key()
		}
	}
	if scope == "" && len(machines) > 1 {
		first := nights[len(nights)-1].Scope.Machine()
		r.out.Missing = append(r.out.Missing, reports.Missing{
			Part: "nights", Command: fmt.Sprintf("lathe report --nights %.6s, for there are those of %s, and none is this one", first, reports.Count(len(machines), "machine")),
		})
	}
	return scope, nil
}

// ofThisMachine reports whether a night was measured here. What its owner changes on a
// machine, and how sessions are held, is no part of that.
func ofThisMachine(h record.Host) bool {
	here := profiler.Fingerprint(h.LibraryVersion, h.Provider, h.HugePages)
	return here.OS == runtime.GOOS && nightly.Scope{Host: here}.Machine() == nightly.Scope{Host: h}.Machine()
}
