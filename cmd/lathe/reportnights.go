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

// nightsPart fills in the history of the nightly gate, beside the report's baseline: ratios
// to another are no part of it.
func (r *reportOf) nightsPart() error {
	nights, err := r.readNights(r.ctx, r.st)
	if err != nil {
		return err
	}
	beside := nights
	if r.known {
		hash := r.baseline.Hash()
		beside = slices.DeleteFunc(slices.Clone(nights), func(n nightly.Night) bool { return n.Scope.Baseline.Hash() != hash })
	}
	var machines []string
	for _, n := range beside {
		if m := n.Scope.Machine(); !slices.Contains(machines, m) {
			machines = append(machines, m)
		}
	}
	scope, err := r.scopeOfNights(beside, machines)
	if err != nil {
		return err
	}
	var own []nightly.Night
	for _, n := range beside {
		if n.Scope.Key() == scope {
			own = append(own, n)
		}
	}
	if others := len(nights) - len(own); others > 0 {
		r.warn("nights", reports.Count(others, "night")+" of other machines, baselines or workloads left out: lathe nightly history shows them", 1)
	}
	if len(own) == 0 {
		return nil
	}
	last := own[len(own)-1]
	if !r.known { // a store of nights alone
		r.baseline, r.known = last.Scope.Baseline, true
	}
	r.out.Nights = &reports.Nights{Last: last, Rows: nightly.Rows(own)}
	r.nightsMachine(last.Scope.Host)
	for _, w := range last.Warnings {
		r.warn("nights", w, 1)
	}
	return nil
}

// nightsMachine warns of nights of another machine than the measurements are of or, where
// there are none, than this.
func (r *reportOf) nightsMachine(h record.Host) {
	if r.records == nil {
		if !ofThisMachine(h) {
			r.warn("nights", fmt.Sprintf("they are of %s, which is not this machine", hostText(h)), 1)
		}
		return
	}
	same := func(h record.Host) string { // whatever is run on it, and how
		h.Provider, h.HugePages = "", false
		return nightly.Scope{Host: h}.Machine()
	}
	if here := r.records.host; same(h) != same(here) {
		r.warn("nights", fmt.Sprintf("they are of %s, and the measurements are of %s", hostText(h), hostText(here)), 1)
	}
}

// scopeOfNights is the key of the scope whose nights are shown: of the machine that was
// asked for, of this one, or of the only one; there, the last night's. "" is of none.
func (r *reportOf) scopeOfNights(nights []nightly.Night, machines []string) (scope string, err error) {
	asked := r.flags.nights
	if asked != "" {
		machines = slices.DeleteFunc(machines, func(m string) bool { return !strings.HasPrefix(m, asked) })
		if len(machines) != 1 {
			beside := ""
			if r.known {
				beside = ", with nights beside " + r.baseline.Name()
			}
			return "", badInput(fmt.Errorf("report: --nights %s: %s have a hash that begins so: want one, as lathe nightly history has them%s", asked, reports.Count(len(machines), "machine"), beside))
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
