package reports

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"image"
	"image/color"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// pageCanvas draws SVG for the inside of a page: colours are the page's variables, and
// what is drawn alike in a row is one element.
//
// Note: vgsvg writes colours as numbers, from which the variables would have to be found
// again, and of two names of one number it is not known which was meant.
type pageCanvas struct {
	width, height vg.Length
	out           bytes.Buffer
	err           error // the first
	now           pageState
	stack         []pageState
	alike         string       // attributes of the element that is being written
	data          bytes.Buffer // its path
}

// pageState is what Push keeps.
type pageState struct {
	colour     string
	line       vg.Length
	dashes     string
	a, b, c, d float64 // columns of the transform
	e, f       float64 // where it puts the origin
}

func newPageCanvas(width, height vg.Length) *pageCanvas {
	c := &pageCanvas{width: width, height: height, now: pageState{a: 1, d: 1}}
	vg.Initialize(c)
	return c
}

// Size is the canvas's, in points.
func (c *pageCanvas) Size() (x, y vg.Length) { return c.width, c.height }

// SetLineWidth sets the width of lines.
func (c *pageCanvas) SetLineWidth(w vg.Length) { c.now.line = w }

// SetLineDash sets the pattern of lines.
func (c *pageCanvas) SetLineDash(pattern []vg.Length, offset vg.Length) {
	words := make([]string, len(pattern))
	for i, p := range pattern {
		words[i] = coordinate(p)
	}
	c.now.dashes = strings.Join(words, " ")
}

// SetColor takes swatches. Black is what gonum/plot begins with, and is ink.
func (c *pageCanvas) SetColor(v color.Color) {
	s, ok := v.(swatch)
	switch {
	case ok && s.name == paper.name:
		c.now.colour = "var(--paper," + s.String() + ")"
	case ok:
		c.now.colour = "var(--plot-" + s.name + "," + s.String() + ")"
	case v == nil || v == color.Black:
		c.SetColor(ink)
	case c.err == nil:
		c.err = fmt.Errorf("reports: plot: colour %v has no name: want one of the palette", v)
	}
}

// Rotate turns what is drawn from here on, to the left, by radians.
func (c *pageCanvas) Rotate(angle float64) {
	sin, cos := math.Sincos(angle)
	s := c.now
	c.now.a, c.now.b = s.a*cos+s.c*sin, s.b*cos+s.d*sin
	c.now.c, c.now.d = s.c*cos-s.a*sin, s.d*cos-s.b*sin
}

// Translate moves it.
func (c *pageCanvas) Translate(pt vg.Point) { c.now.e, c.now.f = c.move(pt) }

// Scale stretches it.
func (c *pageCanvas) Scale(x, y float64) {
	c.now.a, c.now.b, c.now.c, c.now.d = c.now.a*x, c.now.b*x, c.now.c*y, c.now.d*y
}

// Push keeps the state, Pop goes back to it.
func (c *pageCanvas) Push() { c.stack = append(c.stack, c.now) }

// Pop goes back to the state that Push kept.
func (c *pageCanvas) Pop() {
	c.now, c.stack = c.stack[len(c.stack)-1], c.stack[:len(c.stack)-1]
}

func (c *pageCanvas) move(p vg.Point) (x, y float64) {
	px, py := p.X.Points(), p.Y.Points()
	return c.now.a*px + c.now.c*py + c.now.e, c.now.b*px + c.now.d*py + c.now.f
}

// at is a point as the element has it, whose y grows downwards.
func (c *pageCanvas) at(p vg.Point) string {
	x, y := c.move(p)
	return coordinate(vg.Length(x)) + " " + coordinate(c.height-vg.Length(y))
}

func (c *pageCanvas) scale() float64 {
	return math.Sqrt(math.Abs(c.now.a*c.now.d - c.now.b*c.now.c))
}

// element appends to the element before if it has the same attributes.
func (c *pageCanvas) element(attributes string) *bytes.Buffer {
	if attributes != c.alike {
		c.flush()
		c.alike = attributes
	}
	return &c.data
}

// flush ends the element that is being written.
func (c *pageCanvas) flush() {
	if c.data.Len() > 0 {
		fmt.Fprintf(&c.out, `<path %s d="%s"/>`+"\n", c.alike, c.data.Bytes())
	}
	c.alike = ""
	c.data.Reset()
}

