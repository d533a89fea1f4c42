package reports

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// latencyPlot is the cumulative distributions of a candidate's times and of the baseline's,
// with their medians and P95 marked: Own and Baseline are the times in milliseconds that the
// Shares, from 0 to 1, do not exceed. All three grow.
type latencyPlot struct {
	Title    string
	Label    string // of the times; "" is "milliseconds"
	Name     string // of the candidate; "" is "candidate"
	Shares   []float64
	Own      []float64
	Baseline []float64
}

// tailRatio is the P99 in medians from which on a logarithmic axis shows more than a
// linear one, which would press the medians against its left end.
const tailRatio = 5

// Drawing is the plot, to be written in any form.
func (d latencyPlot) Drawing() (*Drawing, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	label := d.Label
	if label == "" {
		label = "milliseconds"
	}
	name := d.Name
	if name == "" {
		name = "candidate"
	}
	p := newPlot(FrontPlotData{Title: d.Title, LatencyLabel: label, QualityLabel: "share of the times (%)"})
	p.Add(quantileRules{0.5, 0.95})
	drawing := newDrawing(p, newLegend())
	long := false
	for _, s := range []struct {
		name  string
		times []float64
		line  draw.LineStyle
		glyph draw.GlyphStyle
	}{
		{"baseline", d.Baseline, draw.LineStyle{Color: slate, Width: vg.Points(1.4), Dashes: []vg.Length{vg.Points(5), vg.Points(2)}},
			draw.GlyphStyle{Color: slate, Radius: vg.Points(3.2), Shape: disc{}}},
		{name, d.Own, draw.LineStyle{Color: seriesColours[0], Width: vg.Points(2)},
			draw.GlyphStyle{Color: seriesColours[0], Radius: vg.Points(3.6), Shape: disc{}}},
	} {
		xys := make(plotter.XYs, len(s.times))
		for i, t := range s.times {
			xys[i] = plotter.XY{X: t, Y: 100 * d.Shares[i]}
		}
		line, err := plotter.NewLine(xys)
		if err != nil {
			return nil, fmt.Errorf("reports: plot: %s: %w", s.name, err)
		}
		line.LineStyle = s.line
		p50, p95 := timeAt(d.Shares, s.times, 0.5), timeAt(d.Shares, s.times, 0.95)
		marks, err := plotter.NewScatter(plotter.XYs{{X: p50, Y: 50}, {X: p95, Y: 95}})
		if err != nil {
			return nil, fmt.Errorf("reports: plot: %s: %w", s.name, err)
		}
		marks.GlyphStyle = s.glyph
		p.Add(line, marks)
		drawing.legend.Add(s.name, line, marks)
		ms := decimalsFor(p50).text
		drawing.say(p50, 50, fmt.Sprintf("%s: median %s ms", s.name, ms(p50)))
		drawing.say(p95, 95, fmt.Sprintf("%s: P95 %s ms", s.name, ms(p95)))
		long = long || timeAt(d.Shares, s.times, 0.99) > tailRatio*p50 || s.times[len(s.times)-1] > 2*tailRatio*p50
	}
	if long {
		p.X.Label.Text += ", logarithmic"
	}
	widen(&p.X, long)
	p.Y.Min, p.Y.Max = 0, 102
	return drawing, nil
}

func (d latencyPlot) check() error {
	n := len(d.Shares)
	if n < 2 || len(d.Own) != n || len(d.Baseline) != n {
		return fmt.Errorf("reports: plot: %d shares of %d and %d times: want as many of each, and two at least", n, len(d.Own), len(d.Baseline))
	}
	for i := range n {
		if s := d.Shares[i]; !(s >= 0 && s <= 1) || !(d.Own[i] > 0 && d.Baseline[i] > 0) || math.IsInf(d.Own[i]+d.Baseline[i], 0) {
			return fmt.Errorf("reports: plot: share %d is %v, at %v and %v ms: want a share from 0 to 1 and positive times", i, s, d.Own[i], d.Baseline[i])
		}
	}
	if !slices.IsSorted(d.Shares) || !slices.IsSorted(d.Own) || !slices.IsSorted(d.Baseline) {
		return fmt.Errorf("reports: plot: a distribution whose shares or times do not grow")
	}
	return nil
}

// timeAt is the least of the times that a share of all is at or under, as tables have it.
func timeAt(shares, times []float64, share float64) float64 {
	if i := quantileAt(shares, times, share); i >= 0 {
		return times[i]
	}
	return times[len(times)-1]
}

// quantileRules are the heights of some quantiles.
type quantileRules []float64

// Plot rules a line over the plot's width for each, with its name at the left.
func (q quantileRules) Plot(c draw.Canvas, p *plot.Plot) {
	_, y := p.Transforms(&c)
	style := textStyle(9, slate)
	style.XAlign, style.YAlign = draw.XLeft, draw.YBottom
	for _, share := range q {
		at := y(100 * share)
		c.StrokeLine2(draw.LineStyle{Color: slate, Width: vg.Points(0.7), Dashes: []vg.Length{vg.Points(2), vg.Points(3)}}, c.Min.X, at, c.Max.X, at)
		style.YAlign = draw.YBottom
		up := vg.Points(1.5)
		if c.Max.Y-at < vg.Points(14) { // below the line, where above it there is no room
			style.YAlign, up = draw.YTop, -vg.Points(1.5)
		}
		c.FillText(style, vg.Point{X: c.Min.X + vg.Points(4), Y: at + up}, fmt.Sprintf("P%.0f", 100*share))
	}
}

// disc is a filled circle with a white edge, to be seen on any line.
type disc struct{}

// DrawGlyph draws it.
func (disc) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	edge := style
	edge.Color, edge.Radius = paper, style.Radius+vg.Points(1.2)
	draw.CircleGlyph{}.DrawGlyph(c, edge, at)
	draw.CircleGlyph{}.DrawGlyph(c, style, at)
}
