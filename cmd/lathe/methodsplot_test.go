package main

import (
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// methodColors are those of Okabe and Ito 2008, which the colour-blind tell apart too.
var methodColors = []color.RGBA{
	{153, 153, 153, 255}, {0, 0, 0, 255}, {204, 121, 167, 255}, {213, 94, 0, 255},
	{230, 159, 0, 255}, {86, 180, 233, 255}, {0, 114, 178, 255}, {0, 158, 115, 255},
}

// plotMethods draws medians, and a band of the middle half of the seeds, against the
// number of measurements. What is missing of the exact hypervolume is to scale by its
// logarithm, or else half of the methods would be one line at the top.
func plotMethods(path string, scores []score) error {
	p := plot.New()
	p.X.Label.Text = "measurements, each with 2 % of noise"
	p.Y.Label.Text = "of the exact front's hypervolume"
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = plot.ConstantTicks(countTicks())
	p.Y.Tick.Marker = plot.ConstantTicks(shareTicks())
	p.Legend.Top, p.Legend.XOffs, p.Legend.YOffs = true, -vg.Millimeter*2, -vg.Millimeter*2
	p.Add(plotter.NewGrid())
	shapes := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.PyramidGlyph{}}
	for k, s := range scores {
		var line, band plotter.XYs
		for i, v := range s.share {
			line = append(line, plotter.XY{X: float64(allCounts[i]), Y: nines(median(v))})
			band = append(band, plotter.XY{X: float64(allCounts[i]), Y: nines(quantile(v, 0.25))})
		}
		for i := len(s.share) - 1; i >= 0; i-- {
			band = append(band, plotter.XY{X: float64(allCounts[i]), Y: nines(quantile(s.share[i], 0.75))})
		}
		area, err := plotter.NewPolygon(band)
		if err != nil {
			return err
		}
		c := methodColors[k%len(methodColors)]
		area.Color, area.LineStyle.Width = color.NRGBA{c.R, c.G, c.B, 40}, 0
		lines, points, err := plotter.NewLinePoints(line)
		if err != nil {
			return err
		}
		lines.Color, points.Color, lines.Width, points.Shape = c, c, vg.Points(1.2), shapes[k%len(shapes)]
		p.Add(area, lines, points)
		p.Legend.Add(s.name, lines, points)
	}
	p.X.Min, p.X.Max = float64(allCounts[0])*0.95, 3000 // room for the legend
	p.Y.Min, p.Y.Max = nines(0.70), nines(0.9993)
	return p.Save(18*vg.Centimeter, 12*vg.Centimeter, path)
}

// nines is how many of them a share begins with: 1 of 0.9, 2 of 0.99.
func nines(share float64) float64 { return -math.Log10(1 - share) }

func countTicks() (ticks []plot.Tick) {
	for _, n := range allCounts {
		ticks = append(ticks, plot.Tick{Value: float64(n), Label: strconv.Itoa(n)})
	}
	return ticks
}

func shareTicks() (ticks []plot.Tick) {
	for _, label := range []string{"70", "80", "90", "95", "98", "99", "99.5", "99.8", "99.9"} {
		v, _ := strconv.ParseFloat(label, 64)
		ticks = append(ticks, plot.Tick{Value: nines(v / 100), Label: label + " %"})
	}
	return ticks
}
