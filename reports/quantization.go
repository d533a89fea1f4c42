package reports

import (
	"io"
	"strconv"
)

// QuantRow is how far quantization took some weights from what they were.
type QuantRow struct {
	Name string // a layer, or a matrix outside the layers
	// Relative is the norm of the difference over the norm of the weights.
	Relative float64
	Cosine   float64
	MaxAbs   float64 // the largest difference of one value
	// Worst is the matrix of them whose relative error is the largest.
	Worst         string
	WorstRelative float64
}

// QuantTable writes the error of quantization, a row each.
func QuantTable(w io.Writer, style Style, rows []QuantRow) error {
	t := &table{columns: []column{{"quantized", true}, {"relative error", false}, {"cosine", false}, {"largest", false}, {"worst matrix", true}, {"its error", false}}}
	for _, r := range rows {
		t.add(r.Name, errorPercent(r.Relative), strconv.FormatFloat(r.Cosine, 'f', 5, 64), strconv.FormatFloat(r.MaxAbs, 'g', 3, 64), r.Worst, errorPercent(r.WorstRelative))
	}
	return t.write(w, style)
}

func errorPercent(v float64) string { return strconv.FormatFloat(100*v, 'f', 2, 64) + " %" }
