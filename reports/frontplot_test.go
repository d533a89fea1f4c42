package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search/pareto"

	"pgregory.net/rapid"
)

// evolution is a search over the paper's sizes that gets better by iteration.
func evolution(iterations int) FrontPlotData {
	rng := rand.New(rand.NewPCG(3, 5))
	latency := func(l, d, f int) float64 {
		return (float64(l*(4*d*d+2*d*f)) + 50257*float64(d) + 1.2e6*float64(l)) / 2.17e8
	}
	at := func(l, d, f, h int) PlotPoint {
		return PlotPoint{Quality: float64(arch.NewSpec(arch.GPT2, l, d, f, h).DecoderParams()) / 1e6, Latency: latency(l, d, f)}
	}
	data := FrontPlotData{Title: "Pareto front by iteration, gpt2, fused fp32, 1 thread"}
	baseline := at(12, 1024, 4096, 16)
	data.Baseline = &baseline
	for i := range iterations {
		for range 25 {
			spread := 64 * max(1, 14-i)
			f := 4096 + 64*rng.IntN(60)
			d := max(512, 1536-f/8-spread+64*rng.IntN(2*spread/64+1))
			if l := int(130e6+rng.Float64()*50e6) / (4*d*d + 2*d*f); l >= 6 && l <= 18 {
				if p := at(l, d, f, 8); p.Quality >= 120 && p.Quality <= 180 {
					data.Evaluated = append(data.Evaluated, p)
				}
			}
		}
		var points []pareto.Point
		for k, e := range data.Evaluated {
			points = append(points, pareto.Point{ID: k, X: e.Latency, Y: e.Quality})
		}
		line := FrontLine{Iteration: i + 1}
		for _, p := range (pareto.Plane{Y: pareto.Maximise}).Front(points) {
			line.Points = append(line.Points, data.Evaluated[p.ID])
			if i == iterations-1 && p.Y >= baseline.Quality && data.Pick == nil {
				pick := data.Evaluated[p.ID]
				data.Pick, data.PickName = &pick, "pick"
			}
		}
		data.Iterations = append(data.Iterations, line)
	}
	return data
}

var plots = flag.String("plots", "", "keep the plots in this `folder`, to be looked at")

func keep(t *testing.T, name string, data []byte) {
	if *plots != "" {
		if err := os.WriteFile(filepath.Join(*plots, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFrontPlot(t *testing.T) {
	for name, data := range map[string]FrontPlotData{
		"ten": evolution(10), "forty": evolution(40), "one": evolution(1), "many": crowded(),
		"point": {Iterations: []FrontLine{{Iteration: 1, Points: []PlotPoint{{Quality: 150e6, Latency: 0.8}}}}},
	} {
		var svg, again, raster bytes.Buffer
		if err := FrontPlot(&svg, SVG, data); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := FrontPlot(&again, SVG, data); err != nil || !bytes.Equal(svg.Bytes(), again.Bytes()) {
			t.Errorf("%s: drawn twice, the plot differs (%v)", name, err)
		}
		keep(t, name+".svg", svg.Bytes())
		dec := xml.NewDecoder(bytes.NewReader(svg.Bytes()))
		var text strings.Builder
		for {
			token, err := dec.Token()
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: not XML: %v", name, err)
			}
			if chars, ok := token.(xml.CharData); ok {
				text.Write(chars)
			}
		}
		want := []string{"decoder parameters (millions)", "latency relative to the baseline"}
		switch name {
		case "ten":
			want = append(want, "iteration 1", "iteration 9", "iteration 10 (final)", "baseline", "pick", "evaluated")
		case "forty":
			want = append(want, "iteration 1", "iteration 40 (final)")
		}
		for _, w := range want {
			if !strings.Contains(text.String(), w) {
				t.Errorf("%s: %q is not in the plot", name, w)
			}
		}
		if err := FrontPlot(&raster, PNG, data); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		keep(t, name+".png", raster.Bytes())
		img, err := png.Decode(&raster)
		if err != nil || img.Bounds().Dx() < 1000 {
			t.Errorf("%s: %v, %v", name, img.Bounds(), err)
		}
		if svg.Len() > 4<<20 {
			t.Errorf("%s: SVG of %d bytes", name, svg.Len())
		}
	}
}

// crowded has as many evaluated points as the paper's space.
func crowded() FrontPlotData {
	data := evolution(5)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20760 {
		data.Evaluated = append(data.Evaluated, PlotPoint{Quality: 120e6 + 60e6*rng.Float64(), Latency: 0.8 + 0.6*rng.Float64()})
	}
	data.Evaluated = append(data.Evaluated, PlotPoint{Quality: math.NaN(), Latency: 1}, PlotPoint{Quality: 1, Latency: math.Inf(1)})
	return data
}

type fullDisk struct{}

var errFull = errors.New("no space left on device")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestFrontPlotErrors(t *testing.T) {
	var out bytes.Buffer
	if err := FrontPlot(&out, "pdf", evolution(2)); err == nil || err.Error() != `reports: plot format "pdf": want svg or png` {
		t.Error(err)
	}
	if err := FrontPlot(&out, SVG, FrontPlotData{Iterations: []FrontLine{{Iteration: 1}}}); err == nil {
		t.Error("a plot without a front should be an error")
	}
	bad := evolution(2)
	bad.Baseline = &PlotPoint{Quality: math.NaN(), Latency: 1}
	if err := FrontPlot(&out, SVG, bad); err == nil {
		t.Error("a baseline that is no number should be an error")
	}
	if out.Len() != 0 {
		t.Error("a plot that failed was written")
	}
	for _, f := range []Format{SVG, PNG} {
		if err := FrontPlot(fullDisk{}, f, evolution(2)); !errors.Is(err, errFull) {
			t.Errorf("%s on a full disk: %v", f, err)
		}
	}
}

func TestRoundTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0.74, 1.22, "0.8 0.9 1.0 1.1 1.2"},
		{117, 183, "120 130 140 150 160 170 180"},
		{0.9, 1.01, "0.90 0.92 0.94 0.96 0.98 1.00"},
		{-1, 1, "-1.0 -0.5 0.0 0.5 1.0"},
		{5, 5, "5"},
	} {
		var labels []string
		for _, tick := range (roundTicks{}).Ticks(c.low, c.high) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%v to %v: %s, want %s", c.low, c.high, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(-1e6, 1e6).Draw(t, "low")
		high := low + rapid.Float64Range(1e-3, 1e6).Draw(t, "width")
		ticks := (roundTicks{}).Ticks(low, high)
		if len(ticks) < 3 || len(ticks) > 12 {
			t.Fatalf("%v to %v has %d ticks", low, high, len(ticks))
		}
	})
}
