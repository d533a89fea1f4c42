package reports

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func shapes() ShapePlotData {
	d := ShapePlotData{Title: "Models of the front", Ratio: 2}
	for i := range 14 {
		f := float64(i)
		d.Shapes = append(d.Shapes, Shape{NLayer: 6 + math.Mod(5*f, 11), DModel: 512 + 64*f, DInner: 6016 - 340*f, Mark: i == 4})
	}
	return d
}

func TestShapePlot(t *testing.T) {
	for _, f := range []Format{SVG, PNG} {
		var out bytes.Buffer
		if err := ShapePlot(&out, f, shapes()); err != nil {
			t.Fatal(err)
		}
		if f == SVG {
			for _, words := range []string{"d_inner", "d_model", "n_layer", "at least 2 (11)", "below 2 (3)", "pick"} {
				if !strings.Contains(out.String(), words) {
					t.Errorf("no %q in the drawing", words)
				}
			}
		}
	}
	for _, d := range []ShapePlotData{{}, {Ratio: 2, Shapes: []Shape{{NLayer: 1, DModel: math.NaN(), DInner: 2}}}} {
		if err := ShapePlot(new(bytes.Buffer), SVG, d); err == nil {
			t.Errorf("%v was drawn", d)
		}
	}
	if err := ShapePlot(new(bytes.Buffer), SVG, ShapePlotData{Ratio: 2, Shapes: shapes().Shapes[:1]}); err != nil {
		t.Errorf("one model: %v", err)
	}
}

// Every corner of the plane is on it and in the box, and what is far up or far right is
// seen there.
func TestProjection(t *testing.T) {
	b := newBox(shapes())
	for _, v := range b.plane() {
		if math.Abs(v[0]-2*v[1]) > 1e-9 {
			t.Errorf("%v is not on the plane", v)
		}
		for k := range v {
			if v[k] < b.low[k]-1e-9 || v[k] > b.high[k]+1e-9 {
				t.Errorf("%v is outside the box %v to %v", v, b.low, b.high)
			}
		}
	}
	x, y, _ := b.project(b.low)
	up := b.low
	up[2] = b.high[2]
	if ux, uy, _ := b.project(up); math.Abs(ux-x) > 1e-12 || uy <= y {
		t.Errorf("more layers are seen at %v, %v from %v, %v: want straight above", ux, uy, x, y)
	}
	right := b.low
	right[0] = b.high[0]
	if rx, _, _ := b.project(right); rx <= x {
		t.Errorf("more d_inner is seen at %v, left of %v", rx, x)
	}
}
