package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestFitTable(t *testing.T) {
	nan := math.NaN()
	rows := []FitRow{
		{"PL", 24, 0.0213, 0.061, 0.9, 1, 0.991, 0.917},
		{"TL", 24, 0.024, 0.1123, 0.8, 23. / 24, 0.987, 0.875},
		{"TL by decoder_params alone", 3, 0.03, 0.05, 1, 1, nan, nan},
		{"TL: the measurement itself", 3, 0.005, nan, nan, nan, nan, nan},
	}
	both(t, "fit.golden", func(w *bytes.Buffer, s Style) error { return FitTable(w, s, "", rows) })
	both(t, "fit-held-out.golden", func(w *bytes.Buffer, s Style) error { return FitTable(w, s, "never fitted", rows[:1]) })
}

// fitted is two targets, one with candidates that were held out of everything.
func fitted() FitPlotData {
	rng := rand.New(rand.NewPCG(1, 2))
	points := func(n int, sd float64) (out []FitPoint) {
		for range n {
			m := 0.7 + 0.6*rng.Float64()
			out = append(out, FitPoint{Measured: m, Predicted: m * math.Exp(sd*rng.NormFloat64())})
		}
		return out
	}
	return FitPlotData{Title: "Latency model, fused int4, 1 thread", Series: []FitSeries{
		{"PL, cross-validated", points(30, 0.02), false}, {"PL, never fitted", points(66, 0.03), true},
		{"TL, cross-validated", points(30, 0.01), false}, {"TL, never fitted", points(66, 0.01), true},
	}}
}

func TestFitPlot(t *testing.T) {
	drawn(t, "fit.png", func(w io.Writer, f Format) error { return FitPlot(w, f, fitted()) },
		"measured latency relative to the baseline", "predicted latency relative", "PL, never fitted (66)", "TL, cross-validated (30)", "+10 %")
}

// drawn checks that a plot is well-formed SVG with all the texts in it, and a PNG, which
// is kept as name where that is asked for.
func drawn(t *testing.T, name string, draw func(io.Writer, Format) error, texts ...string) {
	t.Helper()
	var svg, raster bytes.Buffer
	if err := draw(&svg, SVG); err != nil {
		t.Fatal(err)
	}
	for dec := xml.NewDecoder(bytes.NewReader(svg.Bytes())); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range texts {
		if !strings.Contains(svg.String(), want) {
			t.Errorf("the SVG lacks %q", want)
		}
	}
	if err := draw(&raster, PNG); err != nil {
		t.Fatal(err)
	}
	keep(t, name, raster.Bytes())
	if _, err := png.Decode(&raster); err != nil {
		t.Fatal(err)
	}
}

func TestFitPlotRefuses(t *testing.T) {
	bad := fitted()
	bad.Series[0].Points[3].Measured = math.NaN()
	for name, c := range map[string]struct {
		format Format
		data   FitPlotData
		want   string
	}{
		"format": {"gif", fitted(), `plot format "gif"`},
		"empty":  {SVG, FitPlotData{Series: []FitSeries{{Name: "PL"}}}, "no points"},
		"nan":    {SVG, bad, "PL, cross-validated: point 3 is NaN"},
	} {
		if err := FitPlot(io.Discard, c.format, c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	one := FitPlotData{Series: []FitSeries{{Name: "PL", Points: []FitPoint{{Measured: 1, Predicted: 1}}}}}
	if err := FitPlot(io.Discard, PNG, one); err != nil {
		t.Error(err)
	}
}