// Stroke draws a path's line.
func (c *pageCanvas) Stroke(p vg.Path) {
	if c.now.line <= 0 {
		return
	}
	dashes := ""
	if c.now.dashes != "" {
		dashes = ` stroke-dasharray="` + c.now.dashes + `"`
	}
	c.path(c.element(fmt.Sprintf(`fill="none" stroke="%s" stroke-width="%s"%s`, c.now.colour, coordinate(c.now.line*vg.Length(c.scale())), dashes)), p)
}

// Fill fills a path. Dots are the ends of lines of no length, the shortest that SVG has.
func (c *pageCanvas) Fill(p vg.Path) {
	if len(p) == 3 && p[0].Type == vg.MoveComp && p[1].Type == vg.ArcComp && p[2].Type == vg.CloseComp && math.Abs(p[1].Angle) >= 2*math.Pi {
		width := coordinate(2 * p[1].Radius * vg.Length(c.scale()))
		fmt.Fprintf(c.element(fmt.Sprintf(`fill="none" stroke="%s" stroke-width="%s" stroke-linecap="round"`, c.now.colour, width)), "M%sh0", c.at(p[1].Pos))
		return
	}
	c.flush() // areas that overlap with opposite turns would leave a hole
	c.path(c.element(fmt.Sprintf(`fill="%s"`, c.now.colour)), p)
	c.flush()
}

func (c *pageCanvas) path(out *bytes.Buffer, p vg.Path) {
	var last string // where the pen is
	for _, s := range p {
		switch s.Type {
		case vg.MoveComp:
			last = c.at(s.Pos)
			out.WriteString("M" + last)
		case vg.LineComp:
			last = c.at(s.Pos)
			out.WriteString("L" + last)
		case vg.ArcComp:
			on := func(angle float64) string {
				sin, cos := math.Sincos(angle)
				return c.at(vg.Point{X: s.Pos.X + s.Radius*vg.Length(cos), Y: s.Pos.Y + s.Radius*vg.Length(sin)})
			}
			if start := on(s.Start); start != last {
				out.WriteString("L" + start)
			}
			// Halves at most: an arc that ends where it starts would be nothing.
			turn, sweep := max(-2*math.Pi, min(2*math.Pi, s.Angle)), 0
			if turn < 0 != (c.now.a*c.now.d-c.now.b*c.now.c < 0) {
				sweep = 1
			}
			r := coordinate(s.Radius * vg.Length(c.scale()))
			for _, share := range []float64{0.5, 1} {
				last = on(s.Start + share*turn)
				fmt.Fprintf(out, "A%s %s 0 0 %d %s", r, r, sweep, last)
			}
		case vg.CurveComp:
			out.WriteString(map[int]string{1: "Q", 2: "C"}[len(s.Control)])
			for _, p := range s.Control {
				out.WriteString(c.at(p) + " ")
			}
			last = c.at(s.Pos)
			out.WriteString(last)
		case vg.CloseComp:
			out.WriteString("Z")
		}
	}
}

// FillString writes a line of text.
func (c *pageCanvas) FillString(f font.Face, pt vg.Point, s string) {
	if f.Font.Size <= 0 || strings.TrimSpace(s) == "" {
		return
	}
	c.flush()
	x, y := c.move(pt)
	px, py := coordinate(vg.Length(x)), coordinate(c.height-vg.Length(y))
	turned := ""
	if angle := math.Atan2(c.now.b, c.now.a) * 180 / math.Pi; angle != 0 {
		turned = fmt.Sprintf(` transform="rotate(%s %s %s)"`, coordinate(vg.Length(-angle)), px, py)
	}
	fmt.Fprintf(&c.out, `<text x="%s" y="%s" font-size="%s" fill="%s"%s>%s</text>`+"\n",
		px, py, coordinate(f.Font.Size*vg.Length(c.scale())), c.now.colour, turned, html.EscapeString(Plain(s)))
}

// DrawImage is not for pages, which hold no pixels.
func (c *pageCanvas) DrawImage(vg.Rectangle, image.Image) {
	if c.err == nil {
		c.err = errors.New("reports: plot: an image cannot be drawn into a page")
	}
}

// coordinate is a length in points, to a hundredth.
func coordinate(v vg.Length) string {
	return strconv.FormatFloat(math.Round(v.Points()*100)/100+0, 'f', -1, 64)
}
