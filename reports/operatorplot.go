package reports

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// timeBar is one bar of an operatorPlot.
type timeBar struct {
	Name    string
	MS      float64
	LimitMS float64 // what the machine's limits allow; 0: not known
	Share   float64 // of the whole run; 0: not known
	Detail  string  `json:"-"` // what a page says of it; "": nothing
}

// operatorPlot is where the time of a run goes: a bar for each operator, and on it the least
// time that the machine's limits allow.
type operatorPlot struct {
	Title string
	Bars  []timeBar // from the top down
}

// barPitch is from one bar to the next, with its name above it.
const barPitch = 27 * vg.Length(1)

// Drawing is the plot, to be written in any form.
func (d operatorPlot) Drawing() (*Drawing, error) {
	if len(d.Bars) == 0 {
		return nil, fmt.Errorf("reports: plot: no operators to draw")
	}
	limits := false
	for i, b := range d.Bars {
		if !(b.MS >= 0 && b.LimitMS >= 0) || math.IsInf(b.MS+b.LimitMS, 0) || math.IsNaN(b.Share) {
			return nil, fmt.Errorf("reports: plot: operator %d takes %v ms of %v ms at the limit: want numbers, zero or more", i, b.MS, b.LimitMS)
		}
		limits = limits || b.LimitMS > 0
	}
	p := newPlot(FrontPlotData{Title: d.Title, LatencyLabel: "milliseconds of one run"})
	p.HideY()
	p.Y.Label.Text = ""
	bars := operatorBars(d.Bars)
	p.Add(bars)
	p.X.Min, p.Y.Min, p.Y.Max = 0, 0, float64(len(bars))
	if p.X.Max == 0 {
		p.X.Max = 1
	}
	p.X.Max *= 1.02
	drawing := newDrawing(p, newLegend())
	drawing.legend.Add("time", timeSample{})
	if limits {
		drawing.legend.Add("at the machine's limits", limitSample{})
	}
	drawing.tall = vg.Length(len(bars))*barPitch + vg.Points(64)
	for i, b := range bars {
		drawing.say(b.MS, bars.middle(i), b.Detail)
	}
	return drawing, nil
}

type operatorBars []timeBar

// A bar takes the lower part of its row, from below its middle to above it.
const (
	barBottom = 0.10
	barTop    = 0.44
)

// middle is the height of a bar's middle.
func (bars operatorBars) middle(i int) float64 {
	return float64(len(bars)-1-i) + (barBottom+barTop)/2
}

var (
	barColour  = seriesColours[2]
	limitStyle = draw.LineStyle{Color: vermilion, Width: vg.Points(2)}
)

// Plot draws them.
func (bars operatorBars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	names, figures := textStyle(10, ink), textStyle(9, slate)
	names.XAlign, names.YAlign = draw.XLeft, draw.YBottom
	figures.XAlign, figures.YAlign = draw.XRight, draw.YBottom
	for i, b := range bars {
		row := float64(len(bars) - 1 - i)
		bottom, top := y(row+barBottom), y(row+barTop)
		c.FillPolygon(barColour, []vg.Point{{X: x(0), Y: bottom}, {X: x(b.MS), Y: bottom}, {X: x(b.MS), Y: top}, {X: x(0), Y: top}})
		// Of a bar that is hardly seen itself, no limit could be.
		if at := x(b.LimitMS); b.LimitMS > 0 && max(at, x(b.MS))-x(0) > vg.Points(4) {
			c.StrokeLine2(draw.LineStyle{Color: paper, Width: limitStyle.Width + vg.Points(1.6)}, at, bottom, at, top)
			c.StrokeLine2(limitStyle, at, bottom-vg.Points(2), at, top)
		}
		value := decimalsFor(b.MS).text(b.MS) + " ms"
		if b.Share > 0 {
			value += ", " + percent(b.Share)
		}
		over := top + vg.Points(2.5)
		c.FillText(figures, vg.Point{X: c.Max.X, Y: over}, value)
		room := c.Max.X - c.Min.X - figures.Width(value) - vg.Points(10)
		c.FillText(names, vg.Point{X: x(0), Y: over}, shorten(names, Plain(b.Name), room))
	}
}

// DataRange holds every bar and every limit.
func (bars operatorBars) DataRange() (xmin, xmax, ymin, ymax float64) {
	for _, b := range bars {
		xmax = max(xmax, b.MS, b.LimitMS)
	}
	return 0, xmax, 0, float64(len(bars))
}

// timeSample and limitSample are a bar and a limit in a legend.
type timeSample struct{}

// Thumbnail draws it.
func (timeSample) Thumbnail(c *draw.Canvas) {
	y := (c.Max.Y - c.Min.Y) / 10
	c.FillPolygon(barColour, []vg.Point{{X: c.Min.X, Y: c.Min.Y + y}, {X: c.Max.X, Y: c.Min.Y + y}, {X: c.Max.X, Y: c.Max.Y - y}, {X: c.Min.X, Y: c.Max.Y - y}})
}

type limitSample struct{}

// Thumbnail draws it.
func (limitSample) Thumbnail(c *draw.Canvas) {
	x := (c.Min.X + c.Max.X) / 2
	c.StrokeLine2(limitStyle, x, c.Min.Y, x, c.Max.Y)
}
