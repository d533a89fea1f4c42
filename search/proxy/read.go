package proxy

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"lathe/graphgen/arch"
)

// ReadOptions say what a table's columns mean.
type ReadOptions struct {
	// Quality is the column of what training gave; "" is the first of Qualities that
	// the table has.
	Quality        string
	HigherIsBetter bool
	// Base has what columns do not say: family, vocabulary, positions and whether the
	// head is untied. A zero Base is the GPT-2 family with its defaults.
	Base arch.Spec
}

// Qualities are the columns that are taken for the quality where none is named, all
// of them lower for better.
var Qualities = []string{"perplexity", "ppl", "val_ppl", "loss", "val_loss"}

// Limits of a table. Learning takes time in proportion to the cube of the rows,
// minutes at this many; no study that we know of trained a tenth of them.
const (
	maxRows    = 1000
	maxColumns = 1000
)

// The columns that say what an architecture is: a compact name, or sizes.
const (
	colCandidate = "candidate"
	colLayers    = "n_layer"
	colModel     = "d_model"
	colInner     = "d_inner"
	colHeads     = "n_head"
	colKVHeads   = "n_kv_head"
	colVocab     = "vocab"
	colPositions = "positions"
)

var (
	nameColumns = []string{"name", "id"}
	sizeColumns = []string{colLayers, colModel, colInner, colHeads}
)

// Read reads a table of trained architectures: CSV with a header. name stands in
// errors, which name line and column too. Other columns than those below are left
// alone.
//
// A row's architecture is in a column candidate, as a compact name or as JSON (see
// arch.Candidate), or in n_layer, d_model, d_inner and n_head, with vocab, positions and
// n_kv_head if wanted. d_inner,
// n_head and n_kv_head have one number, or one a layer with | between them. Columns
// name or id name rows. Counts of parameters in other columns are not read: they are
// computed as they are everywhere else.
func Read(r io.Reader, name string, o ReadOptions) (*Table, error) {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	c.TrimLeadingSpace = true
	t := &Table{Name: name, HigherIsBetter: o.HigherIsBetter}
	if o.Base.Family == "" {
		o.Base = arch.NewSpec(arch.GPT2, 0, 0, 0, 0)
	}
	var h *header
	for {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, csvError(name, err)
		}
		line, _ := c.FieldPos(0)
		if h == nil {
			if h, err = newHeader(record, o); err != nil {
				return nil, fmt.Errorf("proxy: %s:%d: %w", name, line, err)
			}
			t.Quality = h.quality
			continue
		}
		if len(t.Rows) == maxRows {
			return nil, fmt.Errorf("proxy: %s:%d: more than %d rows: take a sample of them", name, line, maxRows)
		}
		row, err := h.row(record)
		if err != nil {
			return nil, fmt.Errorf("proxy: %s:%d: %w", name, line, err)
		}
		row.Line = line
		t.Rows = append(t.Rows, row)
	}
	if h == nil {
		return nil, fmt.Errorf("proxy: %s is empty: want CSV with a header such as n_layer,d_model,d_inner,n_head,ppl", name)
	}
	return t, t.Validate()
}

// csvError puts the line where the other errors have it.
func csvError(name string, err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("proxy: %s:%d: %w", name, parse.Line, parse.Err)
	}
	return fmt.Errorf("proxy: %s: %w", name, err)
}

// header is where a table has what.
type header struct {
	columns map[string]int
	quality string
	byName  bool // architectures are compact names
	base    arch.Spec
}

func newHeader(record []string, o ReadOptions) (*header, error) {
	if len(record) > maxColumns {
		return nil, fmt.Errorf("%d columns: at most %d are taken", len(record), maxColumns)
	}
	h := &header{columns: map[string]int{}, quality: o.Quality, base: o.Base}
	var names []string
	for i, raw := range record {
		col := strings.TrimSpace(strings.TrimPrefix(raw, "\ufeff"))
		if _, twice := h.columns[col]; twice && col != "" {
			return nil, fmt.Errorf("column %s is there twice", quoted(col))
		}
		h.columns[col] = i
		names = append(names, quoted(col))
	}
	have := func(col string) bool { _, ok := h.columns[col]; return ok }
	if h.byName = have(colCandidate); !h.byName {
		for _, col := range sizeColumns {
			if !have(col) {
				return nil, fmt.Errorf("no column %s: want candidate, or n_layer, d_model, d_inner and n_head; there are %s", col, strings.Join(names, ", "))
			}
		}
	}
	if h.quality == "" {
		if i := slices.IndexFunc(Qualities, have); i >= 0 {
			h.quality = Qualities[i]
		} else {
			return nil, fmt.Errorf("no column %s: name the column of the quality; there are %s", strings.Join(Qualities, " or "), strings.Join(names, ", "))
		}
	}
	if !have(h.quality) {
		meant := ""
		if n := arch.Nearest(h.quality, slices.Sorted(maps.Keys(h.columns))); n != "" {
			meant = fmt.Sprintf(" (did you mean %s?)", quoted(n))
		}
		return nil, fmt.Errorf("no column %s%s: there are %s", quoted(h.quality), meant, strings.Join(names, ", "))
	}
	return h, nil
}

// row reads one architecture.
func (h *header) row(record []string) (Row, error) {
	var row Row
	var err error
	for _, col := range nameColumns {
		if row.Name == "" {
			row.Name, _ = h.cell(record, col)
		}
	}
	if row.Quality, err = h.number(record, h.quality); err != nil {
		return row, err
	}
	if h.byName {
		text, _ := h.cell(record, colCandidate)
		c, err := parseCandidate(text)
		if err != nil {
			return row, fmt.Errorf("column %s: %w", colCandidate, err)
		}
		if row.Spec = c.Spec; row.Name == "" {
			row.Name = c.Name()
		}
		return row, nil
	}
	if row.Spec, err = h.spec(record); err != nil {
		return row, err
	}
	return row, row.Spec.Validate()
}

// parseCandidate reads a name, or what a model is in JSON, whose name may not say that its
// layers differ.
func parseCandidate(text string) (c arch.Candidate, err error) {
	if !strings.HasPrefix(text, "{") {
		return arch.ParseCandidate(text)
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, err
	}
	return c, c.Validate()
}

func quoted(s string) string {
	if s == "" || strings.ContainsAny(s, " ,") || len(s) > 40 {
		return strconv.Quote(shortened(s))
	}
	return s
}

func shortened(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "..."
	}
	return s
}

// cell is a column's text, and whether there is such a column.
func (h *header) cell(record []string, col string) (string, bool) {
	i, ok := h.columns[col]
	if !ok {
		return "", false
	}
	return strings.TrimSpace(record[i]), true
}

func (h *header) number(record []string, col string) (float64, error) {
	text, _ := h.cell(record, col)
	if text == "" {
		return 0, fmt.Errorf("column %s is empty: want a number", quoted(col))
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("column %s is %s: want a number", quoted(col), strconv.Quote(shortened(text)))
	}
	return v, nil
}
