package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"lathe/reports"
	"lathe/search"
	"lathe/search/pareto"
)

// comparison is of two searches' fronts.
type comparison struct {
	Objectives []string       `json:"objectives"`
	Runs       [2]comparedRun `json:"runs"`
	Warnings   []string       `json:"warnings,omitempty"`
	bodies     [2]*frontBody
}

// comparedRun is one of the two.
type comparedRun struct {
	Search      string       `json:"search"`
	What        string       `json:"what"`
	Evaluations int          `json:"evaluations"`
	Front       int          `json:"front"`
	Hypervolume float64      `json:"hypervolume"` // as a share of both fronts' together, the reference at 1.1 times their nadir
	Covered     int          `json:"covered"`     // points that the other dominates or equals
	Own         []frontEntry `json:"not_covered"` // the others
}

// compare holds two fronts against each other, over what both searches compared.
func compare(a, b *frontBody) (*comparison, error) {
	c := &comparison{bodies: [2]*frontBody{a, b}}
	p, err := a.problem()
	if err != nil {
		return nil, err
	}
	q, err := b.problem()
	if err != nil {
		return nil, err
	}
	names, directions := goalsOf(p)
	others, _ := goalsOf(q)
	if sorted, others := slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(others)); !slices.Equal(sorted, others) {
		return nil, badInput(fmt.Errorf("search %s compares by %s and search %s by %s: only fronts of the same objectives can be held against each other",
			a.Search, strings.Join(sorted, ", "), b.Search, strings.Join(others, ", ")))
	}
	c.Objectives = names
	var values [2][][]float64
	for k, body := range c.bodies {
		for _, e := range body.Front {
			var v []float64
			for _, name := range names {
				v = append(v, e.Values[slices.Index(body.Objectives, name)])
			}
			values[k] = append(values[k], v)
		}
	}
	all := slices.Concat(values[0], values[1])
	scale, err := directions.NewScale(all)
	if err != nil {
		return nil, badInput(fmt.Errorf("searches %s and %s: %w", a.Search, b.Search, err))
	}
	whole := scale.Hypervolume(all)
	for k, body := range c.bodies {
		r := comparedRun{Search: body.Search, What: body.Setup.Method + " by " + body.Setup.By, Evaluations: body.Evaluations, Front: len(body.Front), Hypervolume: scale.Hypervolume(values[k]) / whole, Own: []frontEntry{}}
		for i, v := range values[k] {
			if slices.ContainsFunc(values[1-k], func(w []float64) bool { return directions.Dominates(w, v) || directions.Equal(w, v) }) {
				r.Covered++
			} else {
				r.Own = append(r.Own, body.Front[i])
			}
		}
		c.Runs[k] = r
	}
	if x, y := a.Setup.Baseline, b.Setup.Baseline; !x.Equal(y) {
		c.Warnings = append(c.Warnings, fmt.Sprintf("their baselines differ, %s and %s: ratios are to each its own", x.Name(), y.Name()))
	}
	if a.Setup.requestOf() != b.Setup.requestOf() {
		c.Warnings = append(c.Warnings, fmt.Sprintf("their requests differ: %s, and %s", a.Setup.requestOf(), b.Setup.requestOf()))
	}
	if x, y := a.Setup.Trained, b.Setup.Trained; x != nil && y != nil && *x != *y {
		c.Warnings = append(c.Warnings, fmt.Sprintf("their qualities are learned from other trainings, of %s and of %s, or from another column", x.Path, y.Path))
	}
	if (len(a.Models) > 0) != (len(b.Models) > 0) {
		c.Warnings = append(c.Warnings, "one front is of measurements, of which the luckiest are on it, and the other of a model's predictions")
	}
	return c, nil
}

// goalsOf are the objectives that a problem compares by.
func goalsOf(p *search.Problem) (names []string, directions pareto.Directions) {
	for _, o := range p.Objectives {
		if o.Direction != pareto.Ignore {
			names, directions = append(names, o.Name), append(directions, o.Direction)
		}
	}
	return names, directions
}

// compareFronts prints two searches side by side, and draws them.
func (a *app) compareFronts(ctx context.Context, ids []string, plot string) error {
	var bodies [2]*frontBody
	for k, id := range ids {
		var err error
		if bodies[k], err = a.loadFront(ctx, id); err != nil {
			return err
		}
	}
	c, err := compare(bodies[0], bodies[1])
	if err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(c)
	} else {
		err = a.printComparison(c)
	}
	if err != nil || plot == "" {
		return err
	}
	return a.plotComparison(plot, c)
}

func (a *app) printComparison(c *comparison) error {
	var runs []reports.RunRow
	for k, r := range c.Runs {
		runs = append(runs, reports.RunRow{Name: "AB"[k : k+1], Search: r.Search, What: r.What, Evaluations: r.Evaluations, Front: r.Front, Hypervolume: r.Hypervolume, Covered: r.Covered})
	}
	fmt.Fprintf(a.stdout, "Compared by %s; hypervolumes are shares of that of both fronts together\n\n", strings.Join(c.Objectives, ", "))
	if err := reports.RunsTable(a.stdout, reports.Text, runs); err != nil {
		return err
	}
	for _, w := range c.Warnings {
		fmt.Fprintln(a.stdout, "warning:", w)
	}
	for k, r := range c.Runs {
		if len(r.Own) == 0 {
			continue
		}
		fmt.Fprintf(a.stdout, "\nOf %s, without anything as good in the other:\n", "AB"[k:k+1])
		var rows []reports.FrontRow
		for _, e := range thin(r.Own, nil, frontRows) {
			rows = append(rows, c.bodies[k].row(e, ""))
		}
		if err := reports.FrontTable(a.stdout, reports.Text, rows); err != nil {
			return err
		}
	}
	return nil
}

// plotComparison draws both fronts to base.svg and base.png.
func (a *app) plotComparison(base string, c *comparison) error {
	label, unit := qualityAxis(c.bodies[0].Proxy)
	data := reports.FrontPlotData{Title: "Two searches", QualityLabel: label}
	for k, b := range c.bodies {
		line := reports.FrontLine{Iteration: k + 1, Name: "AB"[k:k+1] + ": " + c.Runs[k].What}
		for _, e := range b.Front {
			line.Points = append(line.Points, reports.PlotPoint{Quality: e.Quality / unit, Latency: e.Latency})
		}
		data.Iterations = append(data.Iterations, line)
	}
	if q := c.bodies[0].Quality; q != nil {
		data.Baseline = &reports.PlotPoint{Quality: *q / unit, Latency: 1}
	}
	for ending, format := range map[string]reports.Format{".svg": reports.SVG, ".png": reports.PNG} {
		if err := create(base+ending, func(w io.Writer) error { return reports.FrontPlot(w, format, data) }); err != nil {
			return err
		}
	}
	return nil
}
