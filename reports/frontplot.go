package reports

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"lathe/search/pareto"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// PlotPoint is a candidate in a plot of fronts.
type PlotPoint struct {
	Quality float64 // in the unit of QualityLabel
	Latency float64 // relative to the baseline
}

// FrontLine is the front after one iteration of a search.
type FrontLine struct {
	Iteration int // from 1
	Points    []PlotPoint
	Name      string // in the legend; "": by the iteration
}

// FrontPlotData is what FrontPlot draws. Only Iterations must have something in
// it; the last one is the final front.
type FrontPlotData struct {
	Title      string
	Iterations []FrontLine
	Evaluated  []PlotPoint // every candidate looked at
	Baseline   *PlotPoint
	Pick       *PlotPoint
	PickName   string // legend of the pick; "" is "pick"
	// QualityLabel names the vertical axis; "" is "decoder parameters (millions)".
	QualityLabel string
	// LatencyLabel names the horizontal axis; "" is "latency relative to the
	// baseline". A unit or what the latency is of can be said here.
	LatencyLabel string
}

// Format is a plot's file format.
type Format string

// The formats.
const (
	SVG Format = "svg"
	PNG Format = "png"
)

// plotWidth and plotHeight fit a page's or a README's column; PNG has plotDPI
// dots an inch, which is sharp on screens with two pixels a point.
const (
	plotWidth  = 20 * vg.Centimeter
	plotHeight = 12.5 * vg.Centimeter
	plotDPI    = 160
)

// FrontPlot draws how a search's Pareto front moved, as Figure 1 of the paper:
// quality against latency relative to the baseline, one
// line for each iteration from light to dark, the final front heavier, what was
// evaluated faint behind them. Up and to the left is better; the corner that is
// faster than the baseline at no less quality is tinted.
func FrontPlot(w io.Writer, format Format, data FrontPlotData) error {
	if format != SVG && format != PNG {
		return fmt.Errorf("reports: plot format %q: want svg or png", format)
	}
	lines, err := data.lines()
	if err != nil {
		return err
	}
	p := newPlot(data)
	legend := newLegend()
	if data.Baseline != nil {
		p.Add(corner{at: toXY(*data.Baseline)})
	}
	if err := addEvaluated(p, &legend, data.Evaluated); err != nil {
		return err
	}
	if err := addLines(p, &legend, lines); err != nil {
		return err
	}
	pickName := data.PickName
	if pickName == "" {
		pickName = "pick"
	}
	for _, m := range []struct {
		at    *PlotPoint
		name  string
		glyph draw.GlyphStyle
	}{
		{data.Baseline, "baseline", draw.GlyphStyle{Color: vermilion, Radius: vg.Points(5.5), Shape: diamond{}}},
		{data.Pick, pickName, draw.GlyphStyle{Color: vermilion, Radius: vg.Points(6.5), Shape: ring{}}},
	} {
		if m.at == nil {
			continue
		}
		s, err := plotter.NewScatter(plotter.XYs{toXY(*m.at)})
		if err != nil {
			return fmt.Errorf("reports: plot: %s: %w", m.name, err)
		}
		s.GlyphStyle = m.glyph
		p.Add(s)
		legend.Add(m.name, s)
	}
	margin(p)
	return render(w, format, p, legend)
}

