package reports

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"lathe/profiler/nightly"
	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// metricNames are metrics as tables have them.
var metricNames = map[string]string{record.MetricPL: "PL", record.MetricTL: "TL", record.MetricP95: "P95 latency_char"}

// Nightly writes a night: what it comes to in a sentence, every comparison, what changed,
// and what the figures hold under. As Markdown it goes to a job's summary or a chat.
func Nightly(w io.Writer, style Style, n nightly.Night) error {
	if len(n.Things) == 0 {
		return errNoRows
	}
	say := Plain
	if style == Markdown {
		say = inMarkdown
	}
	head := fmt.Sprintf("Night %d, %s: %s\n\n", n.Seq, n.Time.UTC().Format("2006-01-02 15:04 MST"), say(nightSummary(n)))
	if style == Markdown {
		head = "### " + head
	}
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	t := &table{columns: []column{
		{name: "thing", left: true}, {name: "metric", left: true}, {name: "tonight / baseline"}, {name: "reference / baseline"},
		{name: "change"}, {name: "interval"}, {name: "sessions"}, {name: "verdict", left: true},
	}}
	for _, thing := range n.Things {
		if thing.Problem != "" {
			t.remarks = append(t.remarks, thing.Name+" could not be timed: "+thing.Problem)
		}
		if len(thing.Comparisons) == 0 && thing.Problem != "" {
			t.add(thing.Name, none, none, none, none, none, strconv.Itoa(len(thing.Sessions)), thing.Verdict)
			continue
		}
		if len(thing.Comparisons) == 0 {
			for _, m := range n.Scope.Metrics {
				figures := nightly.Figures(thing.Sessions, m)
				at := none
				if len(figures) > 0 {
					at = ratio(nightly.Middle(figures))
				}
				t.add(thing.Name, metricNames[m], at, none, none, none, strconv.Itoa(len(figures)), "reference")
			}
			continue
		}
		for _, c := range thing.Comparisons {
			then := ratio(c.Reference)
			if c.How == nightly.Paired {
				then = none + " " + t.note("timed in the same sessions as the reference's own file, and not by way of the baseline")
			}
			t.add(thing.Name, metricNames[c.Metric], ratio(c.Tonight), then, changeOf(c), changeInterval(decisive(c)), strconv.Itoa(c.Sessions), c.Verdict)
		}
	}
	if l := n.Library; l != nil {
		for _, c := range l.Comparisons {
			t.add("library "+l.From+" to "+l.To, metricNames[c.Metric], none, none, changeOf(c), changeInterval(decisive(c)), strconv.Itoa(c.Sessions),
				c.Verdict+" "+t.note("times of the baseline with either library, by turns, in processes of their own"))
		}
	}
	for _, thing := range n.Things {
		t.remarks = append(t.remarks, causeRemarks(thing)...)
	}
	if s := libraryRemark(n.Library); s != "" {
		t.remarks = append(t.remarks, s)
	}
	t.remarks = append(t.remarks, nightConditions(n))
	for _, warning := range n.Warnings {
		t.remarks = append(t.remarks, "warning: "+warning)
	}
	return t.write(w, style)
}

