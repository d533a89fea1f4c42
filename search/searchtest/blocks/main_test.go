package main

import (
	"math"
	"testing"

	"lathe/graphgen/arch"
)

// Of models whose cost is that of their layers and of what is outside, both come out.
func TestCostsAreWhatModelsAreComposedOf(t *testing.T) {
	dModel := []int{256, 512}
	kinds := []arch.Layer{{Type: arch.LSTM, Hidden: 256}, {Type: arch.GRU, Hidden: 256}, {Type: arch.Transformer, NHead: 4, DInner: 1024}}
	layer := func(d, k int) float64 { return float64(d)/1000 + 0.1*float64(k) }
	outside := func(d int) float64 { return float64(d) / 5000 }
	var measured []ratios
	for _, d := range dModel {
		for k := range kinds {
			for _, n := range depths {
				r := outside(d) + float64(n)*layer(d, k)
				// Of three sessions one was disturbed.
				measured = append(measured, ratios{pl: []float64{r, 9 * r, r}, tl: []float64{2 * r, 2 * r, 0.1 * r}})
			}
		}
	}
	got := costs(dModel, kinds, measured)
	if len(got) != len(dModel)*(len(kinds)+1) {
		t.Fatalf("%d costs", len(got))
	}
	for i, b := range got {
		d, k := dModel[i/(len(kinds)+1)], i%(len(kinds)+1)
		want := outside(d)
		if k < len(kinds) {
			want = layer(d, k)
			if b.Layer != kinds[k] {
				t.Errorf("cost %d is of %+v", i, b.Layer)
			}
		}
		if b.DModel != d || math.Abs(b.PL-want) > 1e-12 || math.Abs(b.TL-2*want) > 1e-12 {
			t.Errorf("cost %d, of d_model %d, is %v and %v, want %v and %v", i, b.DModel, b.PL, b.TL, want, 2*want)
		}
	}
}
