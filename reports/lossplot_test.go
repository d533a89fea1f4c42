package reports

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

// falling is a loss that falls to 1, with a spike.
func falling(n, spike int) []LossPoint {
	points := make([]LossPoint, n)
	for i := range points {
		points[i] = LossPoint{float64(i + 1), 1 + 3*math.Exp(-float64(i)/50) + 0.1*math.Sin(float64(i))}
		if i == spike {
			points[i].Loss = 9
		}
	}
	return points
}

func TestLossPlot(t *testing.T) {
	dev := []LossPoint{{0, 4.2}, {100, 1.5}, {200, 1.25}, {300, 1.3}}
	for _, f := range []Format{SVG, PNG} {
		var out bytes.Buffer
		if err := LossPlot(&out, f, LossPlotData{Title: "gpt2-l2-d64", Train: falling(300, 7), Dev: dev, Best: 200}); err != nil {
			t.Fatal(err)
		}
		for _, words := range []string{"gpt2-l2-d64", "steps", "loss (nats a token)", "running mean", "development set", "taken: step 200, loss 1.250"} {
			if f == SVG && !strings.Contains(out.String(), words) {
				t.Errorf("no %q in the drawing", words)
			}
		}
	}
	for name, d := range map[string]LossPlotData{
		"nothing":     {},
		"not finite":  {Train: []LossPoint{{1, math.NaN()}}},
		"no step yet": {Dev: nil, Train: nil, Best: 3},
	} {
		if err := LossPlot(new(bytes.Buffer), SVG, d); err == nil {
			t.Errorf("%s was drawn", name)
		}
	}
	if err := LossPlot(new(bytes.Buffer), SVG, LossPlotData{Dev: dev[:1]}); err != nil {
		t.Errorf("one point: %v", err)
	}
}

// A long line is drawn with a bounded number of points, and its spikes stay.
func TestThinned(t *testing.T) {
	points := falling(100_000, 31_415)
	out := thinned(points)
	if len(out) > 1200 {
		t.Errorf("%d points", len(out))
	}
	highest := 0.0
	last := 0.0
	for _, p := range out {
		if p.Step <= last {
			t.Fatalf("step %v after %v", p.Step, last)
		}
		last, highest = p.Step, max(highest, p.Loss)
	}
	if highest != 9 {
		t.Errorf("the spike is gone: %v", highest)
	}
}

func TestSmooth(t *testing.T) {
	out := smooth(falling(1000, -1))
	if len(out) != 1000 || math.Abs(out[999].Loss-1) > 0.03 {
		t.Errorf("%d points, the last %v", len(out), out[len(out)-1])
	}
	if smooth(falling(99, -1)) != nil {
		t.Error("99 points need no line beside them")
	}
}
