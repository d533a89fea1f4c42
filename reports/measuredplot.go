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

// measuredPoint is what a candidate's record says.
type measuredPoint struct {
	Params float64 // of the decoder, in millions
	PL, TL float64 // relative to the baseline; 0: not known
	Detail string  `json:"-"` // what a page says of it; "": nothing
}

// measuredPlot is the decoder parameters of all measured candidates against their PL and TL
// relative to the baseline.
type measuredPlot struct {
	Title  string
	Points []measuredPoint
}

// Drawing is the plot, to be written in any form.
func (d measuredPlot) Drawing() (*Drawing, error) {
	var of [2]plotter.XYs
	for i, m := range d.Points {
		if !(m.Params > 0 && m.PL >= 0 && m.TL >= 0) || math.IsInf(m.Params+m.PL+m.TL, 0) {
			return nil, fmt.Errorf("reports: plot: candidate %d has %v million parameters, a PL of %v and a TL of %v: want positive numbers", i, m.Params, m.PL, m.TL)
		}
		for k, v := range []float64{m.PL, m.TL} {
			if v > 0 {
				of[k] = append(of[k], plotter.XY{X: v, Y: m.Params})
			}
		}
	}
	if len(of[0])+len(of[1]) == 0 {
		return nil, fmt.Errorf("reports: plot: no measured candidates to draw")
	}
	p := newPlot(FrontPlotData{Title: d.Title, LatencyLabel: "PL and TL relative to the baseline"})
	p.Add(unity{})
	drawing := newDrawing(p, newLegend())
	var dots [2][]plotter.XYs
	var styles [2]draw.GlyphStyle
	for k, name := range []string{"PL", "TL"} {
		if len(of[k]) == 0 {
			continue
		}
		styles[k] = draw.GlyphStyle{Color: seriesColours[k], Radius: vg.Points(2.2), Shape: draw.CircleGlyph{}}
		drawing.legend.Add(fmt.Sprintf("%s (%s)", name, grouped(int64(len(of[k])))), &plotter.Scatter{GlyphStyle: styles[k]})
		if len(of[k]) > 1000 {
			styles[k].Radius = vg.Points(0.9)
		}
		drawn := raster(of[k], 100)
		dots[k] = slices.Collect(slices.Chunk(drawn, max(1, len(drawn)/32)))
	}
	// By turns, lest the one lie on top of the other.
	for i := range max(len(dots[0]), len(dots[1])) {
		for k := range dots {
			if i >= len(dots[k]) {
				continue
			}
			s, err := plotter.NewScatter(dots[k][i])
			if err != nil {
				return nil, fmt.Errorf("reports: plot: measured candidates: %w", err)
			}
			s.GlyphStyle = styles[k]
			p.Add(s)
		}
	}
	drawing.legend.Add("as fast as the baseline", unity{})
	if log := p.X.Max > 10*p.X.Min; log {
		p.X.Label.Text += ", logarithmic"
		widen(&p.X, true)
	} else {
		p.X.Min, p.X.Max = min(p.X.Min, 0.98), max(p.X.Max, 1.02)
		widen(&p.X, false)
	}
	widen(&p.Y, false)
	for _, m := range d.Points {
		if m.TL > 0 {
			drawing.say(m.TL, m.Params, m.Detail)
		} else if m.PL > 0 {
			drawing.say(m.PL, m.Params, m.Detail)
		}
	}
	return drawing, nil
}

// unity is a line at the baseline's latency.
type unity struct{}

var unityStyle = draw.LineStyle{Color: slate, Width: vg.Points(0.8), Dashes: []vg.Length{vg.Points(4), vg.Points(3)}}

// Plot draws it, where the axis reaches that far.
func (unity) Plot(c draw.Canvas, p *plot.Plot) {
	if p.X.Min <= 1 && p.X.Max >= 1 {
		x, _ := p.Transforms(&c)
		c.StrokeLine2(unityStyle, x(1), c.Min.Y, x(1), c.Max.Y)
	}
}

// Thumbnail draws a piece of it.
func (unity) Thumbnail(c *draw.Canvas) {
	y := (c.Min.Y + c.Max.Y) / 2
	c.StrokeLine2(unityStyle, c.Min.X, y, c.Max.X, y)
}
