package reports

import (
	"bytes"
	"testing"
)

func TestQuantTable(t *testing.T) {
	rows := []QuantRow{
		{Name: "layer 0", Relative: 0.0968, Cosine: 0.99533, MaxAbs: 0.00606, Worst: "transformer.h.0.mlp.c_fc.weight", WorstRelative: 0.0997},
		{Name: "lm_head.weight", Cosine: 1, Worst: "lm_head.weight"}, // all of it exact
	}
	both(t, "quantization.golden", func(w *bytes.Buffer, s Style) error { return QuantTable(w, s, rows) })
}
