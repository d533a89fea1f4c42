package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"lathe/finetune/predictor"
	"lathe/profiler/stat"
	"lathe/reports"
)

// drawCalibration draws the curve beside the file, and returns the plots' names.
func (a *app) drawCalibration(path string, c *calibrated) ([]string, error) {
	base := strings.TrimSuffix(path, filepath.Ext(path))
	m := c.Measures
	data := reports.CalibrationPlotData{Title: c.Model, Chosen: reports.CalibrationPoint{AEC: *m.AEC.Value, Saving: *m.Saving.Value}}
	for _, p := range c.Curve {
		data.Curve = append(data.Curve, reports.CalibrationPoint{AEC: p.AEC, Saving: p.Saving})
	}
	if c.Baseline != nil {
		b := c.Baseline.Measures
		data.Baseline = &reports.CalibrationPoint{AEC: *b.AEC.Value, Saving: *b.Saving.Value}
	}
	var names []string
	for _, format := range []reports.Format{reports.SVG, reports.PNG} {
		name := base + "." + string(format)
		if err := create(name, func(w io.Writer) error { return reports.CalibrationPlot(w, format, data) }); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

func (a *app) printCalibration(c *calibrated, path string, plots []string) error {
	rows := []reports.MeasuresRow{}
	if c.Baseline != nil {
		rows = append(rows, measuresRow(c.Baseline.Model, c.Baseline.Measures))
	}
	rows = append(rows, measuresRow(c.Model, c.Measures))
	remarks := []string{describeCases(c.Cases, c.CaseStats) + "."}
	for _, t := range []struct {
		what  string
		value float64
		ci    *stat.Interval
	}{{"show", c.Rule.Show, c.ShowCI}, {"stop", c.Rule.Stop, c.StopCI}} {
		remarks = append(remarks, reports.Threshold(t.what, t.value, t.ci, string(c.Rule.Scoring)))
	}
	remarks = append(remarks, fmt.Sprintf("written to %s, drawn in %s", path, strings.Join(plots, " and ")))
	for _, w := range c.Warnings {
		remarks = append(remarks, "warning: "+w)
	}
	return reports.MeasuresTable(a.stdout, reports.Text, rows, remarks)
}

// measuresRow is a predictor's measures, as tables take them.
func measuresRow(name string, m predictor.Measures) reports.MeasuresRow {
	return reports.MeasuresRow{
		Name: name, Suggestions: m.Suggestions, Cases: m.Cases,
		TriggerRate: reports.Measure(m.TriggerRate), ASC: reports.Measure(m.ASC), AEC: reports.Measure(m.AEC),
		Saving: reports.Measure(m.Saving), AcceptedShare: reports.Measure(m.AcceptedShare),
	}
}
