package reports

import (
	"fmt"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// LossPoint is a training's loss, in nats for each token, after so many steps.
type LossPoint struct{ Step, Loss float64 }

// LossPlotData is what LossPlot draws.
type LossPlotData struct {
	Title string
	Train []LossPoint // of the batch of each step
	Dev   []LossPoint // on the development set, or none
	Best  float64     // step of the parameters that were taken; 0: not marked
}

// LossPlot draws a training: the loss of each step's batch, its mean over a fiftieth of
// the steps around each, and the loss on the development set.
func LossPlot(w io.Writer, format Format, d LossPlotData) error {
	return writePlot(w, format, d.Drawing)
}

// Drawing is the plot, to be written in any form.
func (d LossPlotData) Drawing() (*Drawing, error) {
	p := newPlot(FrontPlotData{Title: d.Title, LatencyLabel: "steps", QualityLabel: "loss (nats a token)"})
	legend := newLegend()
	drawn := 0
	for _, s := range []struct {
		name   string
		points []LossPoint
		style  draw.LineStyle
	}{
		{"a step's batch", thinned(d.Train), draw.LineStyle{Color: fog, Width: vg.Points(0.7)}},
		{"its running mean", thinned(smooth(d.Train)), draw.LineStyle{Color: seriesColours[0], Width: vg.Points(1.6)}},
		{"development set", d.Dev, draw.LineStyle{Color: vermilion, Width: vg.Points(1.6)}},
	} {
		if len(s.points) == 0 {
			continue
		}
		xys := make(plotter.XYs, len(s.points))
		for i, pt := range s.points {
			xys[i] = plotter.XY{X: pt.Step, Y: pt.Loss}
		}
		line, err := plotter.NewLine(xys)
		if err != nil {
			return nil, fmt.Errorf("reports: plot: %s: %w", s.name, err)
		}
		line.LineStyle = s.style
		p.Add(line)
		legend.Add(s.name, line)
		drawn += len(xys)
	}
	if drawn == 0 {
		return nil, fmt.Errorf("reports: plot: no losses to draw")
	}
	if err := d.markBest(p, &legend); err != nil {
		return nil, err
	}
	return newDrawing(p, legend), nil
}

// markBest marks the step whose parameters were taken, on the development set's line.
func (d LossPlotData) markBest(p *plot.Plot, legend *legend) error {
	for _, pt := range d.Dev {
		if d.Best == 0 || pt.Step != d.Best {
			continue
		}
		mark, err := plotter.NewScatter(plotter.XYs{{X: pt.Step, Y: pt.Loss}})
		if err != nil {
			return fmt.Errorf("reports: plot: %w", err)
		}
		mark.GlyphStyle = draw.GlyphStyle{Color: vermilion, Radius: vg.Points(4), Shape: diamond{}}
		p.Add(mark)
		legend.Add(fmt.Sprintf("taken: step %.0f, loss %.3f", pt.Step, pt.Loss), mark)
	}
	return nil
}

// smooth is the mean of the losses within a hundredth of all steps before and after
// each.
func smooth(points []LossPoint) []LossPoint {
	reach := len(points) / 100
	if reach == 0 {
		return nil // nothing to smooth
	}
	sums := make([]float64, len(points)+1)
	for i, p := range points {
		sums[i+1] = sums[i] + p.Loss
	}
	out := make([]LossPoint, len(points))
	for i, p := range points {
		from, to := max(0, i-reach), min(len(points), i+reach+1)
		out[i] = LossPoint{p.Step, (sums[to] - sums[from]) / float64(to-from)}
	}
	return out
}

// thinned is as much of a line as a drawing shows: of each piece of many points the
// lowest and the highest.
func thinned(points []LossPoint) []LossPoint {
	const pieces = 600
	if len(points) <= 2*pieces {
		return points
	}
	var out []LossPoint
	for k := range pieces {
		piece := points[k*len(points)/pieces : (k+1)*len(points)/pieces]
		low, high := 0, 0
		for i, p := range piece {
			if p.Loss < piece[low].Loss || math.IsNaN(piece[low].Loss) {
				low = i
			}
			if p.Loss > piece[high].Loss {
				high = i
			}
		}
		out = append(out, piece[min(low, high)])
		if low != high {
			out = append(out, piece[max(low, high)])
		}
	}
	return out
}
