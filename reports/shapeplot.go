package reports

import (
	"fmt"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Shape is the sizes of a model that is on a front.
type Shape struct {
	NLayer, DInner, DModel float64
	Mark                   bool   // it is the pick
	Detail                 string `json:"-"` // what a page says of it; "": nothing
}

// ShapePlotData is what ShapePlot draws.
type ShapePlotData struct {
	Title  string
	Shapes []Shape
	Ratio  float64 // of d_inner to d_model on the plane that is drawn
}

// ShapePlot draws the models of a front as Figure 3 of the paper: n_layer, d_inner and
// d_model as three axes, and the plane on which d_inner/d_model has a ratio, which parts
// the models that a constraint on it allows from the others. The view is orthographic.
func ShapePlot(w io.Writer, format Format, d ShapePlotData) error {
	return writePlot(w, format, d.Drawing)
}

// Drawing is the plot, to be written in any form.
func (d ShapePlotData) Drawing() (*Drawing, error) {
	if len(d.Shapes) == 0 {
		return nil, fmt.Errorf("reports: plot: no models to draw")
	}
	for i, s := range d.Shapes {
		if !(s.NLayer > 0 && s.DInner > 0 && s.DModel > 0) || math.IsInf(s.NLayer+s.DInner+s.DModel, 0) {
			return nil, fmt.Errorf("reports: plot: model %d has n_layer %v, d_inner %v and d_model %v: want positive numbers", i, s.NLayer, s.DInner, s.DModel)
		}
	}
	p := plot.New()
	p.BackgroundColor = paper
	p.Title.Text, p.Title.Padding = d.Title, vg.Points(8)
	p.Title.TextStyle.Font, p.Title.TextStyle.Color = sans(13), ink
	p.HideAxes()
	b := newBox(d)
	p.Add(b)
	legend := newLegend()
	for _, side := range []struct {
		name  string
		above bool
	}{{"d_inner/d_model at least %g", true}, {"below %g", false}} {
		n := 0
		for _, s := range d.Shapes {
			if (s.DInner >= d.Ratio*s.DModel) == side.above {
				n++
			}
		}
		if n > 0 {
			legend.Add(fmt.Sprintf(side.name+" (%d)", d.Ratio, n), sample{sideGlyph(side.above)})
		}
	}
	legend.Add(fmt.Sprintf("d_inner = %g d_model", d.Ratio), patch{})
	for _, s := range d.Shapes {
		if s.Mark {
			legend.Add("pick", sample{pickGlyph})
			break
		}
	}
	drawing := newDrawing(p, legend)
	for _, s := range d.Shapes {
		x, y, _ := b.project(at(s))
		drawing.say(x, y, s.Detail)
	}
	return drawing, nil
}

var pickGlyph = draw.GlyphStyle{Color: vermilion, Radius: vg.Points(6.5), Shape: ring{}}

// sideGlyph marks a model by the side of the plane that it is on.
func sideGlyph(above bool) draw.GlyphStyle {
	if above {
		return draw.GlyphStyle{Color: seriesColours[0], Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
	}
	return draw.GlyphStyle{Color: slate, Radius: vg.Points(2.6), Shape: draw.RingGlyph{}}
}

// sample is a glyph in a legend.
type sample struct{ glyph draw.GlyphStyle }

// Thumbnail draws it.
func (s sample) Thumbnail(c *draw.Canvas) {
	c.DrawGlyph(s.glyph, vg.Point{X: (c.Min.X + c.Max.X) / 2, Y: (c.Min.Y + c.Max.Y) / 2})
}

// patch is the plane in a legend.
type patch struct{}

// Thumbnail fills most of its place.
func (patch) Thumbnail(c *draw.Canvas) {
	y := (c.Max.Y - c.Min.Y) / 5
	c.FillPolygon(planeColour, []vg.Point{{X: c.Min.X, Y: c.Min.Y + y}, {X: c.Max.X, Y: c.Min.Y + y}, {X: c.Max.X, Y: c.Max.Y - y}, {X: c.Min.X, Y: c.Max.Y - y}})
}