// lines checks the data and brings each front into order.
func (d FrontPlotData) lines() ([]FrontLine, error) {
	var lines []FrontLine
	for _, it := range d.Iterations {
		points := make([]pareto.Point, 0, len(it.Points))
		for i, p := range it.Points {
			points = append(points, pareto.Point{ID: i, X: p.Latency, Y: p.Quality})
		}
		// A front is given as one, but a line must also run from left to right
		// and never back.
		front := pareto.Plane{X: pareto.Minimise, Y: pareto.Maximise}.Front(points)
		if len(front) == 0 {
			continue
		}
		line := FrontLine{Iteration: it.Iteration, Name: it.Name}
		for _, q := range front {
			line.Points = append(line.Points, PlotPoint{Quality: q.Y, Latency: q.X})
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil, errors.New("reports: plot: no iteration has a front")
	}
	return lines, nil
}

func toXY(p PlotPoint) plotter.XY { return plotter.XY{X: p.Latency, Y: p.Quality} }

func newPlot(d FrontPlotData) *plot.Plot {
	p := plot.New()
	sans := func(size font.Length) font.Font {
		return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	}
	p.Title.Text, p.Title.Padding = d.Title, vg.Points(8)
	p.Title.TextStyle.Font = sans(13)
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

func newLegend() plot.Legend {
	l := plot.NewLegend()
	l.Top, l.Left = true, true
	l.TextStyle.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 10}
	l.TextStyle.Color = ink
	l.ThumbnailWidth, l.Padding = vg.Points(22), vg.Points(4)
	l.YPosition = draw.PosCenter
	return l
}

// addEvaluated draws what was looked at. An enumerated space has tens of
// thousands of points, most of them on top of each other: of those that fall
// into one cell of a fine raster one is drawn.
func addEvaluated(p *plot.Plot, legend *plot.Legend, evaluated []PlotPoint) error {
	points := make(plotter.XYs, 0, len(evaluated))
	low, high := plotter.XY{X: math.Inf(1), Y: math.Inf(1)}, plotter.XY{X: math.Inf(-1), Y: math.Inf(-1)}
	for _, e := range evaluated {
		xy := toXY(e)
		if math.IsNaN(xy.X+xy.Y) || math.IsInf(xy.X+xy.Y, 0) {
			continue
		}
		low.X, low.Y = min(low.X, xy.X), min(low.Y, xy.Y)
		high.X, high.Y = max(high.X, xy.X), max(high.Y, xy.Y)
		points = append(points, xy)
	}
	if len(points) == 0 {
		return nil
	}
	const cells = 200
	seen := make(map[[2]int]bool)
	cell := func(v, low, high float64) int {
		if high == low {
			return 0
		}
		return int((v - low) / (high - low) * cells)
	}
	points = slices.DeleteFunc(points, func(xy plotter.XY) bool {
		c := [2]int{cell(xy.X, low.X, high.X), cell(xy.Y, low.Y, high.Y)}
		if seen[c] {
			return true
		}
		seen[c] = true
		return false
	})
	s, err := plotter.NewScatter(points)
	if err != nil {
		return fmt.Errorf("reports: plot: evaluated: %w", err)
	}
	s.GlyphStyle = draw.GlyphStyle{Color: fog, Radius: vg.Points(1.6), Shape: draw.CircleGlyph{}}
	sample := *s
	if len(points) > 1000 {
		s.GlyphStyle.Radius = vg.Points(0.9)
	}
	p.Add(s)
	legend.Add("evaluated", &sample)
	return nil
}

// legendLines is how many iterations the legend names; of a longer search it
// names some, evenly apart, and always the first and the last.
const legendLines = 12

func addLines(p *plot.Plot, legend *plot.Legend, lines []FrontLine) error {
	n := len(lines)
	named := func(i int) bool {
		if n <= legendLines || i == n-1 {
			return true
		}
		step := (n + legendLines - 2) / (legendLines - 1)
		return i%step == 0 && n-1-i >= step/2
	}
	for i, line := range lines {
		xys := make(plotter.XYs, len(line.Points))
		for k, pt := range line.Points {
			xys[k] = toXY(pt)
		}
		l, s, err := plotter.NewLinePoints(xys)
		if err != nil {
			return fmt.Errorf("reports: plot: iteration %d: %w", line.Iteration, err)
		}
		colour := sequential(i, n)
		l.LineStyle = draw.LineStyle{Color: colour, Width: vg.Points(1.1)}
		s.GlyphStyle = draw.GlyphStyle{Color: colour, Radius: vg.Points(1.7), Shape: draw.CircleGlyph{}}
		name := "iteration " + strconv.Itoa(line.Iteration)
		if i == n-1 {
			l.LineStyle.Width, s.GlyphStyle.Radius = vg.Points(2.2), vg.Points(2.8)
			if n > 1 {
				name += " (final)"
			} else {
				name = "front"
			}
		}
		name = cmp.Or(line.Name, name)
		p.Add(l, s)
		if named(i) {
			legend.Add(name, l, s)
		}
	}
	return nil
}

// margin widens the axes so that no mark lies on the frame.
func margin(p *plot.Plot) {
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		widen(a, false)
	}
}

// render draws the plot with its legend in a column of its own on the right.
func render(w io.Writer, format Format, p *plot.Plot, legend plot.Legend) error {
	paint := func(c vg.CanvasSizer) {
		dc := draw.New(c)
		dc.SetColor(p.BackgroundColor)
		dc.Fill(dc.Rectangle.Path())
		pad := vg.Points(10)
		dc = draw.Crop(dc, pad, -pad, pad, -pad)
		box := legend.Rectangle(dc)
		width := box.Max.X - box.Min.X + vg.Points(14)
		p.Draw(draw.Crop(dc, 0, -width, 0, 0))
		right := draw.Crop(dc, dc.Max.X-dc.Min.X-width+vg.Points(14), 0, 0, -vg.Points(22))
		legend.Draw(right)
	}
	var out bytes.Buffer
	switch format {
	case SVG:
		c := vgsvg.New(plotWidth, plotHeight)
		paint(c)
		if _, err := c.WriteTo(&out); err != nil {
			return fmt.Errorf("reports: plot: %w", err)
		}
		// Arial and Helvetica have the metrics of Liberation Sans, which the text
		// was laid out with.
		data := bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
		_, err := w.Write(data)
		return err
	default:
		c := vgimg.NewWith(vgimg.UseWH(plotWidth, plotHeight), vgimg.UseDPI(plotDPI))
		paint(c)
		if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(&out); err != nil {
			return fmt.Errorf("reports: plot: %w", err)
		}
		_, err := w.Write(out.Bytes())
		return err
	}
}
