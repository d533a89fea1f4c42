package reports

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// vec is d_inner, d_model and n_layer, in this order: east, north and up.
type vec [3]float64

var boxNames = [3]string{"d_inner", "d_model", "n_layer"}

// The view: from the south-west, well above the floor, so that the plane of a ratio,
// which stands upright along the floor's diagonal, is seen from one side.
const (
	azimuth   = 62 * math.Pi / 180
	elevation = 24 * math.Pi / 180
)

// box draws models in the box that their sizes span.
type box struct {
	data      ShapePlotData
	low, high vec
}

func newBox(d ShapePlotData) *box {
	b := &box{data: d, low: vec{math.Inf(1), math.Inf(1), math.Inf(1)}, high: vec{math.Inf(-1), math.Inf(-1), math.Inf(-1)}}
	for _, s := range d.Shapes {
		for k, v := range at(s) {
			b.low[k], b.high[k] = min(b.low[k], v), max(b.high[k], v)
		}
	}
	for k := range b.low {
		pad := 0.08 * (b.high[k] - b.low[k])
		if pad == 0 {
			pad = 0.25 * b.high[k]
		}
		b.low[k], b.high[k] = max(0, b.low[k]-pad), b.high[k]+pad
	}
	// The plane shall be seen, wherever the models are.
	b.low[0], b.high[0] = min(b.low[0], d.Ratio*b.low[1]), max(b.high[0], d.Ratio*(b.low[1]+b.high[1])/2)
	return b
}

func at(s Shape) vec { return vec{s.DInner, s.DModel, s.NLayer} }

// project is where a place in the box is seen, in units of its edges, and how deep.
func (b *box) project(v vec) (x, y, depth float64) {
	for k := range v {
		v[k] = (v[k]-b.low[k])/(b.high[k]-b.low[k]) - 0.5
	}
	sin, cos := math.Sincos(azimuth)
	x = v[0]*sin - v[1]*cos
	depth = v[0]*cos + v[1]*sin
	sin, cos = math.Sincos(elevation)
	return x, v[2]*cos + depth*sin, depth*cos - v[2]*sin
}

// plane is the polygon of the ratio's plane in the box.
func (b *box) plane() []vec {
	r := b.data.Ratio
	from, to := max(b.low[1], b.low[0]/r), min(b.high[1], b.high[0]/r) // of d_model
	return []vec{{r * from, from, b.low[2]}, {r * to, to, b.low[2]}, {r * to, to, b.high[2]}, {r * from, from, b.high[2]}}
}

// allowed reports whether a model's ratio is the plane's or more.
func (b *box) allowed(s Shape) bool { return s.DInner >= b.data.Ratio*s.DModel }

// allowedNear reports whether such models are on the near side of the plane: going
// towards the viewer, d_inner less Ratio times d_model grows.
func (b *box) allowedNear() bool {
	sin, cos := math.Sincos(azimuth)
	return b.data.Ratio*sin*(b.high[1]-b.low[1]) > cos*(b.high[0]-b.low[0])
}

// DataRange is square, and leaves room for the labels.
func (b *box) DataRange() (xmin, xmax, ymin, ymax float64) { return -1.16, 0.95, -0.9, 0.8 }

