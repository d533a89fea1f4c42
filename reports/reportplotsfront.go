package reports

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"lathe/graphgen/arch"
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
func (f *Front) plotData() FrontPlotData {
	data := FrontPlotData{QualityLabel: f.qualityLabel(), LowerBetter: !f.HigherBetter}
	for _, e := range f.Evaluated {
		if q := e.Quality / f.unit(); finite(q, e.Latency) && e.Latency > 0 {
			data.Evaluated = append(data.Evaluated, PlotPoint{Quality: q, Latency: e.Latency})
		}
	}
	for _, m := range []struct {
		what string
		of   *Candidate
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

func (f *Front) unit() float64 {
	if finite(f.QualityUnit) && f.QualityUnit > 0 {
		return f.QualityUnit
	}
	return 1
}

// point is where a candidate is in the plane of quality and latency.
func (f *Front) point(c Candidate) (PlotPoint, bool) {
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
func (f *Front) detail(c Candidate) string {
	latency := ""
	if c.Latency.Value != nil && finite(*c.Latency.Value) && !sameCandidate(f.Baseline, c) {
		latency = "latency " + ratioWithInterval(c.Latency) + " of the baseline's"
		if c.Source != "" {
			latency += ", " + c.Source
		}
	}
	quality := ""
	if q := c.Quality / f.unit(); finite(q) && !strings.HasPrefix(f.qualityLabel(), "decoder parameters") { // which are said already
		quality = f.qualityLabel() + " " + fourDigits(q)
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
func candidateSizes(c Candidate) string {
	s := c.Spec
	if len(s.Layers) == 0 {
		return ""
	}
	inner, heads := layerSizes(s)
	return fmt.Sprintf("n_layer %d, d_model %d, d_inner %s, n_head %s", len(s.Layers), s.DModel, inner, heads)
}

func sameCandidate(a *Candidate, b Candidate) bool { return a != nil && a.Name == b.Name }

// alt is what the front's plot shows.
func (f *Front) alt() string {
	out := fmt.Sprintf("Pareto front of %s by latency and %s.", Count(len(f.Points), "candidate"), f.qualityLabel())
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

// qualityLabel is what a front's quality is called in words.
func (f *Front) qualityLabel() string {
	return cmp.Or(Plain(f.QualityLabel), Plain(f.Quality), "quality")
}

// qualityName is its label beside values that are not divided by the axis's unit.
func (f *Front) qualityName() string {
	if f.QualityUnit == 1e6 {
		return strings.TrimSuffix(f.qualityLabel(), " (millions)")
	}
	return f.qualityLabel()
}

// progressPlots is the front after each iteration: Figure 1 of the paper.
func (r *Report) progressPlots() ([]Plot, error) {
	f := r.Front
	if f == nil {
		return nil, nil
	}
	data := f.plotData()
	data.Title = "Pareto front by iteration"
	var last Iteration
	for _, it := range f.Iterations {
		line := FrontLine{Iteration: it.Number}
		for _, d := range it.Front {
			if p := (PlotPoint{Quality: d.Quality / f.unit(), Latency: d.Latency}); finite(p.Quality, p.Latency) && p.Latency > 0 {
				line.Points = append(line.Points, p)
			}
		}
		if len(line.Points) == 0 {
			continue
		}
		middle := &line.Points[len(line.Points)/2]
		middle.Detail = joinKnown(fmt.Sprintf("iteration %d", it.Number), Count(it.Evaluations, "candidate")+" evaluated so far",
			Count(len(line.Points), "candidate")+" on the front", hypervolume(it))
		data.Iterations, last = append(data.Iterations, line), it
	}
	if len(data.Iterations) < 2 {
		return nil, nil // the front's plot shows as much
	}
	alt := fmt.Sprintf("Pareto fronts after each of %s, from the first to the last.", Count(len(data.Iterations), "iteration"))
	if h := hypervolume(last); h != "" {
		alt += fmt.Sprintf(" The last, after %s, has a %s.", Count(last.Evaluations, "evaluation"), h)
	}
	return plotOf("progress", "progress", data.Title, alt, data.Drawing)
}

func hypervolume(it Iteration) string {
	if !finite(it.Hypervolume) || it.Hypervolume <= 0 {
		return ""
	}
	return "hypervolume of " + ratio(it.Hypervolume) + " times the first iteration's"
}

// PlaneRatio is the d_inner/d_model that the paper found quality to need (section 4.1).
const PlaneRatio = 2

// shapePlots is the sizes of the front's models: Figure 3 of the paper.
func (r *Report) shapePlots() ([]Plot, error) {
	f := r.Front
	if f == nil {
		return nil, nil
	}
	data := ShapePlotData{Title: "Sizes of the front's models", Ratio: PlaneRatio}
	above := 0
	for _, c := range f.Points {
		s, ok := ShapeOf(c.Spec)
		if !ok {
			continue
		}
		s.Mark, s.Detail = sameCandidate(f.Pick, c), f.detail(c)
		if s.Mark {
			s.Detail = "Pick: " + s.Detail
		}
		if s.DInner >= PlaneRatio*s.DModel {
			above++
		}
		data.Shapes = append(data.Shapes, s)
	}
	if len(data.Shapes) == 0 {
		return nil, nil
	}
	alt := fmt.Sprintf("n_layer, d_inner and d_model of %s of the front; %d have a d_inner of at least %d times d_model.",
		Count(len(data.Shapes), "model"), above, PlaneRatio)
	return plotOf("shapes", "shapes", data.Title, alt, data.Drawing)
}

// ShapeOf are a model's sizes; of layers that differ, d_inner is the mean of those that
// have one. It is false where none has.
func ShapeOf(s arch.Spec) (Shape, bool) {
	sum, n := 0, 0
	for _, l := range s.Layers {
		if l.DInner > 0 {
			sum, n = sum+l.DInner, n+1
		}
	}
	if n == 0 || s.DModel <= 0 {
		return Shape{}, false
	}
	return Shape{NLayer: float64(len(s.Layers)), DModel: float64(s.DModel), DInner: float64(sum) / float64(n)}, true
}
