package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/profiler/stat"
	"lathe/reports"
	"lathe/search"
)

// row is one evaluation as a table shows it.
func (b *frontBody) row(e frontEntry, mark string) reports.FrontRow {
	return reports.FrontRow{
		Others:    b.others(func(i int) float64 { return e.Values[i] }),
		Candidate: e.Candidate, Latency: e.Latency,
		Interval: stat.Interval{Low: e.LatencyCI.Low, High: e.LatencyCI.High},
		PL:       e.PL, TL: e.TL, Source: sources[e.Kind], Mark: mark,
	}
}

// others are the objectives that a table has no column for already.
func (b *frontBody) others(value func(int) float64) (all []reports.Figure) {
	for i, name := range b.Objectives {
		switch name {
		case "decoder_params", "total_params", search.Latency.Name, search.PL.Name, search.TL.Name:
			continue
		}
		f := reports.Figure{Name: name, Value: value(i)}
		switch name {
		case search.WeightBytes.Name, search.BytesPerToken.Name, search.MemoryBytes.Name, trainBytes:
			f.Unit = "B"
		case search.FlopsPerToken.Name, trainFlops:
			f.Unit = "FLOP"
		}
		all = append(all, f)
		if name == search.LogLikelihood.Name {
			all = append(all, reports.Figure{Name: "perplexity", Value: math.Exp(-f.Value)})
		}
	}
	return all
}

// baselineValue is the baseline's in an objective; NaN where it is not known.
func (b *frontBody) baselineValue(i int) float64 {
	name := b.Objectives[i]
	if name == b.Proxy && b.Quality != nil {
		return *b.Quality
	}
	o, err := b.Setup.objective(name, search.DecoderParams{})
	c, own := b.Setup.Baseline.Own()
	switch {
	case err == nil && o.Ratio:
		return 1
	case err == nil && o.Count != nil && own:
		return o.Count(c)
	}
	return math.NaN()
}

// sources are the kinds of evaluations as tables have them.
var sources = map[search.Kind]string{search.Exact: "exact", search.Noisy: "measured", search.Predicted: "predicted"}

// frontRows are how many of a long front are printed: those around the
// baseline's quality and its ends.
const frontRows = 24

// printFrontTable writes at most n rows of a front, with the baseline at its
// place.
func (a *app) printFrontTable(b *frontBody, n int) error {
	base := b.Setup.Baseline
	baseRow := reports.FrontRow{Latency: 1, PL: 1, TL: 1, Mark: "baseline"}
	baseRow.Candidate.Spec, _ = base.Spec()
	if c, own := base.Own(); own {
		baseRow.Candidate = c
	} else {
		baseRow.File = base.Name()
	}
	baseRow.Others = b.others(b.baselineValue)
	quality := math.Inf(-1) // and the last row, where it is not known
	if b.Quality != nil {
		quality = *b.Quality
	}
	rows, placed := []reports.FrontRow{}, false
	for _, e := range thin(b.Front, b.Pick, n) {
		mark := ""
		if e.Measured {
			mark = "measured"
		}
		if record.Of(e.Candidate).Equal(base) {
			mark, placed = "baseline", true
		}
		if !placed && e.Quality < quality {
			rows, placed = append(rows, baseRow), true
		}
		if b.Pick != nil && e.Candidate.Equal(b.Pick.Candidate) {
			mark = "pick"
		}
		rows = append(rows, b.row(e, mark))
	}
	if !placed {
		rows = append(rows, baseRow)
	}
	fmt.Fprintf(a.stdout, "Pareto front: %d of %d candidates evaluated, of %.0f in the space; latency of %s relative to the baseline\n\n",
		len(b.Front), b.Evaluations, b.Points, b.Setup.requestOf())
	return reports.FrontTable(a.stdout, reports.Text, rows)
}

