package reports

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/nightly"
	"lathe/profiler/record"
	"lathe/profiler/stat"

	"pgregory.net/rapid"
)

func measureOf(v, spread float64) Measure {
	return Measure{Value: &v, CI: &stat.Interval{Low: v * (1 - spread), High: v * (1 + spread)}}
}

// plotted is a report of a project with everything that can be drawn.
func plotted() *Report {
	rng := rand.New(rand.NewPCG(11, 12))
	candidate := func(l, d, f, h int, latency, spread float64) Candidate {
		s := arch.NewSpec(arch.GPT2, l, d, f, h)
		return Candidate{Name: s.Name(), Spec: s, DecoderParams: s.DecoderParams(), TotalParams: s.TotalParams(),
			Quality: float64(s.DecoderParams()), Latency: measureOf(latency, spread), Source: "measured"}
	}
	base := candidate(12, 1024, 4096, 16, 1, 0)
	base.Latency.CI = nil
	front := &Front{Quality: "decoder_params", QualityLabel: "decoder parameters (millions)", QualityUnit: 1e6, HigherBetter: true, Baseline: &base}
	e := evolution(8)
	for _, it := range e.Iterations {
		n := Iteration{Number: it.Iteration, Evaluations: 25 * it.Iteration, Hypervolume: 1 + 0.02*float64(it.Iteration-1)}
		for _, p := range it.Points {
			n.Front = append(n.Front, Dot{p.Quality * 1e6, p.Latency})
		}
		front.Iterations = append(front.Iterations, n)
	}
	for _, p := range e.Evaluated {
		front.Evaluated = append(front.Evaluated, Dot{p.Quality * 1e6, p.Latency})
	}
	for i, it := range e.Iterations[7].Points {
		c := candidate(8+i%9, 1024-32*i, 3000+16*i, 8, it.Latency, 0.004+0.012*rng.Float64())
		c.Quality = it.Quality * 1e6
		if i%3 == 1 {
			c.Source = "predicted"
		}
		front.Points = append(front.Points, c)
	}
	pick := front.Points[len(front.Points)/2]
	front.Pick = &pick
	for _, h := range []int{4, 16, 32} {
		v := pick
		v.Name = fmt.Sprintf("%s with %d heads", v.Name, h)
		v.Latency = measureOf(*pick.Latency.Value*(0.97+float64(h)/400), 0.01)
		front.Variants = append(front.Variants, v)
	}
	r := &Report{Title: "A project", Front: front}
	for _, metric := range []string{record.MetricPL, record.MetricTL, record.MetricP95} {
		d := Distribution{Candidate: pick.Name, Metric: metric, N: 240}
		for i := range 101 {
			share := float64(i) / 100
			at := 20 + 4*math.Tan(1.3*(share-0.3)) // a tail to the right
			if metric == record.MetricP95 {
				at = 3 * math.Exp(4*share*share*share)
			}
			d.Shares, d.Own, d.Baseline = append(d.Shares, share), append(d.Own, 0.78*at), append(d.Baseline, at+2*share)
		}
		r.Distributions = append(r.Distributions, d)
	}
	prefill := Operators{Candidate: pick.Name, Phase: "prefill of 64 tokens", RunMS: 86, DispatchMS: 1.4, Attained: 0.71}
	names := []string{"MatMulNBits", "GroupQueryAttention", "SkipLayerNormalization", "FastGelu", "Gather", "MatMul", "Cast", "Add", "Reshape", "Concat", "Slice", "Shape", "Unsqueeze",
		"com.microsoft.a_very_long_name_of_a_custom_operator_that_no_plot_has_room_for"}
	for i, n := range names {
		share := 0.6 / math.Pow(2, float64(i))
		prefill.ByOperator = append(prefill.ByOperator, OperatorTime{Name: n, Kernels: float64(12 * (i + 1)), MS: share * 86, LimitMS: share * 86 * (0.4 + 0.04*float64(i)), Share: share})
	}
	short := Operators{Candidate: pick.Name, Phase: "a token after 64", RunMS: 9, ByOperator: []OperatorTime{{Name: names[13], MS: 9, Share: 1}}}
	r.Operators = []Operators{prefill, short}
	mape := 0.019
	r.Fits = []Fit{{Build: "fused, int4", Candidates: 96, Points: fitted().Series, Errors: []FitErrors{{Name: "PL", MAPE: &mape}}}}
	rho := 0.94
	r.Proxy = &Proxy{Rows: []ProxyRank{{Name: "decoder_params", Spearman: Measure{Value: &rho}}}}
	plot := ProxyScores{Name: "decoder_params", ScoreLabel: "decoder parameters", QualityLabel: "perplexity of held-out text", LogScore: true, LogValue: true}
	for i := range 60 {
		n := 2e6 * math.Exp(3*rng.Float64())
		plot.Points = append(plot.Points, ProxyPoint{Score: n, Quality: 40 * math.Pow(n/2e6, -0.2) * math.Exp(0.06*rng.NormFloat64()), Best: i%10 == 0, Name: fmt.Sprint("model ", i)})
	}
	r.Proxy.Plots = []ProxyScores{plot}
	r.Nights = &Nights{}
	for _, metric := range []string{record.MetricPL, record.MetricTL} {
		for i := range 40 {
			v := 0.8 * math.Exp(0.006*rng.NormFloat64())
			row := nightly.Row{Seq: int64(i + 1), Time: time.Date(2025, 1, 1+i, 3, 0, 0, 0, time.UTC), Thing: "bundles/deployed", Metric: metric, Sessions: 4, Verdict: nightly.Same, Reference: i == 0}
			if i >= 25 && metric == record.MetricTL {
				v *= 1.04
			}
			if i == 25 && metric == record.MetricTL {
				row.Change, row.LevelBefore, row.Verdict = 1.04, 0.8, nightly.Slower
			}
			if row.Level = 0.8; i >= 25 && metric == record.MetricTL {
				row.Level = 0.832
			}
			row.Ratio, row.Low, row.High = v, 0.985*v, 1.015*v
			r.Nights.Rows = append(r.Nights.Rows, row)
		}
	}
	r.Measurements = measurements(150)
	return r
}

