package reports

import (
	"math"

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
	cells  int // of a row that it takes
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
	l.entries = append(l.entries, legendEntry{name: Plain(name), thumbs: thumbs})
}

// column puts each entry into a row of its own.
func (l *legend) column() (rows [][]legendEntry, width vg.Length) {
	for _, e := range l.entries {
		e.name, e.cells = shorten(l.style, e.name, legendMost), 1
		width = max(width, l.entryWidth(e))
		rows = append(rows, []legendEntry{e})
	}
	return rows, width
}

// flow puts entries one after the other into rows of a width, below each other as in a
// table; a long one takes more than one cell.
func (l *legend) flow(width vg.Length) (rows [][]legendEntry, cell vg.Length) {
	for _, e := range l.entries {
		if w := l.entryWidth(e) + legendBetween; w <= (width+legendBetween)/2 {
			cell = max(cell, w)
		}
	}
	most := 1
	if cell > 0 {
		most = int((width + legendBetween) / cell)
	}
	cell = (width + legendBetween) / vg.Length(most)
	used := 0
	for _, e := range l.entries {
		e.name = shorten(l.style, e.name, width-l.entryWidth(legendEntry{}))
		e.cells = min(most, int(math.Ceil(float64((l.entryWidth(e)+legendBetween)/cell)-1e-9)))
		if len(rows) == 0 || used+e.cells > most {
			rows, used = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
		used += e.cells
	}
	return rows, cell
}

func (l *legend) rowHeight() vg.Length { return l.style.Height("Mg") + vg.Points(4) }

func (l *legend) entryWidth(e legendEntry) vg.Length {
	return thumbWidth + vg.Points(5) + l.style.Width(e.name)
}

// draw draws rows from the canvas's top.
func (l *legend) draw(c draw.Canvas, rows [][]legendEntry, cell vg.Length) {
	style := l.style
	style.XAlign, style.YAlign = draw.XLeft, draw.YCenter
	y := c.Max.Y - l.rowHeight()/2
	for _, row := range rows {
		x := c.Min.X
		for _, e := range row {
			half := style.Font.Size / 2
			icon := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: x, Y: y - half}, Max: vg.Point{X: x + thumbWidth, Y: y + half},
			}}
			for _, t := range e.thumbs {
				t.Thumbnail(&icon)
			}
			// Lower case letters are below the middle of their line.
			c.FillText(style, vg.Point{X: x + thumbWidth + vg.Points(5), Y: y + vg.Points(0.7)}, e.name)
			x += vg.Length(e.cells) * cell
		}
		y -= l.rowHeight()
	}
}
