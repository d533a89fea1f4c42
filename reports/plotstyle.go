package reports

import (
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Colours of plots. Vermilion is from Okabe and Ito's set, which people with any
// kind of colour vision tell apart; it stays clear of the sequential scale.
var (
	ink       = color.NRGBA{0x22, 0x26, 0x2b, 0xff}
	slate     = color.NRGBA{0x5b, 0x64, 0x70, 0xff}
	fog       = color.NRGBA{0x8a, 0x94, 0xa0, 0x60}
	mist      = color.NRGBA{0xe6, 0xe9, 0xed, 0xff}
	tint      = color.NRGBA{0xec, 0xf6, 0xee, 0xff}
	vermilion = color.NRGBA{0xd5, 0x5e, 0x00, 0xff}
)

// scale is a sequential colour scale from light to dark: viridis (van der Walt
// and Smith) from its light end on, without the yellow that white paper swallows.
var scale = []color.NRGBA{
	{0xb5, 0xde, 0x2b, 0xff},
	{0x5e, 0xc9, 0x62, 0xff},
	{0x21, 0x91, 0x8c, 0xff},
	{0x3b, 0x52, 0x8b, 0xff},
	{0x44, 0x01, 0x54, 0xff},
}

// sequential is the colour of line i of n; the last is the darkest.
func sequential(i, n int) color.NRGBA {
	if n < 2 {
		return scale[len(scale)-1]
	}
	at := float64(i) / float64(n-1) * float64(len(scale)-1)
	k := min(int(at), len(scale)-2)
	mix := func(a, b uint8) uint8 { return uint8(float64(a) + (at-float64(k))*(float64(b)-float64(a)) + 0.5) }
	a, b := scale[k], scale[k+1]
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}

// corner tints what is faster than a point and of no less quality, and
// rules the two lines that bound it.
type corner struct{ at plotter.XY }

// Plot draws it over the whole of the plot's range.
func (k corner) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	px, py := x(k.at.X), y(k.at.Y)
	area := []vg.Point{{X: c.Min.X, Y: py}, {X: px, Y: py}, {X: px, Y: c.Max.Y}, {X: c.Min.X, Y: c.Max.Y}}
	c.FillPolygon(tint, c.ClipPolygonXY(area))
	dashed := draw.LineStyle{Color: slate, Width: vg.Points(0.7), Dashes: []vg.Length{vg.Points(4), vg.Points(3)}}
	c.StrokeLine2(dashed, px, c.Min.Y, px, c.Max.Y)
	c.StrokeLine2(dashed, c.Min.X, py, c.Max.X, py)
	style := p.X.Tick.Label
	style.Color, style.XAlign, style.YAlign = slate, draw.XLeft, draw.YTop
	style.Font.Size = vg.Points(9)
	const words = "faster, no less quality"
	if px-c.Min.X > style.Width(words)+vg.Points(12) && c.Max.Y-py > vg.Points(16) {
		c.FillText(style, vg.Point{X: c.Min.X + vg.Points(6), Y: c.Max.Y - vg.Points(5)}, words)
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
	c.SetColor(color.White)
	c.Fill(path(style.Radius + vg.Points(1.3)))
	c.SetColor(style.Color)
	c.Fill(path(style.Radius))
}

// ring is a circle around what it marks, with a white edge.
type ring struct{}

// DrawGlyph draws it.
func (ring) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	for _, line := range []draw.LineStyle{{Color: color.White, Width: vg.Points(4)}, {Color: style.Color, Width: vg.Points(2)}} {
		c.SetLineStyle(line)
		var p vg.Path
		p.Move(vg.Point{X: at.X + style.Radius - 1, Y: at.Y})
		p.Arc(at, style.Radius-1, 0, 2*math.Pi)
		p.Close()
		c.Stroke(p)
	}
}
