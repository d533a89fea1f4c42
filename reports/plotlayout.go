package reports

import (
	"cmp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// sans is the type of everything that is written in a plot.
func sans(size font.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

func textStyle(size font.Length, colour swatch) draw.TextStyle {
	return draw.TextStyle{Color: colour, Font: sans(size), Handler: plot.DefaultTextHandler}
}

func newPlot(d FrontPlotData) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = paper
	p.Title.Text, p.Title.Padding = d.Title, vg.Points(8)
	p.Title.TextStyle.Font, p.Title.TextStyle.Color = sans(13), ink
	p.X.Label.Text = cmp.Or(d.LatencyLabel, "latency relative to the baseline")
	p.Y.Label.Text = cmp.Or(d.QualityLabel, "decoder parameters (millions)")
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Label.Padding = sans(11), vg.Points(5)
		a.Tick.Label.Font = sans(10)
		a.Color, a.Tick.Color = slate, slate
		a.Tick.Label.Color, a.Label.TextStyle.Color = ink, ink
		a.LineStyle.Width, a.Tick.LineStyle.Width = vg.Points(0.6), vg.Points(0.6)
		a.Tick.LineStyle.Color, a.LineStyle.Color = slate, slate
		a.Tick.Length = vg.Points(4)
		a.Padding = vg.Points(2)
		a.Tick.Marker = roundTicks{}
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = mist, mist
	grid.Vertical.Width, grid.Horizontal.Width = vg.Points(0.5), vg.Points(0.5)
	p.Add(grid)
	return p
}

// paint draws onto a canvas and returns where the spots are on it: titled and with the
// legend in a column on the right, or narrow with the legend below.
func (d *Drawing) paint(c vg.CanvasSizer, narrow, titled bool) []vg.Point {
	p := *d.plot // axes are this layout's own
	p.Title.Text = Plain(p.Title.Text)
	if !titled {
		p.Title.Text = ""
	}
	p.BackgroundColor = nil // a page has its own
	dc := draw.New(c)
	if titled {
		dc.SetColor(paper)
		dc.Fill(dc.Rectangle.Path())
	}
	var area draw.Canvas // without the legend
	if narrow {
		pad := vg.Points(3)
		dc = draw.Crop(dc, pad, -pad, pad, -pad)
		below := d.legendBelow(dc.Max.X - dc.Min.X)
		area = draw.Crop(dc, 0, -vg.Points(3), below, 0)
		rows, cell := d.legend.flow(dc.Max.X - dc.Min.X)
		d.legend.draw(draw.Crop(dc, 0, 0, 0, below-(dc.Max.Y-dc.Min.Y)-vg.Points(6)), rows, cell)
	} else {
		pad := vg.Points(10)
		dc = draw.Crop(dc, pad, -pad, pad, -pad)
		rows, width := d.legend.column()
		top := -vg.Points(22)
		if !titled {
			top = -vg.Points(2)
		}
		area = draw.Crop(dc, 0, -width-vg.Points(14), 0, 0)
		d.legend.draw(draw.Crop(dc, dc.Max.X-dc.Min.X-width, 0, 0, top), rows, width)
	}
	d.fit(&p, area)
	p.Draw(area)
	data := p.DataCanvas(area)
	x, y := p.Transforms(&data)
	out := make([]vg.Point, len(d.spots))
	for i, m := range d.spots {
		out[i] = vg.Point{X: x(m.x), Y: y(m.y)}
	}
	return out
}

// legendBelow is the height of the legend's rows with what parts them from the plot.
func (d *Drawing) legendBelow(width vg.Length) vg.Length {
	rows, _ := d.legend.flow(width)
	if len(rows) == 0 {
		return 0
	}
	return vg.Length(len(rows))*d.legend.rowHeight() + vg.Points(6)
}

// fit makes what is written around a plot no longer than there is room for it.
func (d *Drawing) fit(p *plot.Plot, area draw.Canvas) {
	size := area.Size()
	p.Title.Text = shorten(p.Title.TextStyle, p.Title.Text, size.X)
	p.X.Label.Text = wrap(p.X.Label.TextStyle, Plain(p.X.Label.Text), size.X-vg.Points(50))
	p.Y.Label.Text = wrap(p.Y.Label.TextStyle, Plain(p.Y.Label.Text), size.Y-vg.Points(50))
	p.X.Tick.Marker = spaced{p.X.Tick.Marker, p.X.Tick.Label, size.X - vg.Points(50)}
}

// spaced leaves out labels, evenly, until the rest stand apart.
type spaced struct {
	plot.Ticker
	style draw.TextStyle
	width vg.Length
}

// Ticks are those of the ticker within, of which every second, third, ... has a label.
func (s spaced) Ticks(low, high float64) []plot.Tick {
	ticks := s.Ticker.Ticks(low, high)
	var widest vg.Length
	labels := 0
	for _, t := range ticks {
		if !t.IsMinor() {
			widest, labels = max(widest, s.style.Width(t.Label)), labels+1
		}
	}
	room := max(1, int(s.width/(widest+vg.Points(8))))
	step, n := (labels+room-1)/room, 0
	for i := range ticks {
		if ticks[i].IsMinor() {
			continue
		}
		if step > 1 && n%step != 0 {
			ticks[i].Label = ""
		}
		n++
	}
	return ticks
}

// shorten cuts a text that is wider than there is room.
func shorten(style draw.TextStyle, s string, width vg.Length) string {
	if style.Width(s) <= width {
		return s
	}
	const end = "…"
	runes := []rune(s)
	low, high := 0, len(runes) // what fits, what does not
	for low+1 < high {
		if mid := (low + high) / 2; style.Width(strings.TrimSpace(string(runes[:mid]))+end) <= width {
			low = mid
		} else {
			high = mid
		}
	}
	return strings.TrimSpace(string(runes[:low])) + end
}

// wrap breaks a text into two lines where one is too short for it.
func wrap(style draw.TextStyle, s string, width vg.Length) string {
	if style.Width(s) <= width {
		return s
	}
	best, least := -1, width
	for i, r := range s {
		if r != ' ' {
			continue
		}
		if longer := max(style.Width(s[:i]), style.Width(s[i+1:])); longer <= least {
			best, least = i, longer
		}
	}
	if best < 0 {
		return shorten(style, s, width)
	}
	return s[:best] + "\n" + s[best+1:]
}