// measurements are of many candidates, some of which failed.
func measurements(n int) *Measurements {
	rng := rand.New(rand.NewPCG(4, 2))
	m := &Measurements{Records: n}
	for i := range n {
		c := Measured{Candidate: fmt.Sprint("candidate ", i), DecoderParams: int64(90e6 + 90e6*rng.Float64()), Pairs: 60}
		pl := float64(c.DecoderParams) / 151e6 * math.Exp(0.15*rng.NormFloat64())
		tl := (0.3 + 0.7*float64(c.DecoderParams)/151e6) * math.Exp(0.1*rng.NormFloat64())
		if c.PL, c.TL = &pl, &tl; i%50 == 7 {
			c.PL, c.TL, c.Failure = nil, nil, "no memory"
		}
		m.Candidates = append(m.Candidates, c)
	}
	return m
}

func TestReportPlots(t *testing.T) {
	r := plotted()
	before, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	all, err := r.Plots()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var body strings.Builder
	for _, p := range all {
		got = append(got, p.Part+" "+p.Name)
		out := inline(t, p.Drawing, "plot-"+p.Name, p.Alt)
		checkInline(t, p.Name, out)
		fmt.Fprintf(&body, "<h2>%s</h2><p>%s</p>\n%s", html.EscapeString(p.Title), html.EscapeString(p.Alt), out)
		keep(t, "plot-"+p.Name+".html", page(fmt.Sprintf("<h2>%s</h2>%s", html.EscapeString(p.Title), out)))
		if bytes.Count(out, []byte(`class="mark"`)) < 2 {
			t.Errorf("%s: %d marks: want one at least in each width", p.Name, bytes.Count(out, []byte(`class="mark"`))/2)
		}
		if !strings.HasSuffix(p.Alt, ".") || p.Title == "" {
			t.Errorf("%s: title %q, alt %q", p.Name, p.Title, p.Alt)
		}
		var svg, raster bytes.Buffer
		if err := p.Drawing.Write(&svg, SVG); err != nil {
			t.Fatal(err)
		}
		elements(t, svg.Bytes())
		if err := p.Drawing.Write(&raster, PNG); err != nil {
			t.Fatal(err)
		}
		keep(t, "plot-"+p.Name+".png", raster.Bytes())
		if _, err := png.Decode(&raster); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	keep(t, "plots.html", page(body.String()))
	want := "front front, progress progress, shapes shapes, latency latency-pl-1, latency latency-tl-1, latency latency-latency_char_p95-1, " +
		"operators operators-1, operators operators-2, fit fit-1, proxy proxy-1, nights nights-1, nights nights-2, measured measured"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("the plots are\n%s, want\n%s", s, want)
	}
	if after, _ := json.Marshal(r); !bytes.Equal(before, after) {
		t.Error("drawing changed the report")
	}
	if none, err := new(Report).Plots(); len(none) != 0 || err != nil {
		t.Errorf("an empty report has %d plots, %v", len(none), err)
	}
}

// What a mark says is what the report says, rounded as in tables.
func TestPlotDetails(t *testing.T) {
	all, err := plotted().Plots()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for _, p := range all {
		fmt.Fprintf(&said, "%s: %s\n", p.Name, p.Alt)
		for i, s := range p.Drawing.spots {
			if n := len(p.Drawing.spots); i < 2 || i >= n-2 {
				fmt.Fprintf(&said, "\t%s\n", s.detail)
			}
		}
	}
	golden(t, "plot-details.golden", []byte(said.String()))
}

