package reports

import (
	"io"
	"math"
	"slices"
	"strconv"

	"lathe/graphgen/arch"
	"lathe/profiler/stat"
)

// FrontRow is one candidate of a front. Latency, PL and TL are relative to the
// baseline; 0 is unknown.
type FrontRow struct {
	Candidate arch.Candidate
	Latency   float64
	Interval  stat.Interval // of Latency; the zero value is none
	PL, TL    float64
	Source    string // measured, predicted
	Mark      string // what sets the row apart: pick, baseline
	// File is the name of an ONNX file that the row is of. Candidate then has the Spec
	// that it was recognised as, or nothing.
	File string
	// Others are what else was compared, of the same names in every row.
	Others []Figure
}

// Figure is a number with its name, unit and value; NaN is unknown.
type Figure struct {
	Name, Unit string // the unit of bytes and operations, B or FLOP; else ""
	Value      float64
}

func (f Figure) text() string {
	switch {
	case math.IsNaN(f.Value):
		return none
	case f.Unit != "":
		return scaled(int64(f.Value), f.Unit)
	}
	return strconv.FormatFloat(f.Value, 'g', 4, 64)
}

// FrontTable writes a front in the order given.
func FrontTable(w io.Writer, style Style, rows []FrontRow) error {
	if len(rows) == 0 {
		return errNoRows
	}
	marked := false
	for _, r := range rows {
		marked = marked || r.Mark != ""
	}
	t := table{columns: []column{
		{name: "candidate", left: true}, {name: "decoder params"}, {name: "total params"},
		{name: "latency"}, {name: "interval"}, {name: "PL"}, {name: "TL"}, {name: "source", left: true},
	}}
	for _, f := range rows[0].Others {
		t.columns = append(t.columns, column{name: f.Name})
	}
	if marked {
		t.columns = append(t.columns, column{left: true})
	}
	for _, r := range rows {
		interval := none
		if ci, ok := known(&r.Interval); ok {
			interval = ratio(ci.Low) + " to " + ratio(ci.High)
		}
		s := r.Candidate.Spec
		name, decoder, total := r.File, none, none
		if len(s.Layers) > 0 {
			decoder, total = millions(s.DecoderParams()), millions(s.TotalParams())
		}
		if name == "" {
			name = r.Candidate.Name()
		}
		cells := []string{name, decoder, total, ratio(r.Latency), interval, ratio(r.PL), ratio(r.TL), r.Source}
		for _, f := range r.Others {
			cells = append(cells, f.text())
		}
		if marked {
			cells = append(cells, r.Mark)
		}
		t.add(cells...)
	}
	return t.write(w, style)
}

// CountsTable writes the exact counts of candidates, one column each.
func CountsTable(w io.Writer, style Style, candidates []arch.Candidate) error {
	if len(candidates) == 0 {
		return errNoRows
	}
	t := table{columns: []column{{name: "count", left: true}}}
	var counts []arch.Counts
	for _, c := range candidates {
		t.columns = append(t.columns, column{name: c.Name()}, column{left: true})
		counts = append(counts, c.Counts())
	}
	rows := []struct {
		name, unit string
		of         func(arch.Counts) int64
	}{
		{"decoder_params", "", func(c arch.Counts) int64 { return c.DecoderParams }},
		{"total_params", "", func(c arch.Counts) int64 { return c.TotalParams }},
		{"embedding_params", "", func(c arch.Counts) int64 { return c.EmbeddingParams }},
		{"bytes_per_token", "B", func(c arch.Counts) int64 { return c.BytesPerToken }},
		{"flops_per_token", "FLOP", func(c arch.Counts) int64 { return c.FlopsPerToken }},
		{"kv_bytes_per_token", "B", func(c arch.Counts) int64 { return c.KVBytesPerToken }},
		{"state_bytes", "B", func(c arch.Counts) int64 { return c.StateBytes }},
	}
	if !slices.ContainsFunc(counts, func(c arch.Counts) bool { return c.StateBytes > 0 }) {
		rows = rows[:len(rows)-1]
	}
	for _, row := range rows {
		cells := []string{row.name}
		for _, c := range counts {
			n := row.of(c)
			round := scaled(n, row.unit)
			if row.unit == "" && n >= 1e6 {
				round = millions(n)
			}
			cells = append(cells, grouped(n), round)
		}
		t.add(cells...)
	}
	return t.write(w, style)
}

// KeyValue is one line of a list of things and what is known of them.
type KeyValue struct {
	Key, Value string
	Note       string // what to do about it, where a value came from
}

// KeyValues writes such a list, as doctor and config print it. The third column
// is there if anything has a note. The header names the columns; an empty name
// leaves the default.
func KeyValues(w io.Writer, style Style, header KeyValue, rows []KeyValue) error {
	if len(rows) == 0 {
		return errNoRows
	}
	or := func(s, def string) string {
		if s == "" {
			return def
		}
		return s
	}
	t := table{columns: []column{{or(header.Key, "what"), true}, {or(header.Value, "is"), true}}}
	noted := false
	for _, r := range rows {
		noted = noted || r.Note != ""
	}
	if noted {
		t.columns = append(t.columns, column{or(header.Note, "note"), true})
	}
	for _, r := range rows {
		cells := []string{r.Key, r.Value}
		if noted {
			cells = append(cells, r.Note)
		}
		t.add(cells...)
	}
	return t.write(w, style)
}