// nightSummary is the verdict in words.
func nightSummary(n nightly.Night) string {
	of := func(verdict string) (names []string) {
		for _, t := range n.Things {
			if t.Verdict != verdict {
				continue
			}
			what := t.Name
			for _, c := range t.Comparisons {
				if c.Verdict == verdict && verdict != nightly.Same {
					what += fmt.Sprintf(" %s %s", metricNames[c.Metric], changeOf(c))
				}
			}
			names = append(names, what)
		}
		if l := n.Library; l != nil && l.Verdict == verdict {
			names = append(names, "the library")
		}
		return names
	}
	var parts []string
	for _, v := range []struct{ verdict, words string }{
		{nightly.Slower, "slower: "}, {nightly.CannotTell, "cannot tell: "}, {nightly.Faster, "faster: "}, {nightly.Reference, "reference made: "}, {nightly.Same, "same: "},
	} {
		if names := of(v.verdict); len(names) > 0 {
			parts = append(parts, v.words+strings.Join(names, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// libraryRemark says why another version of the library could not be timed, or nothing.
func libraryRemark(l *nightly.Library) string {
	if l == nil || l.Problem == "" {
		return ""
	}
	return fmt.Sprintf("the library changed from %s to %s, which could not be timed: %s", l.From, l.To, l.Problem)
}

// causeRemarks say what changed for a thing since its reference.
func causeRemarks(t nightly.Thing) (out []string) {
	for _, c := range t.Causes {
		line := fmt.Sprintf("%s: the %s changed since the reference, from %s to %s", t.Name, c.What, c.From, c.To)
		switch {
		case c.Problem != "":
			line += "; what it brings could not be timed: " + c.Problem
		case len(c.Comparisons) > 0:
			var found []string
			for _, k := range c.Comparisons {
				found = append(found, fmt.Sprintf("%s %s (%s, %s)", metricNames[k.Metric], changeOf(k), changeInterval(decisive(k)), k.Verdict))
			}
			line += ", which by itself brings " + strings.Join(found, ", ")
		}
		out = append(out, line)
	}
	if len(t.Causes) == 0 && (t.Verdict == nightly.Slower || t.Verdict == nightly.Faster) {
		out = append(out, t.Name+": neither the file nor the library, kernel or workload changed since the reference: what did is not recorded")
	}
	return out
}

func nightConditions(n nightly.Night) string {
	out := "conditions: " + nightHost(n)
	if comparisons(n)+libraryComparisons(n) > 0 {
		out += "; " + nightLevels(n)
	}
	return out
}

// nightHost is where a night was, and what it compared with.
func nightHost(n nightly.Night) string {
	h := n.Scope.Host
	out := fmt.Sprintf("machine %s", n.Scope.Machine()[:12])
	if h.CPUModel != "" {
		out += ", " + h.CPUModel + ", " + Count(h.Cores, "core")
	}
	if h.LibraryVersion != "" {
		out += "; ONNX Runtime " + h.LibraryVersion + ", " + h.Provider
	}
	return out + fmt.Sprintf("; baseline %s; least effect %s", n.Scope.Baseline.Name(), percentLevel(n.MinEffect))
}

// nightLevels says which intervals a night's are, and for how many comparisons they hold.
// Those of the library are told apart, since their judges allow for each other alone.
func nightLevels(n nightly.Night) string {
	things, library, each := comparisons(n), libraryComparisons(n), ""
	all := Count(things, "comparison")
	if library > 0 {
		if all = Count(library, "comparison") + " of the library"; things > 0 {
			all, each = Count(things, "comparison")+" of things, and all "+all, " each"
		}
	}
	return fmt.Sprintf("the interval of same is of %s for each comparison, that of another verdict holds for all %s in %s of nights%s",
		percentLevel(nightly.SameLevel), all, percentLevel(nightly.Level), each)
}

func comparisons(n nightly.Night) (k int) {
	for _, t := range n.Things {
		k += len(t.Comparisons)
	}
	return k
}

func libraryComparisons(n nightly.Night) int {
	if n.Library == nil {
		return 0
	}
	return len(n.Library.Comparisons)
}

// decisive is the interval by which a comparison was decided: the wider one, beside same,
// may well have what is no longer the same in it.
func decisive(c nightly.Comparison) *stat.Interval {
	if c.Verdict == nightly.Same {
		return c.SameCI
	}
	return c.CI
}

// changeOf is a comparison's change, a dash where nothing was seen.
func changeOf(c nightly.Comparison) string {
	if !(c.Ratio > 0) {
		return none
	}
	return change(c.Ratio)
}

func changeInterval(ci *stat.Interval) string {
	iv, ok := known(ci)
	if !ok {
		return none
	}
	return fmt.Sprintf("%s to %s %%", signed(100*(iv.Low-1)), signed(100*(iv.High-1)))
}

// NightHistory writes the nights of one scope: a line for each thing and metric of a night.
func NightHistory(w io.Writer, style Style, scope nightly.Scope, rows []nightly.Row) error {
	if len(rows) == 0 {
		return errNoRows
	}
	head := fmt.Sprintf("Machine %s", scope.Machine()[:12])
	if scope.Host.CPUModel != "" {
		head += fmt.Sprintf(", %s, %s", scope.Host.CPUModel, Count(scope.Host.Cores, "core"))
	}
	head += "; baseline " + scope.Baseline.Name()
	if scope.Workload != "" {
		head += "; workload " + scope.Workload
	}
	say := Plain
	if style == Markdown {
		say = markdownLine
	}
	if _, err := io.WriteString(w, say(head)+"\n\n"); err != nil {
		return err
	}
	t := &table{columns: []column{
		{name: "thing", left: true}, {name: "metric", left: true}, {name: "night"}, {name: "time", left: true}, {name: "ratio"}, {name: "interval"},
		{name: "sessions"}, {name: "verdict", left: true}, {name: "level", left: true},
	}}
	for _, r := range rows {
		level := ""
		if r.Change != 0 {
			level = change(r.Change) + " from here"
		}
		t.add(r.Thing, metricNames[r.Metric], strconv.FormatInt(r.Seq, 10), r.Time.UTC().Format(time.DateTime), ratio(r.Ratio),
			fmt.Sprintf("%s to %s", ratio(r.Low), ratio(r.High)), strconv.Itoa(r.Sessions), r.Verdict, level)
	}
	t.remarks = append(t.remarks, "ratios to the baseline; intervals are two standard errors either way, with what a night has of its own")
	return t.write(w, style)
}
