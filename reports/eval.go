package reports

import (
	"io"
	"math"
	"strconv"

	"lathe/profiler/stat"
)

// PerplexityRow is what a text says of a model.
type PerplexityRow struct {
	Model        string
	Perplexity   float64
	PerplexityCI *stat.Interval // nil where there were too few documents
	Ratio        *float64       // to the first row's perplexity; nil of the first
	RatioCI      *stat.Interval
	BitsPerByte  float64 // 0: not known
	BitsPerChar  float64 // likewise
	Top1         *float64
	Tokens       int // scored
	Seconds      float64
}

// PerplexityTable writes perplexities, a row each, and remarks below.
func PerplexityTable(w io.Writer, style Style, rows []PerplexityRow, remarks []string) error {
	if len(rows) == 0 {
		return errNoRows
	}
	t := &table{remarks: remarks, columns: []column{{"model", true}, {"perplexity", false}, {"to the first", false}, {"bits a byte", false}, {"bits a character", false}, {"likeliest", false}, {"tokens", false}, {"seconds", false}, {"tokens/s", false}}}
	for _, r := range rows {
		relative := ""
		if r.Ratio != nil {
			relative = withInterval(fineChange(*r.Ratio), r.RatioCI, fineChange)
		}
		top1 := none
		if r.Top1 != nil {
			top1 = percent(*r.Top1)
		}
		t.add(r.Model, withInterval(perplexity(r.Perplexity), r.PerplexityCI, perplexity), relative, bits(r.BitsPerByte), bits(r.BitsPerChar), top1,
			grouped(int64(r.Tokens)), seconds(r.Seconds), rate(r.Tokens, r.Seconds))
	}
	if len(rows) == 1 {
		t.drop(2)
	}
	return t.write(w, style)
}

// LastWordRow is what passages' last words say of a model.
type LastWordRow struct {
	Model           string
	Accuracy        float64
	AccuracyCI      *stat.Interval
	Perplexity      float64 // of words
	PerplexityCI    *stat.Interval
	TokenPerplexity float64
	Passages        int
	Seconds         float64
}

// LastWordTable writes the results of LAMBADA, a row each, and remarks below.
func LastWordTable(w io.Writer, style Style, rows []LastWordRow, remarks []string) error {
	if len(rows) == 0 {
		return errNoRows
	}
	t := &table{remarks: remarks, columns: []column{{"model", true}, {"last words right", false}, {"perplexity of the word", false}, {"of its tokens", false}, {"passages", false}, {"seconds", false}}}
	for _, r := range rows {
		t.add(r.Model, withInterval(percent(r.Accuracy), r.AccuracyCI, percent), withInterval(perplexity(r.Perplexity), r.PerplexityCI, perplexity), perplexity(r.TokenPerplexity), grouped(int64(r.Passages)), seconds(r.Seconds))
	}
	return t.write(w, style)
}

// drop takes a column out.
func (t *table) drop(at int) {
	t.columns = append(t.columns[:at:at], t.columns[at+1:]...)
	for i, row := range t.rows {
		t.rows[i] = append(row[:at:at], row[at+1:]...)
	}
}

// perplexity prints one to four digits, as papers do, or more where it has more before
// the point.
func perplexity(v float64) string {
	switch {
	case v >= 1e7:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case v >= 1000:
		return grouped(int64(math.Round(v)))
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// fineChange prints a ratio as a change in per cent, to the hundredths that quantization
// to int8 is seen in.
func fineChange(r float64) string {
	s := strconv.FormatFloat(100*(r-1), 'f', 2, 64)
	switch {
	case s == "-0.00":
		s = "0.00"
	case r > 1 && s != "0.00":
		s = "+" + s
	}
	return s + " %"
}

func bits(v float64) string {
	if v == 0 {
		return none
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

func seconds(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func rate(n int, seconds float64) string {
	if seconds <= 0 {
		return none
	}
	return grouped(int64(math.Round(float64(n) / seconds)))
}