// Plot draws from the back to the front.
func (b *box) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	place := func(v vec) vg.Point {
		x, y, _ := b.project(v)
		return vg.Point{X: tx(x), Y: ty(y)}
	}
	line := func(colour color.Color, width float64, from, to vec) {
		q, r := place(from), place(to)
		c.StrokeLine2(draw.LineStyle{Color: colour, Width: vg.Points(width)}, q.X, q.Y, r.X, r.Y)
	}
	style := text.Style{Color: ink, Font: p.Title.TextStyle.Font, Handler: p.Title.TextStyle.Handler}
	b.axes(place, line, func(v vec, words string, size float64, x, y float64) {
		style.Font.Size, style.XAlign, style.YAlign = vg.Points(size), text.XAlignment(x), text.YAlignment(y)
		c.FillText(style, place(v), words)
	})
	shapes := slices.Clone(b.data.Shapes)
	slices.SortStableFunc(shapes, func(s, t Shape) int {
		_, _, near := b.project(at(s))
		_, _, far := b.project(at(t))
		switch {
		case near > far:
			return -1
		case near < far:
			return 1
		}
		return 0
	})
	var sides [2][]Shape // beyond the plane, and before it
	for _, s := range shapes {
		k := 0
		if b.allowed(s) == b.allowedNear() {
			k = 1
		}
		sides[k] = append(sides[k], s)
	}
	for k, side := range sides {
		if k == 1 {
			var polygon []vg.Point
			for _, v := range b.plane() {
				polygon = append(polygon, place(v))
			}
			c.FillPolygon(planeColour, polygon)
		}
		for _, s := range side {
			foot := at(s)
			foot[2] = b.low[2]
			line(mist, 0.8, foot, at(s))
			c.DrawGlyph(sideGlyph(b.allowed(s)), place(at(s)))
			if s.Mark {
				c.DrawGlyph(pickGlyph, place(at(s)))
			}
		}
	}
}

// axes draws the floor with its grid, the three axes with round values, and their names.
func (b *box) axes(place func(vec) vg.Point, line func(color.Color, float64, vec, vec), words func(at vec, words string, size, x, y float64)) {
	l, h := b.low, b.high
	// Where the drawing is small, names stand off further for the labels between.
	away := max(1, 190/float64(place(vec{h[0], l[1], l[2]}).X-place(vec{l[0], l[1], l[2]}).X))
	for k := range 2 { // grid of the floor
		for _, t := range (roundTicks{}).Ticks(l[k], h[k]) {
			from, to := l, l
			from[k], to[k] = t.Value, t.Value
			to[1-k] = h[1-k]
			line(mist, 0.6, from, to)
		}
	}
	for _, edge := range []struct {
		axis     int
		from, to vec
		x, y     float64 // alignment of its labels
		beyond   vec     // where they stand, in shares of the box
	}{
		{0, vec{l[0], l[1], l[2]}, vec{h[0], l[1], l[2]}, -0.3, -1, vec{0, -0.05, 0}},
		{1, vec{l[0], l[1], l[2]}, vec{l[0], h[1], l[2]}, -0.8, -1, vec{-0.05, 0, 0}},
		{2, vec{l[0], h[1], l[2]}, vec{l[0], h[1], h[2]}, -1, -0.5, vec{-0.04, 0.04, 0}},
	} {
		line(slate, 0.9, edge.from, edge.to)
		off := func(v vec, times float64) vec {
			for k := range v {
				v[k] += times * edge.beyond[k] * (h[k] - l[k])
			}
			return v
		}
		var last vg.Point // where a label is
		for i, t := range (roundTicks{}).Ticks(l[edge.axis], h[edge.axis]) {
			v := edge.from
			v[edge.axis] = t.Value
			line(slate, 0.6, v, off(v, 0.5))
			style, at := textStyle(9, ink), place(off(v, 1))
			if i > 0 && math.Abs(float64(at.X-last.X)) < float64(style.Width(t.Label))+3 && math.Abs(float64(at.Y-last.Y)) < 9.5 {
				continue // it would be on top of the last
			}
			words(off(v, 1), t.Label, 9, edge.x, edge.y)
			last = at
		}
		middle := edge.from
		middle[edge.axis] = (l[edge.axis] + h[edge.axis]) / 2
		words(off(middle, [3]float64{4 * away, 4 * away, 3}[edge.axis]), boxNames[edge.axis], 11, edge.x, edge.y)
	}
	for _, e := range [][2]vec{ // the rest of the floor and the back
		{{h[0], l[1], l[2]}, {h[0], h[1], l[2]}}, {{l[0], h[1], l[2]}, {h[0], h[1], l[2]}},
		{{h[0], h[1], l[2]}, {h[0], h[1], h[2]}}, {{l[0], h[1], h[2]}, {h[0], h[1], h[2]}},
	} {
		line(mist, 0.9, e[0], e[1])
	}
}
