package reports

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// legend is what a plot's marks and lines stand for: a column, or rows that flow.
type legend struct {
	entries []legendEntry
	style   draw.TextStyle
}

type legendEntry struct {
	name   string
	thumbs []plot.Thumbnailer
}

// Sizes of a legend.
const (
	thumbWidth    = 22 * vg.Length(1)
	legendMost    = 190 * vg.Length(1) // width of a name in a column
	legendBetween = 10 * vg.Length(1)  // from an entry to the next in a row
)

func newLegend() legend { return legend{style: textStyle(10, ink)} }

// Add adds what a name stands for, one over the other.
func (l *legend) Add(name string, thumbs ...plot.Thumbnailer) {
	l.entries = append(l.entries, legendEntry{drawable(name), thumbs})
}

// column is the legend as gonum/plot lays it out, from the top down.
func (l *legend) column() plot.Legend {
	out := plot.NewLegend()
	out.Top, out.Left = true, true
	out.TextStyle = l.style
	out.ThumbnailWidth, out.Padding = thumbWidth, vg.Points(4)
	out.YPosition = draw.PosCenter
	for _, e := range l.entries {
		out.Add(shorten(l.style, e.name, legendMost), e.thumbs...)
	}
	return out
}

// rowHeight is of rows that flow.
func (l *legend) rowHeight() vg.Length { return l.style.Height("Mg") + vg.Points(3) }

// flow puts entries one after the other into rows of a width.
func (l *legend) flow(width vg.Length) (rows [][]legendEntry) {
	var used vg.Length
	for _, e := range l.entries {
		e.name = shorten(l.style, e.name, width-thumbWidth-vg.Points(4))
		need := l.entryWidth(e)
		if len(rows) == 0 || used+need > width {
			rows, used = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
		used += need + legendBetween
	}
	return rows
}

func (l *legend) entryWidth(e legendEntry) vg.Length {
	return thumbWidth + vg.Points(4) + l.style.Width(e.name)
}

// drawRows draws the legend as rows, from the canvas's top.
func (l *legend) drawRows(c draw.Canvas) {
	style := l.style
	style.XAlign, style.YAlign = draw.XLeft, draw.YCenter
	y := c.Max.Y
	for _, row := range l.flow(c.Max.X - c.Min.X) {
		x := c.Min.X
		for _, e := range row {
			icon := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: x, Y: y - l.rowHeight() + vg.Points(2)}, Max: vg.Point{X: x + thumbWidth, Y: y - vg.Points(2)},
			}}
			for _, t := range e.thumbs {
				t.Thumbnail(&icon)
			}
			c.FillText(style, vg.Point{X: x + thumbWidth + vg.Points(4), Y: y - l.rowHeight()/2}, e.name)
			x += l.entryWidth(e) + legendBetween
		}
		y -= l.rowHeight()
	}
}
