package reports

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ProxyPoint is a trained architecture.
type ProxyPoint struct {
	Score   float64 `json:"score"`
	Quality float64 `json:"quality"`
	Best    bool    `json:"best"` // among the best by quality
	Name    string  `json:"candidate,omitempty"`
	Detail  string  `json:"-"` // what a page says of it; "": nothing
}

// ProxyPlotData is what ProxyPlot draws.
type ProxyPlotData struct {
	Title              string
	ScoreLabel         string // "decoder_params"
	QualityLabel       string // "ppl, held out"
	LogScore, LogValue bool   // axes in logarithms; everything on them must be positive
	Points             []ProxyPoint
}

// ProxyPlot draws the quality of trained architectures against what a proxy scored
// them, the best of them filled.
func ProxyPlot(w io.Writer, format Format, d ProxyPlotData) error {
	return writePlot(w, format, d.Drawing)
}

// Drawing is the plot, to be written in any form.
func (d ProxyPlotData) Drawing() (*Drawing, error) {
	if len(d.Points) == 0 {
		return nil, fmt.Errorf("reports: plot: no points to draw")
	}
	p := newPlot(FrontPlotData{Title: d.Title, LatencyLabel: d.ScoreLabel})
	p.Y.Label.Text = d.QualityLabel
	legend := newLegend()
	var parts [2]plotter.XYs // the others, the best
	for i, pt := range d.Points {
		for _, v := range []struct {
			log   bool
			value float64
		}{{d.LogScore, pt.Score}, {d.LogValue, pt.Quality}} {
			if math.IsNaN(v.value) || math.IsInf(v.value, 0) || v.log && !(v.value > 0) {
				return nil, fmt.Errorf("reports: plot: point %d has a score of %v and a quality of %v: want numbers, positive on a logarithmic axis", i, pt.Score, pt.Quality)
			}
		}
		k := 0
		if pt.Best {
			k = 1
		}
		parts[k] = append(parts[k], plotter.XY{X: pt.Score, Y: pt.Quality})
	}
	for k, style := range []struct {
		name  string
		glyph draw.GlyphStyle
	}{
		{"trained", draw.GlyphStyle{Color: seriesColours[0], Radius: vg.Points(2.6), Shape: draw.RingGlyph{}}},
		{"best tenth", draw.GlyphStyle{Color: vermilion, Radius: vg.Points(2.8), Shape: draw.CircleGlyph{}}},
	} {
		if len(parts[k]) == 0 {
			continue
		}
		s, err := plotter.NewScatter(parts[k])
		if err != nil {
			return nil, fmt.Errorf("reports: plot: %s: %w", style.name, err)
		}
		s.GlyphStyle = style.glyph
		p.Add(s)
		legend.Add(fmt.Sprintf("%s (%d)", style.name, len(parts[k])), s)
	}
	widen(&p.X, d.LogScore)
	widen(&p.Y, d.LogValue)
	drawing := newDrawing(p, legend)
	for _, pt := range d.Points {
		drawing.say(pt.Score, pt.Quality, pt.Detail)
	}
	return drawing, nil
}

// widen puts a margin at both ends of an axis, and makes it logarithmic where asked.
func widen(a *plot.Axis, log bool) {
	if !log {
		pad := 0.05 * (a.Max - a.Min)
		if pad == 0 {
			pad = 0.05 * math.Max(math.Abs(a.Max), 1e-3)
		}
		a.Min, a.Max = a.Min-pad, a.Max+pad
		return
	}
	factor := math.Max(math.Pow(a.Max/a.Min, 0.05), 1.02)
	a.Min, a.Max = a.Min/factor, a.Max*factor
	a.Scale, a.Tick.Marker = plot.LogScale{}, logTicks{}
}

// logTicks puts labels at 1, 2 and 5 times powers of ten, or as roundTicks does where
// less than three of those would be seen.
type logTicks struct{}

// Ticks is of an axis whose ends are positive.
func (logTicks) Ticks(low, high float64) (ticks []plot.Tick) {
	for power := math.Floor(math.Log10(low)); power <= math.Log10(high); power++ {
		for _, lead := range []float64{1, 2, 5} {
			if v := lead * math.Pow(10, power); v >= low && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: siLabel(v)})
			}
		}
	}
	if len(ticks) < 3 {
		return roundTicks{}.Ticks(low, high)
	}
	return ticks
}

// siLabel is 20M for 2e7.
func siLabel(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= unit.size {
			return strconv.FormatFloat(v/unit.size, 'g', 3, 64) + unit.name
		}
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
