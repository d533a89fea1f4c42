package reports

import (
	"fmt"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// FitPoint is a candidate's figure, predicted by a model that had not seen it.
type FitPoint struct {
	Measured  float64 `json:"measured"`
	Predicted float64 `json:"predicted"`
	Name      string  `json:"candidate,omitempty"`
	Detail    string  `json:"-"` // what a page says of it; "": nothing
}

// FitSeries is the points of one kind. Hollow marks a second kind of the same
// target, such as candidates that no fit saw at all.
type FitSeries struct {
	Name   string     `json:"name"`
	Points []FitPoint `json:"points"`
	Hollow bool       `json:"hollow"`
}

// FitPlotData is what FitPlot draws.
type FitPlotData struct {
	Title  string
	Label  string // of both axes, after "measured" and "predicted"; "" is "latency relative to the baseline"
	Series []FitSeries
}

// FitPlot draws predicted against measured. On the line both are the same; the
// bands around it are errors of 5 and of 10 %.
func FitPlot(w io.Writer, format Format, d FitPlotData) error {
	return writePlot(w, format, d.Drawing)
}

// Drawing is the plot, to be written in any form.
func (d FitPlotData) Drawing() (*Drawing, error) {
	label := d.Label
	if label == "" {
		label = "latency relative to the baseline"
	}
	p := newPlot(FrontPlotData{Title: d.Title, LatencyLabel: "measured " + label})
	p.Y.Label.Text = "predicted " + label
	low, high, err := d.extent()
	if err != nil {
		return nil, err
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = low, high, low, high
	p.Add(errorBands{})
	legend := newLegend()
	filled := -1
	for _, s := range d.Series {
		if !s.Hollow || filled < 0 {
			filled++
		}
		xys := make(plotter.XYs, len(s.Points))
		for i, pt := range s.Points {
			xys[i] = plotter.XY{X: pt.Measured, Y: pt.Predicted}
		}
		if len(xys) == 0 {
			continue
		}
		scatter, err := plotter.NewScatter(xys)
		if err != nil {
			return nil, fmt.Errorf("reports: plot: %s: %w", s.Name, err)
		}
		scatter.GlyphStyle = draw.GlyphStyle{Color: seriesColours[filled%len(seriesColours)], Radius: vg.Points(2.4), Shape: draw.CircleGlyph{}}
		if s.Hollow {
			scatter.GlyphStyle.Shape, scatter.GlyphStyle.Radius = draw.RingGlyph{}, vg.Points(2.8)
		}
		p.Add(scatter)
		legend.Add(fmt.Sprintf("%s (%d)", s.Name, len(xys)), scatter)
	}
	drawing := newDrawing(p, legend)
	for _, s := range d.Series {
		for _, pt := range s.Points {
			drawing.say(pt.Measured, pt.Predicted, pt.Detail)
		}
	}
	return drawing, nil
}

// extent is a square that holds every point, with a margin.
func (d *FitPlotData) extent() (low, high float64, err error) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, s := range d.Series {
		for i, p := range s.Points {
			if !(p.Measured > 0 && p.Predicted > 0) || math.IsInf(p.Measured+p.Predicted, 0) {
				return 0, 0, fmt.Errorf("reports: plot: %s: point %d is %v measured and %v predicted: want positive numbers", s.Name, i, p.Measured, p.Predicted)
			}
			low, high = min(low, p.Measured, p.Predicted), max(high, p.Measured, p.Predicted)
		}
	}
	if low > high {
		return 0, 0, fmt.Errorf("reports: plot: no points to draw")
	}
	pad := max(0.06*(high-low), 0.02*high)
	return max(0, low-pad), high + pad, nil
}

// errorBands is the line of equal figures, with errors of 5 and 10 % around it.
type errorBands struct{}

// Plot draws them over the whole of the plot's range.
func (errorBands) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	low, high := p.X.Min, p.X.Max
	at := func(measured, share float64) vg.Point { return vg.Point{X: x(measured), Y: y(measured * share)} }
	free := c.Min.X // from where on there is room for words
	for _, e := range []struct {
		share float64
		fill  swatch
	}{{0.10, within10}, {0.05, within5}} {
		area := []vg.Point{at(low, 1-e.share), at(high, 1-e.share), at(high, 1+e.share), at(low, 1+e.share)}
		c.FillPolygon(e.fill, c.ClipPolygonXY(area))
		style := p.X.Tick.Label
		style.Color, style.XAlign, style.YAlign = slate, draw.XRight, draw.YBottom
		style.Font = sans(8)
		// Where the band's upper edge leaves the plot.
		edge := min(high/(1+e.share), high)
		words, right := fmt.Sprintf("+%.0f %%", 100*e.share), x(edge)-vg.Points(2)
		if right-style.Width(words) > free {
			c.FillText(style, vg.Point{X: right, Y: c.Max.Y - vg.Points(10)}, words)
			free = right + vg.Points(4)
		}
	}
	c.StrokeLines(draw.LineStyle{Color: slate, Width: vg.Points(0.8)}, c.ClipLinesXY([]vg.Point{at(low, 1), at(high, 1)})...)
}
