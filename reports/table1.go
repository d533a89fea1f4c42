package reports

import (
	"fmt"
	"io"
	"strconv"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// Table1Row is one model of a table like Table 1 of the paper.
type Table1Row struct {
	Model   string // what the row is called: baseline, C3-h16
	Spec    arch.Spec
	Summary record.Summary // what was measured; without Ratio for the baseline
}

// Table1 writes the paper's Table 1: each model's sizes, its prompt and per-token
// latency (median milliseconds) with the change against the baseline, its
// parameters in whole millions, truncated as there, and the change in P95
// latency_char with its interval.
//
// Changes come from the paired ratios and not from dividing the columns: both
// sides of a pair were timed next to each other, while the machine's speed
// drifts between the rows.
func Table1(w io.Writer, style Style, rows []Table1Row) error {
	if len(rows) == 0 {
		return errNoRows
	}
	t := table{columns: []column{
		{name: "model", left: true}, {name: "d_inner"}, {name: "d_model"}, {name: "n_head"}, {name: "n_layer"},
		{name: "PL ms"}, {name: "change"}, {name: "TL ms"}, {name: "change"},
		{name: "decoder params"}, {name: "total params"},
		{name: "P95 latency_char"}, {name: "95 % interval"},
	}}
	level := rows[0].Summary.Level
	if level > 0 && level != stat.DefaultLevel {
		t.columns[len(t.columns)-1].name = percentLevel(level) + " interval"
	}
	var pl, tl []float64
	for _, r := range rows {
		pl, tl = append(pl, median(r.Summary.PL)), append(tl, median(r.Summary.TL))
	}
	plText, tlText := decimalsFor(pl...), decimalsFor(tl...)
	for i, r := range rows {
		inner, heads := layerSizes(r.Spec)
		var ratio record.Ratios
		if r.Summary.Ratio != nil {
			ratio = *r.Summary.Ratio
		}
		p95, interval := t.tail(ratio.LatencyCharP95, r.Summary.Level)
		t.add(r.Model, inner, strconv.Itoa(r.Spec.DModel), heads, strconv.Itoa(len(r.Spec.Layers)),
			orNone(pl[i], plText), medianChange(ratio.PL), orNone(tl[i], tlText), medianChange(ratio.TL),
			millions(r.Spec.DecoderParams()), millions(r.Spec.TotalParams()), p95, interval)
	}
	return t.write(w, style)
}

// tail is the change in P95 latency_char and its interval. Too few requests give
// no interval, which a footnote says.
func (t *table) tail(q *record.QuantileRatio, level float64) (value, interval string) {
	if q == nil {
		return none, none
	}
	if ci, ok := known(q.CI); ok {
		return change(q.Value), fmt.Sprintf("%s to %s %%", signed(100*(ci.Low-1)), signed(100*(ci.High-1)))
	}
	return change(q.Value), none + " " + t.note(noTail(q.N, level))
}

// noTail says why a P95 has no interval.
func noTail(n int, level float64) string {
	if !(level > 0 && level < 1) { // not known: it may come from a file
		level = stat.DefaultLevel
	}
	if least := stat.MinSamples(0.95, level); n < least {
		return fmt.Sprintf("%s: a %s interval of P95 has no finite upper end under %d",
			Count(n, "request"), percentLevel(level), least)
	}
	return fmt.Sprintf("%s: the samples give no finite %s interval of P95", Count(n, "request"), percentLevel(level))
}

func percentLevel(level float64) string {
	return strconv.FormatFloat(100*level, 'g', 4, 64) + " %"
}

// layerSizes prints d_inner and n_head: one number where all layers agree, the
// range where they do not. Recurrent layers have neither and are left out.
func layerSizes(s arch.Spec) (inner, heads string) {
	var layers []arch.Layer
	for i, l := range s.Layers {
		if !s.TypeOf(i).Recurrent() {
			layers = append(layers, l)
		}
	}
	if len(layers) == 0 {
		return none, none
	}
	span := func(of func(arch.Layer) int) string {
		low, high := of(layers[0]), of(layers[0])
		for _, l := range layers {
			low, high = min(low, of(l)), max(high, of(l))
		}
		if low == high {
			return strconv.Itoa(low)
		}
		return fmt.Sprintf("%d-%d", low, high)
	}
	return span(func(l arch.Layer) int { return l.DInner }), span(func(l arch.Layer) int { return l.NHead })
}

func median(d *record.Dist) float64 {
	if d == nil {
		return 0
	}
	return d.P50
}

func orNone(v float64, f fixed) string {
	if v <= 0 {
		return none
	}
	return f.text(v)
}

func medianChange(m *record.MedianRatio) string {
	if m == nil {
		return none
	}
	return change(m.Median)
}