// printFront writes a front, its pick and the pick's head variants.
func (a *app) printFront(b *frontBody) error {
	if err := a.printFrontTable(b, frontRows); err != nil {
		return err
	}
	if b.Dropped > 0 {
		fmt.Fprintf(a.stdout, "%d candidates could not be run: lathe front --json has the reasons\n", b.Dropped)
	}
	for _, w := range b.Warnings {
		fmt.Fprintln(a.stdout, "warning:", w)
	}
	fmt.Fprintf(a.stdout, "Ended: %s\n", cmp.Or(b.Status.Detail, string(b.Status.Reason)))
	for _, m := range b.Models {
		of := ""
		if len(b.Models) > 1 {
			of = " run as " + cmp.Or(m.Build, "default")
		}
		fmt.Fprintf(a.stdout, "Predicted by a latency model of %d candidates%s: cross-validated error PL %.1f %%, TL %.1f %%\n", m.Candidates, of, 100*m.PL, 100*m.TL)
	}
	if n := len(b.Trained); n > 0 {
		fmt.Fprintf(a.stdout, "Trained: %d models, each %s; lathe front --search %s --trained FILE.csv writes them for lathe proxy\n", n, b.Setup.Training, b.Search)
	}
	if s := b.Selected; s != nil {
		how := "which was evaluated"
		if !s.Evaluated {
			how = "which was not evaluated: measure it"
		}
		fmt.Fprintf(a.stdout, "\nSelected: %s: performance %.3f and cost %.3f by the search's network, 0 to 1 being its first candidates' range; %s\n%s\n",
			s.Candidate.Name(), s.Performance, s.Cost, how, s.Point)
	}
	if v := b.Belief; v != nil {
		fmt.Fprintf(a.stdout, "Believed of %d measured: a normalised hypervolume of %.4f, %.4f to %.4f\n", b.Measured, v.Hypervolume, v.Interval.Low, v.Interval.High)
	}
	if b.Pick == nil {
		_, err := fmt.Fprintf(a.stdout, "\nNo pick: %s\n", strings.TrimPrefix(b.NoPick, "search: no pick: "))
		return err
	}
	pick := b.Pick.Candidate
	fmt.Fprintf(a.stdout, "\nPick: %s: %s\n", pick.Name(), b.Pick.Reason)
	for _, w := range b.Pick.Warnings {
		fmt.Fprintln(a.stdout, "warning:", w)
	}
	if len(b.Variants) > 0 {
		apart := ""
		if b.Proxy == (search.DecoderParams{}).Name() {
			apart = ", which decoder parameters do not tell apart"
		}
		fmt.Fprintf(a.stdout, "\nThe pick with 4, 8 and 16 heads%s:\n", apart)
		var rows []reports.FrontRow
		for _, v := range b.Variants {
			rows = append(rows, b.row(v, fmt.Sprintf("h%d", v.Candidate.Spec.Layers[0].NHead)))
		}
		if err := reports.FrontTable(a.stdout, reports.Text, rows); err != nil {
			return err
		}
		if b.Variants[0].Kind == search.Predicted && named(pick) {
			names := make([]string, len(b.Variants))
			for i, v := range b.Variants {
				names[i] = v.Candidate.Name()
			}
			fmt.Fprintf(a.stdout, "Their measured cost: lathe measure %s --baseline %s\n", strings.Join(names, " "), b.Setup.baselineArg())
		}
	}
	for _, why := range b.Skipped {
		fmt.Fprintln(a.stdout, "left out:", why)
	}
	next, what := "", pick.Name()
	if !named(pick) {
		next, what = fmt.Sprintf("lathe front --search %s --yaml %s > pick.yaml; ", b.Search, what), "pick.yaml"
	}
	_, err := fmt.Fprintf(a.stdout, "\nNext: %slathe measure %s --baseline %s --requests 144\n", next, what, b.Setup.baselineArg())
	return err
}

// named reports whether a candidate's name says all of it.
func named(c arch.Candidate) bool {
	again, err := arch.ParseCandidate(c.Name())
	return err == nil && again.Equal(c)
}

// thin keeps at most n of a front, evenly, the pick among them.
func thin(front []frontEntry, pick *frontPick, n int) []frontEntry {
	if len(front) <= n {
		return front
	}
	keep := map[int]bool{}
	for i := range n {
		keep[i*(len(front)-1)/(n-1)] = true
	}
	var out []frontEntry
	for i, e := range front {
		if keep[i] || pick != nil && e.Candidate.Equal(pick.Candidate) {
			out = append(out, e)
		}
	}
	return out
}

// besideName is what a plot's title says of the baseline: its model, run as candidates
// are, or its file.
func besideName(s *setup) string {
	if c, own := s.Baseline.Own(); own {
		return c.Spec.Name() + s.Build.Name()
	}
	return s.Baseline.Name()
}

// qualityAxis is a proxy's scale in plots.
func qualityAxis(proxy string) (label string, unit float64) {
	switch proxy {
	case "decoder_params":
		return "decoder parameters (millions)", 1e6
	case "total_params":
		return "parameters (millions)", 1e6
	case search.LogLikelihood.Name:
		return "log-likelihood after training (nats a token)", 1
	}
	return "quality as fitted (higher is better)", 1
}

// plotFront draws a front to base.svg and base.png.
func (a *app) plotFront(base string, b *frontBody) error {
	quality, latency := slices.Index(b.Objectives, b.Proxy), slices.Index(b.Objectives, search.Latency.Name)
	label, unit := qualityAxis(b.Proxy)
	point := func(p search.FrontPoint) reports.PlotPoint {
		return reports.PlotPoint{Quality: p.Values[quality] / unit, Latency: p.Values[latency]}
	}
	data := reports.FrontPlotData{
		Title:        "Pareto front beside " + besideName(b.Setup),
		QualityLabel: label,
		LatencyLabel: "latency of " + b.Setup.requestOf() + ", relative to the baseline",
	}
	if b.Quality != nil {
		data.Baseline = &reports.PlotPoint{Quality: *b.Quality / unit, Latency: 1}
	}
	for _, it := range b.Iterations {
		line := reports.FrontLine{Iteration: it.Number}
		for _, p := range it.Front {
			line.Points = append(line.Points, point(p))
		}
		data.Iterations = append(data.Iterations, line)
	}
	for _, p := range b.Evaluated {
		data.Evaluated = append(data.Evaluated, point(p))
	}
	if b.Pick != nil {
		data.Pick = &reports.PlotPoint{Quality: b.Pick.Quality / unit, Latency: b.Pick.Latency}
		data.PickName = "pick: " + b.Pick.Candidate.Spec.Name()
	}
	for ending, format := range map[string]reports.Format{".svg": reports.SVG, ".png": reports.PNG} {
		if err := create(base+ending, func(w io.Writer) error { return reports.FrontPlot(w, format, data) }); err != nil {
			return err
		}
	}
	return nil
}
