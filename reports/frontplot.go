package reports

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"lathe/search/pareto"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// PlotPoint is a candidate in a plot of fronts.
type PlotPoint struct {
	Quality   float64 // in the unit of QualityLabel
	Latency   float64 // relative to the baseline
	Low, High float64 // the interval of Latency; both 0: none
	Detail    string  `json:"-"` // what a page says of it; "": nothing
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
	Title       string
	Iterations  []FrontLine
	Evaluated   []PlotPoint // every candidate looked at
	Baseline    *PlotPoint
	Pick        *PlotPoint
	PickName    string      // legend of the pick; "" is "pick"
	Variants    []PlotPoint // the pick with other numbers of heads
	LowerBetter bool        // quality is better the lower it is
	// QualityLabel names the vertical axis; "" is "decoder parameters (millions)".
	QualityLabel string
	// LatencyLabel names the horizontal axis; "" is "latency relative to the
	// baseline". A unit or what the latency is of can be said here.
	LatencyLabel string
}

// FrontPlot draws how a search's Pareto front moved, as Figure 1 of the paper:
// quality against latency relative to the baseline, one
// line for each iteration from light to dark, the final front heavier, what was
// evaluated faint behind them. Up and to the left is better; the corner that is
// faster than the baseline at no less quality is tinted.
func FrontPlot(w io.Writer, format Format, d FrontPlotData) error {
	return writePlot(w, format, d.Drawing)
}

// Drawing is the plot, to be written in any form.
func (d FrontPlotData) Drawing() (*Drawing, error) {
	lines, err := d.lines()
	if err != nil {
		return nil, err
	}
	p := newPlot(d)
	legend := newLegend()
	if d.Baseline != nil {
		p.Add(corner{toXY(*d.Baseline), d.LowerBetter})
	}
	if err := addEvaluated(p, &legend, d.Evaluated); err != nil {
		return nil, err
	}
	final := lines[len(lines)-1].Points
	if d.Pick != nil { // first, so that its own is there
		final = append([]PlotPoint{*d.Pick}, final...)
	}
	if bars := intervals(final); len(bars) > 0 {
		p.Add(bars)
		legend.Add("interval of the latency", bars)
	}
	if err := addLines(p, &legend, lines); err != nil {
		return nil, err
	}
	if len(d.Variants) > 0 {
		s, err := plotter.NewScatter(toXYs(d.Variants))
		if err != nil {
			return nil, fmt.Errorf("reports: plot: variants: %w", err)
		}
		s.GlyphStyle = draw.GlyphStyle{Color: vermilion, Radius: vg.Points(2.6), Shape: draw.RingGlyph{}}
		p.Add(s)
		legend.Add("pick, other n_head", s)
	}
	pickName := d.PickName
	if pickName == "" {
		pickName = "pick"
	}
	for _, m := range []struct {
		at    *PlotPoint
		name  string
		glyph draw.GlyphStyle
	}{
		{d.Baseline, "baseline", draw.GlyphStyle{Color: vermilion, Radius: vg.Points(5.5), Shape: diamond{}}},
		{d.Pick, pickName, draw.GlyphStyle{Color: vermilion, Radius: vg.Points(6.5), Shape: ring{}}},
	} {
		if m.at == nil {
			continue
		}
		s, err := plotter.NewScatter(plotter.XYs{toXY(*m.at)})
		if err != nil {
			return nil, fmt.Errorf("reports: plot: %s: %w", m.name, err)
		}
		s.GlyphStyle = m.glyph
		p.Add(s)
		legend.Add(m.name, s)
	}
	margin(p)
	drawing := newDrawing(p, legend)
	for _, line := range lines {
		drawing.sayAll(line.Points)
	}
	drawing.sayAll(d.Variants)
	for _, m := range []*PlotPoint{d.Baseline, d.Pick} {
		if m != nil {
			drawing.sayAll([]PlotPoint{*m})
		}
	}
	return drawing, nil
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
		plane := pareto.Plane{X: pareto.Minimise, Y: pareto.Maximise}
		if d.LowerBetter {
			plane.Y = pareto.Minimise
		}
		front := plane.Front(points)
		if len(front) == 0 {
			continue
		}
		line := FrontLine{Iteration: it.Iteration, Name: it.Name}
		for _, q := range front {
			line.Points = append(line.Points, it.Points[q.ID])
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil, errors.New("reports: plot: no iteration has a front")
	}
	return lines, nil
}

func toXY(p PlotPoint) plotter.XY { return plotter.XY{X: p.Latency, Y: p.Quality} }

func toXYs(points []PlotPoint) plotter.XYs {
	xys := make(plotter.XYs, len(points))
	for i, p := range points {
		xys[i] = toXY(p)
	}
	return xys
}

func (d *Drawing) sayAll(points []PlotPoint) {
	for _, p := range points {
		d.say(p.Latency, p.Quality, p.Detail)
	}
}

// intervals are horizontal bars over what latencies may be.
func intervals(points []PlotPoint) (out intervalBars) {
	for _, p := range points {
		if p.Low > 0 && p.High >= p.Low && !math.IsInf(p.High, 0) {
			out = append(out, bar{at: p.Quality, low: p.Low, high: p.High})
		}
	}
	return out
}

// addEvaluated draws what was looked at, thinned.
func addEvaluated(p *plot.Plot, legend *legend, evaluated []PlotPoint) error {
	points := raster(toXYs(evaluated), 200)
	if len(points) == 0 {
		return nil
	}
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

// raster thins points. An enumerated space has tens of thousands of them, most on top of
// each other: of those that fall into one cell of a raster, of so many cells either way,
// one is drawn. What is no number has no place.
func raster(all plotter.XYs, cells int) plotter.XYs {
	points := make(plotter.XYs, 0, len(all))
	low, high := plotter.XY{X: math.Inf(1), Y: math.Inf(1)}, plotter.XY{X: math.Inf(-1), Y: math.Inf(-1)}
	for _, xy := range all {
		if math.IsNaN(xy.X+xy.Y) || math.IsInf(xy.X+xy.Y, 0) {
			continue
		}
		low.X, low.Y = min(low.X, xy.X), min(low.Y, xy.Y)
		high.X, high.Y = max(high.X, xy.X), max(high.Y, xy.Y)
		points = append(points, xy)
	}
	seen := make(map[[2]int]bool)
	cell := func(v, low, high float64) int {
		if high == low {
			return 0
		}
		return int((v - low) / (high - low) * float64(cells))
	}
	return slices.DeleteFunc(points, func(xy plotter.XY) bool {
		c := [2]int{cell(xy.X, low.X, high.X), cell(xy.Y, low.Y, high.Y)}
		if seen[c] {
			return true
		}
		seen[c] = true
		return false
	})
}

// legendLines is how many iterations the legend names; of a longer search it
// names some, evenly apart, and always the first and the last.
const legendLines = 12

func addLines(p *plot.Plot, legend *legend, lines []FrontLine) error {
	n := len(lines)
	named := func(i int) bool {
		if n <= legendLines || i == n-1 {
			return true
		}
		step := (n + legendLines - 2) / (legendLines - 1)
		return i%step == 0 && n-1-i >= step/2
	}
	for i, line := range lines {
		l, s, err := plotter.NewLinePoints(toXYs(line.Points))
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
