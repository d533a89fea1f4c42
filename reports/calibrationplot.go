package reports

import (
	"errors"
	"fmt"
	"io"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// CalibrationPoint is what thresholds give: extra characters a suggestion, and the share of
// characters that are saved.
type CalibrationPoint struct{ AEC, Saving float64 }

// CalibrationPlotData is what CalibrationPlot draws.
type CalibrationPlotData struct {
	Title    string
	Curve    []CalibrationPoint // by show threshold, from the surest on
	Chosen   CalibrationPoint
	Baseline *CalibrationPoint // nil: none
}

// CalibrationPlot draws what a predictor saves against what it shows in vain, for all show
// thresholds beside the stop threshold that was chosen.
func CalibrationPlot(w io.Writer, format Format, d CalibrationPlotData) error {
	return writePlot(w, format, d.Drawing)
}

// Drawing is the plot, to be written in any form.
func (d CalibrationPlotData) Drawing() (*Drawing, error) {
	if len(d.Curve) == 0 {
		return nil, errors.New("reports: plot: no thresholds to draw")
	}
	p := newPlot(FrontPlotData{Title: d.Title, LatencyLabel: "extra characters a suggestion (AEC)", QualityLabel: "characters saved (%)"})
	legend := newLegend()
	xy := func(p CalibrationPoint) plotter.XY { return plotter.XY{X: p.AEC, Y: 100 * p.Saving} }
	xys := make(plotter.XYs, len(d.Curve))
	for i, pt := range d.Curve {
		xys[i] = xy(pt)
	}
	line, err := plotter.NewLine(xys)
	if err != nil {
		return nil, fmt.Errorf("reports: plot: %w", err)
	}
	line.LineStyle = draw.LineStyle{Color: seriesColours[0], Width: vg.Points(1.6)}
	p.Add(line)
	legend.Add("show thresholds, from high to low", line)
	marks := []struct {
		name  string
		point *CalibrationPoint
		style draw.GlyphStyle
	}{
		{"chosen", &d.Chosen, draw.GlyphStyle{Color: vermilion, Radius: vg.Points(4), Shape: diamond{}}},
		{"baseline", d.Baseline, draw.GlyphStyle{Color: seriesColours[0], Radius: vg.Points(4), Shape: ring{}}},
	}
	for _, m := range marks {
		if m.point == nil {
			continue
		}
		mark, err := plotter.NewScatter(plotter.XYs{xy(*m.point)})
		if err != nil {
			return nil, fmt.Errorf("reports: plot: %w", err)
		}
		mark.GlyphStyle = m.style
		p.Add(mark)
		legend.Add(m.name, mark)
	}
	margin(p)
	return newDrawing(p, legend), nil
}
