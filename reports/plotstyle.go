package reports

import (
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// corner tints what is faster than a point and of no less quality, and
// rules the two lines that bound it.
type corner struct {
	at    plotter.XY
	lower bool // quality is better the lower it is
}

// Plot draws it over the whole of the plot's range.
func (k corner) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	px, py := x(k.at.X), y(k.at.Y)
	edge, room := c.Max.Y, c.Max.Y-py
	if k.lower {
		edge, room = c.Min.Y, py-c.Min.Y
	}
	area := []vg.Point{{X: c.Min.X, Y: py}, {X: px, Y: py}, {X: px, Y: edge}, {X: c.Min.X, Y: edge}}
	c.FillPolygon(tint, c.ClipPolygonXY(area))
	dashed := draw.LineStyle{Color: slate, Width: vg.Points(0.7), Dashes: []vg.Length{vg.Points(4), vg.Points(3)}}
	c.StrokeLine2(dashed, px, c.Min.Y, px, c.Max.Y)
	c.StrokeLine2(dashed, c.Min.X, py, c.Max.X, py)
	style := p.X.Tick.Label
	style.Color, style.XAlign, style.YAlign = slate, draw.XLeft, draw.YTop
	style.Font.Size = vg.Points(9)
	const words = "faster, no less quality"
	at := vg.Point{X: c.Min.X + vg.Points(6), Y: edge - vg.Points(5)}
	if k.lower {
		style.YAlign, at.Y = draw.YBottom, edge+vg.Points(5)
	}
	if px-c.Min.X > style.Width(words)+vg.Points(12) && room > vg.Points(16) {
		c.FillText(style, at, words)
	}
}

// DataRange keeps the corner's point in the plot.
func (k corner) DataRange() (xmin, xmax, ymin, ymax float64) {
	return k.at.X, k.at.X, k.at.Y, k.at.Y
}

// roundTicks puts about six labels at round values, all with as many decimals,
// and no small ticks between them.
type roundTicks struct{}

// Ticks picks the step, 1, 2 or 5 times a power of ten, that gives between four
// and nine labels.
func (roundTicks) Ticks(low, high float64) []plot.Tick {
	rough := (high - low) / 6
	if !(rough > 0) || math.IsInf(rough, 0) {
		return []plot.Tick{{Value: low, Label: strconv.FormatFloat(low, 'g', 4, 64)}}
	}
	power := math.Floor(math.Log10(rough))
	step, decimals := math.Pow(10, power), max(0, -int(power))
	switch lead := rough / step; {
	case lead > 7:
		step, decimals = 10*step, max(0, decimals-1)
	case lead > 3:
		step *= 5
	case lead > 1.5:
		step *= 2
	}
	var ticks []plot.Tick
	for k := math.Ceil(low / step); k*step <= high && len(ticks) < 100; k++ {
		value := k*step + 0 // of minus zero, zero
		ticks = append(ticks, plot.Tick{Value: value, Label: strconv.FormatFloat(value, 'f', decimals, 64)})
	}
	return ticks
}

// wholeTicks are roundTicks of what is counted.
type wholeTicks struct{}

// Ticks leaves out what is not whole.
func (wholeTicks) Ticks(low, high float64) (ticks []plot.Tick) {
	for _, t := range (roundTicks{}).Ticks(low, high) {
		if t.Value == math.Trunc(t.Value) {
			ticks = append(ticks, plot.Tick{Value: t.Value, Label: strconv.FormatFloat(t.Value, 'f', 0, 64)})
		}
	}
	return ticks
}

// diamond is a filled diamond with a white edge, to be seen on any line.
type diamond struct{}

// DrawGlyph draws it.
func (diamond) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	path := func(r vg.Length) vg.Path {
		var p vg.Path
		p.Move(vg.Point{X: at.X, Y: at.Y + r})
		p.Line(vg.Point{X: at.X + r, Y: at.Y})
		p.Line(vg.Point{X: at.X, Y: at.Y - r})
		p.Line(vg.Point{X: at.X - r, Y: at.Y})
		p.Close()
		return p
	}
	c.SetColor(paper)
	c.Fill(path(style.Radius + vg.Points(1.3)))
	c.SetColor(style.Color)
	c.Fill(path(style.Radius))
}

// ring is a circle around what it marks, with a white edge.
type ring struct{}

// DrawGlyph draws it.
func (ring) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	for _, line := range []draw.LineStyle{{Color: paper, Width: vg.Points(4)}, {Color: style.Color, Width: vg.Points(2)}} {
		c.SetLineStyle(line)
		var p vg.Path
		p.Move(vg.Point{X: at.X + style.Radius - 1, Y: at.Y})
		p.Arc(at, style.Radius-1, 0, 2*math.Pi)
		p.Close()
		c.Stroke(p)
	}
}

// bar is an interval at a place of the other axis.
type bar struct{ at, low, high float64 }

// intervalBars are horizontal intervals with short ends. Where they are too close to be told
// apart some are left out, of two the later.
type intervalBars []bar

// barGap is the least distance of two bars.
const barGap = vg.Length(8)

var intervalStyle = draw.LineStyle{Color: haze, Width: vg.Points(1)}

// Plot draws them.
func (bars intervalBars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	const end = 2.2
	var drawn []vg.Length
	for _, b := range bars {
		at, low, high := y(b.at), x(b.low), x(b.high)
		if slices.ContainsFunc(drawn, func(d vg.Length) bool { return max(d-at, at-d) < barGap }) {
			continue
		}
		drawn = append(drawn, at)
		for _, line := range [][]vg.Point{
			{{X: low, Y: at}, {X: high, Y: at}}, {{X: low, Y: at - end}, {X: low, Y: at + end}}, {{X: high, Y: at - end}, {X: high, Y: at + end}},
		} {
			c.StrokeLines(intervalStyle, c.ClipLinesXY(line)...)
		}
	}
}

// DataRange keeps them in the plot.
func (bars intervalBars) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, xmax, ymin, ymax = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, b := range bars {
		xmin, xmax = min(xmin, b.low), max(xmax, b.high)
		ymin, ymax = min(ymin, b.at), max(ymax, b.at)
	}
	return xmin, xmax, ymin, ymax
}

// Thumbnail is one of them.
func (intervalBars) Thumbnail(c *draw.Canvas) {
	y, end := (c.Min.Y+c.Max.Y)/2, vg.Length(2.2)
	c.StrokeLine2(intervalStyle, c.Min.X+3, y, c.Max.X-3, y)
	c.StrokeLine2(intervalStyle, c.Min.X+3, y-end, c.Min.X+3, y+end)
	c.StrokeLine2(intervalStyle, c.Max.X-3, y-end, c.Max.X-3, y+end)
}
