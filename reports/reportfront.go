package reports

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// frontPlots is the front of the report's search.
func (r *Report) frontPlots() ([]Plot, error) {
	f := r.Front
	if f == nil {
		return nil, nil
	}
	data := f.plotData()
	line := FrontLine{Iteration: 1, Name: "front"}
	for _, c := range f.Points {
		if p, ok := f.point(c); ok && !sameCandidate(f.Pick, c) {
			line.Points = append(line.Points, p)
		} else if ok {
			p.Detail = "" // the pick's own mark says it
			line.Points = append(line.Points, p)
		}
	}
	if len(line.Points) == 0 {
		return nil, nil
	}
	data.Title, data.Iterations = "Pareto front", []FrontLine{line}
	for _, v := range f.Variants {
		if p, ok := f.point(v); ok && !sameCandidate(f.Pick, v) {
			data.Variants = append(data.Variants, p)
		}
	}
	return plotOf("front", "front", data.Title, f.alt(), data.Drawing)
}

// plotData is what the front's plots have in common.
func (f *ReportFront) plotData() FrontPlotData {
	data := FrontPlotData{QualityLabel: f.qualityLabel(), LowerBetter: !f.HigherBetter}
	for _, e := range f.Evaluated {
		if q := e.Quality / f.unit(); finite(q, e.Latency) && e.Latency > 0 {
			data.Evaluated = append(data.Evaluated, PlotPoint{Quality: q, Latency: e.Latency})
		}
	}
	for _, m := range []struct {
		what string
		of   *ReportCandidate
		to   **PlotPoint
	}{{"Baseline", f.Baseline, &data.Baseline}, {"Pick", f.Pick, &data.Pick}} {
		if m.of == nil {
			continue
		}
		if p, ok := f.point(*m.of); ok {
			p.Detail = m.what + ": " + p.Detail
			*m.to = &p
		}
	}
	return data
}

func (f *ReportFront) unit() float64 {
	if finite(f.QualityUnit) && f.QualityUnit > 0 {
		return f.QualityUnit
	}
	return 1
}

// point is where a candidate is in the plane of quality and latency.
func (f *ReportFront) point(c ReportCandidate) (PlotPoint, bool) {
	p := PlotPoint{Quality: c.Quality / f.unit()}
	if c.Latency.Value == nil || !finite(p.Quality, *c.Latency.Value) || *c.Latency.Value <= 0 {
		return p, false
	}
	p.Latency = *c.Latency.Value
	if ci, ok := known(c.Latency.CI); ok && finite(ci.Low, ci.High) && ci.Low > 0 && ci.High >= ci.Low {
		p.Low, p.High = ci.Low, ci.High
	}
	p.Detail = f.detail(c)
	return p, true
}

// detail says what a candidate is and what is known of it.
func (f *ReportFront) detail(c ReportCandidate) string {
	latency := ""
	if c.Latency.Value != nil {
		latency = "latency " + ratioWithInterval(c.Latency) + " of the baseline's"
		if c.Source != "" {
			latency += ", " + c.Source
		}
	}
	quality := f.qualityLabel() + " " + fourDigits(c.Quality/f.unit())
	if strings.HasPrefix(quality, "decoder parameters") {
		quality = "" // said already
	}
	params := ""
	if c.DecoderParams > 0 {
		params = millions(c.DecoderParams) + " decoder parameters"
	}
	return joinKnown(c.Name, candidateSizes(c), params, quality, latency)
}

// ratioWithInterval is 0.770 [0.755, 0.785], without brackets where there is no interval.
func ratioWithInterval(m Measure) string {
	if _, ok := known(m.CI); !ok {
		return ratio(*m.Value)
	}
	return m.text(ratio)
}

// candidateSizes are a candidate's, as Table 1 has them.
func candidateSizes(c ReportCandidate) string {
	s := c.Spec
	if len(s.Layers) == 0 {
		return ""
	}
	inner, heads := layerSizes(s)
	return fmt.Sprintf("n_layer %d, d_model %d, d_inner %s, n_head %s", len(s.Layers), s.DModel, inner, heads)
}

func sameCandidate(a *ReportCandidate, b ReportCandidate) bool { return a != nil && a.Name == b.Name }

// alt is what the front's plot shows.
func (f *ReportFront) alt() string {
	out := fmt.Sprintf("Pareto front of %s in a plane of latency and %s.", Count(len(f.Points), "candidate"), f.qualityLabel())
	switch p := f.Pick; {
	case p != nil && p.Latency.Value != nil:
		out += " The pick, " + cmp.Or(p.Name, "unnamed") + ", takes " + ratioWithInterval(p.Latency) + " of the baseline's latency"
		if b := f.Baseline; b != nil && b.DecoderParams > 0 && p.DecoderParams > 0 {
			out += " at " + strconv.FormatFloat(float64(p.DecoderParams)/float64(b.DecoderParams), 'f', 3, 64) + " of its decoder parameters"
		}
		out += "."
	case f.PickReason != "":
		out += " There is no pick: " + strings.TrimSuffix(f.PickReason, ".") + "."
	}
	return out
}
