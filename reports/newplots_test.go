package reports

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
)

func TestLatencyPlot(t *testing.T) {
	d := latencyPlot{Title: "TL", Label: "TL (ms)", Name: "small", Shares: []float64{0, 0.5, 0.9, 1}, Own: []float64{4, 5, 6, 8}, Baseline: []float64{6, 7, 8, 9}}
	drawn(t, "latency.png", func(w io.Writer, f Format) error { return writePlot(w, f, d.Drawing) }, "TL (ms)", "share of the times", "P50", "P95", "small", "baseline")
	logarithmic := func() bool {
		var out bytes.Buffer
		if err := writePlot(&out, SVG, d.Drawing); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(out.String(), "logarithmic")
	}
	if logarithmic() {
		t.Error("times of 4 to 9 ms are on a logarithmic axis")
	}
	d.Own = []float64{4, 5, 6, 80}
	if !logarithmic() {
		t.Error("a tail of 16 medians is on a linear axis")
	}
	for share, want := range map[float64]float64{0: 4, 0.25: 5, 0.5: 5, 0.7: 6, 1: 80} {
		if got := timeAt(d.Shares, d.Own, share); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v of the times are at most %v, want %v, which is one of them", share, got, want)
		}
	}
	for name, bad := range map[string]latencyPlot{
		"empty":   {},
		"uneven":  {Shares: []float64{0, 1}, Own: []float64{1, 2}, Baseline: []float64{1}},
		"falling": {Shares: []float64{0, 1}, Own: []float64{2, 1}, Baseline: []float64{1, 2}},
		"nan":     {Shares: []float64{0, 1}, Own: []float64{1, math.NaN()}, Baseline: []float64{1, 2}},
		"share":   {Shares: []float64{0, 2}, Own: []float64{1, 2}, Baseline: []float64{1, 2}},
	} {
		if err := writePlot(io.Discard, SVG, bad.Drawing); err == nil || !strings.HasPrefix(err.Error(), "reports: plot: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOperatorPlot(t *testing.T) {
	d := operatorPlot{Title: "Operators", Bars: []timeBar{{Name: "MatMul", MS: 12.345, LimitMS: 6, Share: 0.7, Detail: "x"}, {Name: "Gelu <of> a \x00 graph", MS: 2}}}
	drawn(t, "operators.png", func(w io.Writer, f Format) error { return writePlot(w, f, d.Drawing) },
		"MatMul", "12.3 ms, 70.0 %", "Gelu &lt;of&gt; a   graph", "2.00 ms", "milliseconds of one run", "limits")
	d.Bars = d.Bars[1:]
	var out bytes.Buffer
	if err := writePlot(&out, SVG, d.Drawing); err != nil || strings.Contains(out.String(), "limits") {
		t.Errorf("no bar has a limit, and yet the legend has one (%v)", err)
	}
	for _, bad := range []operatorPlot{{}, {Bars: []timeBar{{MS: math.NaN()}}}, {Bars: []timeBar{{MS: -1}}}, {Bars: []timeBar{{MS: math.Inf(1)}}}} {
		if err := writePlot(io.Discard, SVG, bad.Drawing); err == nil {
			t.Errorf("%v was drawn", bad)
		}
	}
}

// The longest operators have bars of their own, and nothing of the time is lost.
func TestTopOperators(t *testing.T) {
	for _, n := range []int{1, operatorsMost, operatorsMost + 1, operatorsMost + 2, 50} {
		var rows []OperatorTime
		for i := range n {
			rows = append(rows, OperatorTime{Name: fmt.Sprint(i), MS: float64(n - i), LimitMS: 1, Kernels: 2, Share: 0.5})
		}
		top := topOperators(rows)
		if len(top) > operatorsMost+1 || top[len(top)-1].Name == "1 others" {
			t.Errorf("of %d operators, %d bars, the last %q", n, len(top), top[len(top)-1].Name)
		}
		var sum OperatorTime
		for _, r := range top {
			sum.MS, sum.LimitMS, sum.Kernels = sum.MS+r.MS, sum.LimitMS+r.LimitMS, sum.Kernels+r.Kernels
		}
		if k := float64(n); sum.MS != k*(k+1)/2 || sum.LimitMS != k || sum.Kernels != 2*k {
			t.Errorf("%d operators become %+v", n, sum)
		}
	}
}

func TestMeasuredPlot(t *testing.T) {
	d := measuredPlot{Title: "Measured", Points: []measuredPoint{{Params: 100, PL: 0.9, TL: 0.8}, {Params: 120, TL: 1.1, Detail: "x"}}}
	drawn(t, "measured.png", func(w io.Writer, f Format) error { return writePlot(w, f, d.Drawing) }, "PL (1)", "TL (2)", "as fast as the baseline", "decoder parameters")
	for _, bad := range []measuredPlot{{}, {Points: []measuredPoint{{Params: 1}}}, {Points: []measuredPoint{{PL: 1}}}, {Points: []measuredPoint{{Params: 1, PL: math.Inf(1)}}}} {
		if err := writePlot(io.Discard, SVG, bad.Drawing); err == nil {
			t.Errorf("%v was drawn", bad)
		}
	}
}

// Where less is better the front runs down, and the corner that is better is below.
func TestFrontPlotLowerBetter(t *testing.T) {
	points := []PlotPoint{{Quality: 40, Latency: 0.8}, {Quality: 30, Latency: 1}, {Quality: 35, Latency: 1.1}, {Quality: 25, Latency: 1.2, Low: 1.1, High: 1.3}}
	d := FrontPlotData{LowerBetter: true, Baseline: &PlotPoint{Quality: 33, Latency: 1}, Iterations: []FrontLine{{Iteration: 1, Points: points}}}
	lines, err := d.lines()
	if err != nil || len(lines) != 1 || fmt.Sprint(lines[0].Points) != fmt.Sprint([]PlotPoint{points[0], points[1], points[3]}) {
		t.Errorf("the front is %v (%v), want all but the third", lines, err)
	}
	drawn(t, "lower.png", func(w io.Writer, f Format) error { return FrontPlot(w, f, d) }, "faster, no less quality", "interval of the latency")
}

// A legend's cells hold what is in them, whatever the names.
func TestLegendFlow(t *testing.T) {
	for _, names := range [][]string{{}, {"a"}, {"a", "b", "c", "d", "e"}, {strings.Repeat("wide ", 60), "b"}, {"a", "as fast as the baseline", "b"}} {
		l := newLegend()
		for _, n := range names {
			l.Add(n, timeSample{})
		}
		const width = 250
		rows, cell := l.flow(width)
		n := 0
		for _, row := range rows {
			used := 0
			for _, e := range row {
				n++
				used += e.cells
				if w := l.entryWidth(e); w > width || w > vg.Length(e.cells)*cell {
					t.Errorf("%q is %v wide in %d cells of %v", e.name, w, e.cells, cell)
				}
			}
			if w := vg.Length(used)*cell - legendBetween; w > width+0.01 {
				t.Errorf("a row of %v is %v wide", names, w)
			}
		}
		if n != len(names) {
			t.Errorf("%d of %d entries have a place", n, len(names))
		}
	}
}

func TestPlainly(t *testing.T) {
	for in, want := range map[string]string{"a\x00b\nc\x7f\u0085": "a b c  ", "\u202eabc\u2066": "abc", "\xff": "\ufffd", "日本 <b>": "日本 <b>", "\uffff": " "} {
		if got := Plain(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	style := textStyle(10, ink)
	for _, s := range []string{"", "short", strings.Repeat("long words ", 30), strings.Repeat("x", 500)} {
		if got := shorten(style, s, 100); style.Width(got) > 100 || len(s) < 10 && got != s {
			t.Errorf("%q becomes %q", s, got)
		}
		for _, line := range strings.Split(wrap(style, s, 100), "\n") {
			if style.Width(line) > 100 {
				t.Errorf("%q has a line %q", s, line)
			}
		}
	}
	if got := wrap(style, "latency relative to the baseline", 100); strings.Count(got, "\n") != 1 || strings.ReplaceAll(got, "\n", " ") != "latency relative to the baseline" {
		t.Errorf("wrapped: %q", got)
	}
}
