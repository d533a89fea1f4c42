package main

import (
	"fmt"
	"io"

	"lathe/reports"
)

// plotShapes draws the sizes of a front's models.
func plotShapes(path string, b *frontBody) error {
	format, err := plotFormat(path)
	if err != nil {
		return badInput(err)
	}
	data := reports.ShapePlotData{Title: "Models of the front beside " + besideName(b.Setup), Ratio: reports.PlaneRatio}
	for _, e := range b.Front {
		if s, ok := reports.ShapeOf(e.Candidate.Spec); ok {
			s.Mark = b.Pick != nil && e.Candidate.Equal(b.Pick.Candidate)
			data.Shapes = append(data.Shapes, s)
		}
	}
	if len(data.Shapes) == 0 {
		return badInput(fmt.Errorf("--figure3: the front has no model with a d_inner"))
	}
	return create(path, func(w io.Writer) error { return reports.ShapePlot(w, format, data) })
}
