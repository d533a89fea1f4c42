package reports

import (
	"fmt"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lathe/profiler/nightly"
)

// TrendPlot draws one metric of one thing over the nights: each with its interval, the levels
// between changes, references marked.
func TrendPlot(w io.Writer, format Format, rows []nightly.Row) error {
	return writePlot(w, format, TrendPlotData{rows}.Drawing)
}

// TrendPlotData is what TrendPlot draws: the nights of one thing and metric.
type TrendPlotData struct{ Rows []nightly.Row }

// Drawing is the plot, to be written in any form.
func (d TrendPlotData) Drawing() (*Drawing, error) {
	rows := d.Rows
	if len(rows) == 0 {
		return nil, fmt.Errorf("reports: plot: no nights to draw")
	}
	p := newPlot(FrontPlotData{
		Title: Plain(rows[0].Thing), LatencyLabel: "night", QualityLabel: metricNames[rows[0].Metric] + " relative to the baseline",
	})
	p.X.Tick.Marker = wholeTicks{}
	legend := newLegend()
	var points, changed, made plotter.XYs
	var errs nightErrors
	for _, r := range rows {
		at := plotter.XY{X: float64(r.Seq), Y: r.Ratio}
		points = append(points, at)
		errs = append(errs, struct{ X, Low, High float64 }{at.X, r.Low, r.High})
		if r.Change != 0 {
			changed = append(changed, at)
		}
		if r.Reference {
			made = append(made, at)
		}
	}
	p.Add(errs)
	for _, s := range []struct {
		name  string
		xys   plotter.XYs
		style draw.GlyphStyle
	}{
		{"night, two standard errors", points, draw.GlyphStyle{Color: slate, Radius: vg.Points(2.2), Shape: draw.CircleGlyph{}}},
		{"reference", made, draw.GlyphStyle{Color: ink, Radius: vg.Points(5), Shape: ring{}}},
		{"the level changed", changed, draw.GlyphStyle{Color: vermilion, Radius: vg.Points(4), Shape: diamond{}}},
	} {
		if len(s.xys) == 0 {
			continue
		}
		marks, err := plotter.NewScatter(s.xys)
		if err != nil {
			return nil, fmt.Errorf("reports: plot: %s: %w", s.name, err)
		}
		marks.GlyphStyle = s.style
		p.Add(marks)
		legend.Add(s.name, marks)
	}
	for i, level := range levels(rows) {
		line, err := plotter.NewLine(level)
		if err != nil {
			return nil, fmt.Errorf("reports: plot: %w", err)
		}
		line.LineStyle = draw.LineStyle{Color: seriesColours[0], Width: vg.Points(1.6)}
		p.Add(line)
		if i == 0 {
			legend.Add("level", line)
		}
	}
	margin(p)
	drawing := newDrawing(p, legend)
	for i, r := range rows {
		if len(rows)-i <= trendMarks || r.Change != 0 || r.Reference {
			drawing.say(float64(r.Seq), r.Ratio, nightDetail(r))
		}
	}
	return drawing, nil
}

// trendMarks is how many of the last nights say something; of those before, references and
// changes do.
const trendMarks = 120

// nightDetail says what a night found.
func nightDetail(r nightly.Row) string {
	out := fmt.Sprintf("night %d, %s: %s [%s, %s] of the baseline's, %s", r.Seq, r.Time.UTC().Format("2006-01-02"),
		ratio(r.Ratio), ratio(r.Low), ratio(r.High), Count(r.Sessions, "session"))
	if r.Verdict != "" {
		out += ", " + r.Verdict
	}
	if r.Change != 0 {
		out += "; from here on the level is " + change(r.Change)
	}
	return out
}

// levels are lines at the levels, from change to change; none of nights that have none.
func levels(rows []nightly.Row) (out []plotter.XYs) {
	from := 0
	for i := 1; i <= len(rows); i++ {
		if i < len(rows) && rows[i].Change == 0 {
			continue
		}
		if y := rows[from].Level; y > 0 && finite(y) {
			out = append(out, plotter.XYs{{X: float64(rows[from].Seq), Y: y}, {X: float64(rows[i-1].Seq), Y: y}})
		}
		from = i
	}
	return out
}

// nightErrors are vertical lines over the nights' intervals.
type nightErrors []struct{ X, Low, High float64 }

// Plot draws them.
func (e nightErrors) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := draw.LineStyle{Color: haze, Width: vg.Points(0.7)}
	if len(e) > trendMarks {
		style.Color = fog // together they would be an area
	}
	for _, v := range e {
		at := x(v.X)
		for _, line := range c.ClipLinesXY([]vg.Point{{X: at, Y: y(v.Low)}, {X: at, Y: y(v.High)}}) {
			c.StrokeLines(style, line)
		}
	}
}

// DataRange keeps them in the plot.
func (e nightErrors) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, xmax, ymin, ymax = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, v := range e {
		xmin, xmax = min(xmin, v.X), max(xmax, v.X)
		ymin, ymax = min(ymin, v.Low), max(ymax, v.High)
	}
	return xmin, xmax, ymin, ymax
}
