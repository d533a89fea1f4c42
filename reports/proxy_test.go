package reports

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"lathe/profiler/stat"
)

func TestProxyTable(t *testing.T) {
	iv := func(v, low, high float64) ProxyFigure { return ProxyFigure{v, stat.Interval{Low: low, High: high}} }
	gain, coverage := iv(0.01, -0.002, 0.02), 0.93
	rows := []ProxyRow{
		{Name: "decoder_params", Spearman: iv(0.98, 0.96, 0.99), KendallTau: iv(0.9, 0.87, 0.93), Top: iv(0.94, 0.9, 1)},
		{Name: "fitted", Spearman: iv(0.99, 0.98, 0.994), Gain: &gain, KendallTau: iv(0.93, 0.91, 0.95), Top: ProxyFigure{0.94, stat.Everything()}, Coverage: &coverage},
		{Name: "total_params", Spearman: ProxyFigure{math.NaN(), stat.Everything()}, KendallTau: ProxyFigure{math.NaN(), stat.Everything()}, Top: iv(0.1, 0, 0.2)},
	}
	var out bytes.Buffer
	if err := ProxyTable(&out, Text, "On 120 architectures.", rows); err != nil {
		t.Fatal(err)
	}
	want := strings.TrimPrefix(`
proxy           Spearman              over decoder_params      Kendall tau-b         of the best 10 %, %  in interval
---------------------------------------------------------------------------------------------------------------------
decoder_params  0.980 [0.960, 0.990]                        -  0.900 [0.870, 0.930]         94 [90, 100]            -
fitted          0.990 [0.980, 0.994]  +0.010 [-0.002, +0.020]  0.930 [0.910, 0.950]                   94       93.0 %
total_params                       -                        -                     -           10 [0, 20]            -

On 120 architectures.
`, "\n")
	normal := func(s string) string {
		var lines []string
		for l := range strings.Lines(s) {
			if !strings.HasPrefix(l, "---") {
				lines = append(lines, strings.Join(strings.Fields(l), " "))
			}
		}
		return strings.Join(lines, "\n")
	}
	if normal(out.String()) != normal(want) {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	if err := ProxyTable(io.Discard, Text, "", nil); err == nil {
		t.Error("a table of nothing")
	}
}

func trained() ProxyPlotData {
	rng := rand.New(rand.NewPCG(1, 2))
	d := ProxyPlotData{Title: "decoder_params on a table", ScoreLabel: "decoder_params", QualityLabel: "ppl", LogScore: true, LogValue: true}
	for range 60 {
		n := math.Exp(14 + 4*rng.Float64())
		ppl := 900 * math.Pow(n, -0.18) * math.Exp(0.02*rng.NormFloat64())
		d.Points = append(d.Points, ProxyPoint{Score: n, Quality: ppl, Best: ppl < 38})
	}
	return d
}

func TestProxyPlot(t *testing.T) {
	drawn(t, "proxy.png", func(w io.Writer, f Format) error { return ProxyPlot(w, f, trained()) },
		"decoder_params on a table", ">ppl<", ">5M<", ">50<", "best tenth (")
}

func TestProxyPlotRefuses(t *testing.T) {
	nan, negative := trained(), trained()
	nan.Points[3].Quality = math.NaN()
	negative.Points[5].Score = -1
	for name, c := range map[string]struct {
		format Format
		data   ProxyPlotData
		want   string
	}{
		"format":   {"gif", trained(), `plot format "gif"`},
		"empty":    {SVG, ProxyPlotData{}, "no points"},
		"nan":      {SVG, nan, "point 3 has a score of"},
		"negative": {SVG, negative, "point 5 has a score of -1"},
	} {
		if err := ProxyPlot(io.Discard, c.format, c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	negative.LogScore = false
	one := ProxyPlotData{Points: []ProxyPoint{{Score: 1, Quality: 1, Best: true}}, LogScore: true}
	for _, d := range []ProxyPlotData{negative, one} {
		if err := ProxyPlot(io.Discard, PNG, d); err != nil {
			t.Error(err)
		}
	}
}
