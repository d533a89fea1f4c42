package reports

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"io"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Format is a plot's file format.
type Format string

// The formats.
const (
	SVG Format = "svg"
	PNG Format = "png"
)

// plotWidth and plotHeight fit a page's or a README's column; PNG has plotDPI
// dots an inch, which is sharp on screens with two pixels a point. The narrow ones are
// of a page on a telephone, whose legend is below.
const (
	plotWidth    = 20 * vg.Centimeter
	plotHeight   = 12.5 * vg.Centimeter
	plotDPI      = 160
	narrowWidth  = 9.5 * vg.Centimeter
	narrowHeight = 8.5 * vg.Centimeter // without the legend
)

// Drawing is a plot that is laid out when it is written: to a file, or into a page.
type Drawing struct {
	plot   *plot.Plot
	legend legend
	spots  []spot
	tall   vg.Length // height of its own, whatever the width; 0: the usual
}

// spot is a place in a plot that says what it stands for.
type spot struct {
	x, y   float64 // in the units of the axes
	detail string
}

func newDrawing(p *plot.Plot, l legend) *Drawing { return &Drawing{plot: p, legend: l} }

// say makes a place say something; without a detail it does not.
func (d *Drawing) say(x, y float64, detail string) {
	if detail = strings.TrimSpace(Plain(detail)); detail != "" {
		d.spots = append(d.spots, spot{x, y, detail})
	}
}

// Write writes a file, of the same bytes each time.
func (d *Drawing) Write(w io.Writer, f Format) error {
	var out bytes.Buffer
	height := cmp.Or(d.tall, plotHeight)
	switch f {
	case SVG:
		c := vgsvg.New(plotWidth, height)
		d.paint(c, false, true)
		if _, err := c.WriteTo(&out); err != nil {
			return fmt.Errorf("reports: plot: %w", err)
		}
		// Arial and Helvetica have the metrics of Liberation Sans, which the text
		// was laid out with.
		data := bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
		_, err := w.Write(data)
		return err
	case PNG:
		c := vgimg.NewWith(vgimg.UseWH(plotWidth, height), vgimg.UseDPI(plotDPI))
		d.paint(c, false, true)
		if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(&out); err != nil {
			return fmt.Errorf("reports: plot: %w", err)
		}
		_, err := w.Write(out.Bytes())
		return err
	}
	return fmt.Errorf("reports: plot format %q: want svg or png", f)
}

// Inline writes two <svg> elements for a page that has [PlotCSS]: one for wide windows
// and paper and one for narrow windows, of which the page shows one. Neither has the
// plot's title, which the page says. Their ids are id, unique in the page, with -w and
// with -n, with which the ids in them begin; alt is what somebody who does not see the
// plot is told. Places of which there is something to say are <g class="mark">, the first
// of them in the order of the Tab key; a script may move among the others.
func (d *Drawing) Inline(w io.Writer, id, alt string) error {
	var out bytes.Buffer
	for _, v := range []struct {
		class, end    string
		width, height vg.Length
	}{
		{"wide", "-w", plotWidth, cmp.Or(d.tall, plotHeight-vg.Points(22))},
		{"narrow", "-n", narrowWidth, cmp.Or(d.tall, narrowHeight) + d.legendBelow(narrowWidth-vg.Points(6))},
	} {
		c := newPageCanvas(v.width, v.height)
		places := d.paint(c, v.class == "narrow", false)
		if c.err != nil {
			return c.err
		}
		name := html.EscapeString(id + v.end)
		title, rest := firstSentence(Plain(alt))
		fmt.Fprintf(&out, `<svg id="%s" class="plot %s" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" role="group" aria-labelledby="%s-title">`+"\n",
			name, v.class, coordinate(v.width), coordinate(v.height), name)
		// The drawing is one image; the marks beside it are reached by themselves.
		fmt.Fprintf(&out, `<g role="img" aria-labelledby="%s-title"`, name)
		if rest != "" {
			fmt.Fprintf(&out, ` aria-describedby="%s-desc"`, name)
		}
		fmt.Fprintf(&out, "><title id=\"%s-title\">%s</title>\n", name, html.EscapeString(title))
		if rest != "" {
			fmt.Fprintf(&out, "<desc id=\"%s-desc\">%s</desc>\n", name, html.EscapeString(rest))
		}
		fmt.Fprintf(&out, `<g font-family="Liberation Sans,Arial,Helvetica,sans-serif" aria-hidden="true">`+"\n")
		c.flush()
		out.Write(c.out.Bytes())
		out.WriteString("</g></g>\n")
		for i, m := range d.spots {
			tab := -1
			if i == 0 {
				tab = 0
			}
			says, at := html.EscapeString(m.detail), places[i]
			fmt.Fprintf(&out, `<g class="mark" tabindex="%d" role="img" aria-label="%s"><title>%s</title><circle cx="%s" cy="%s" r="8"/></g>`+"\n",
				tab, says, says, coordinate(at.X), coordinate(v.height-at.Y))
		}
		out.WriteString("</svg>\n")
	}
	_, err := w.Write(out.Bytes())
	return err
}

// firstSentence parts a text after its first sentence.
func firstSentence(s string) (first, rest string) {
	if i := strings.IndexAny(s, ".;"); i >= 0 {
		for j := i; j >= 0 && j+1 < len(s); {
			if s[j+1] == ' ' {
				return s[:j+1], strings.TrimSpace(s[j+1:])
			}
			k := strings.IndexAny(s[j+1:], ".;")
			if k < 0 {
				break
			}
			j += 1 + k
		}
	}
	return s, ""
}

// writePlot draws and writes a plot.
func writePlot(w io.Writer, f Format, drawing func() (*Drawing, error)) error {
	if f != SVG && f != PNG {
		return fmt.Errorf("reports: plot format %q: want svg or png", f)
	}
	d, err := drawing()
	if err != nil {
		return err
	}
	return d.Write(w, f)
}