// Whatever numbers and names a report has, its plots can be drawn.
func TestReportPlotsOfAnything(t *testing.T) {
	number := rapid.OneOf(rapid.Float64Range(0.5, 2), rapid.SampledFrom([]float64{0, -1, 1, 1e-300, 1e300, math.NaN(), math.Inf(1), math.Inf(-1), 5e-324}))
	name := rapid.SampledFrom([]string{"", "a", "<script>", "\x00\x1b[0m", "a\nb", "\"'&", strings.Repeat("long ", 60), "\xff\xfe", "\u202eabc", "日本語"})
	rapid.Check(t, func(t *rapid.T) {
		f := func() float64 { return number.Draw(t, "number") }
		s := func() string { return name.Draw(t, "name") }
		m := func() Measure { v := f(); return Measure{&v, &stat.Interval{Low: f(), High: f()}} }
		n := func() int { return rapid.IntRange(0, 3).Draw(t, "n") }
		c := func() Candidate {
			return Candidate{Name: s(), Spec: arch.NewSpec(arch.GPT2, n(), 64*n(), 64*n(), 1), DecoderParams: int64(n()), Quality: f(), Latency: m(), Source: s()}
		}
		floats := func() (out []float64) {
			for range n() {
				out = append(out, f())
			}
			if n() > 1 {
				slices.SortFunc(out, cmp.Compare[float64])
			}
			return out
		}
		base, pick := c(), c()
		r := &Report{Front: &Front{QualityLabel: s(), QualityUnit: f(), HigherBetter: n() > 1, Baseline: &base, Pick: &pick, PickReason: s()}}
		for range n() {
			r.Front.Points, r.Front.Variants = append(r.Front.Points, c()), append(r.Front.Variants, c())
			r.Front.Evaluated = append(r.Front.Evaluated, Dot{f(), f()})
			r.Front.Iterations = append(r.Front.Iterations, Iteration{Number: n(), Hypervolume: f(), Front: []Dot{{f(), f()}, {f(), f()}}})
			r.Distributions = append(r.Distributions, Distribution{Candidate: s(), Metric: s(), Shares: floats(), Own: floats(), Baseline: floats()})
			r.Operators = append(r.Operators, Operators{Candidate: s(), Phase: s(), RunMS: f(), DispatchMS: f(), ByOperator: []OperatorTime{{s(), f(), f(), f(), f()}, {s(), f(), f(), f(), f()}}})
			r.Fits = append(r.Fits, Fit{Build: s(), Points: []FitSeries{{Name: s(), Hollow: n() > 1, Points: []FitPoint{{Measured: f(), Predicted: f(), Name: s()}}}}})
		}
		r.Proxy = &Proxy{Plots: []ProxyScores{{Name: s(), LogScore: n() > 1, LogValue: n() > 1, Points: []ProxyPoint{{Score: f(), Quality: f()}, {Score: f(), Quality: f()}}}}}
		r.Nights, r.Measurements = &Nights{}, &Measurements{}
		for range n() {
			pl, tl := f(), f()
			r.Nights.Rows = append(r.Nights.Rows, nightly.Row{Seq: int64(n()), Thing: s(), Metric: s(), Ratio: f(), Low: f(), High: f(), Change: f(), Level: f(), LevelBefore: f()})
			r.Measurements.Candidates = append(r.Measurements.Candidates, Measured{Candidate: s(), DecoderParams: int64(n()), PL: &pl, TL: &tl})
		}
		all, err := r.Plots()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if strings.Trim(p.Name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
				t.Fatalf("%q is no name of a file", p.Name)
			}
			var out bytes.Buffer
			if err := p.Drawing.Inline(&out, "x", p.Alt); err != nil {
				t.Fatalf("%s: %v", p.Name, err)
			}
			if s := out.String(); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") || strings.Contains(s, "<script") {
				t.Fatalf("%s: a name or a place is in the drawing as it is:\n%s", p.Name, s)
			}
			if err := p.Drawing.Write(io.Discard, SVG); err != nil {
				t.Fatalf("%s: %v", p.Name, err)
			}
		}
	})
}

// BenchmarkMeasuredPlot is 10,000 measured candidates in every form.
func BenchmarkMeasuredPlot(b *testing.B) {
	r := &Report{Measurements: measurements(10000)}
	for name, form := range map[string]func(*Drawing) error{
		"svg":    func(d *Drawing) error { return d.Write(io.Discard, SVG) },
		"png":    func(d *Drawing) error { return d.Write(io.Discard, PNG) },
		"inline": func(d *Drawing) error { return d.Inline(io.Discard, "x", "y") },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				all, err := r.Plots()
				if err != nil || len(all) != 1 {
					b.Fatal(len(all), err)
				}
				if err := form(all[0].Drawing); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
