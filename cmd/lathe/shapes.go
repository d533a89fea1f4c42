package main

import (
	"fmt"
	"io"

	"lathe/graphgen/arch"
	"lathe/reports"
)

// shapeRatio is the d_inner/d_model that the paper found quality to need (section 4.1).
const shapeRatio = 2

// plotShapes draws the sizes of a front's models.
func plotShapes(path string, b *frontBody) error {
	format, err := plotFormat(path)
	if err != nil {
		return badInput(err)
	}
	data := reports.ShapePlotData{Title: "Models of the front beside " + besideName(b.Setup), Ratio: shapeRatio}
	for _, e := range b.Front {
		if s, ok := shapeOf(e.Candidate.Spec); ok {
			s.Mark = b.Pick != nil && e.Candidate.Equal(b.Pick.Candidate)
			data.Shapes = append(data.Shapes, s)
		}
	}
	if len(data.Shapes) == 0 {
		return badInput(fmt.Errorf("--figure3: the front has no model with a d_inner"))
	}
	return create(path, func(w io.Writer) error { return reports.ShapePlot(w, format, data) })
}

// shapeOf are a model's sizes; of layers that differ, d_inner is the mean of those that
// have one.
func shapeOf(s arch.Spec) (reports.Shape, bool) {
	sum, n := 0, 0
	for _, l := range s.Layers {
		if l.DInner > 0 {
			sum, n = sum+l.DInner, n+1
		}
	}
	if n == 0 {
		return reports.Shape{}, false
	}
	return reports.Shape{NLayer: float64(len(s.Layers)), DModel: float64(s.DModel), DInner: float64(sum) / float64(n)}, true
}
