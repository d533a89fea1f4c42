package proxy

import (
	"errors"
	"fmt"
	"math"

	"lathe/graphgen/arch"
)

// Table is architectures that were trained, and how good each became.
type Table struct {
	Name           string // of the file
	Quality        string // the column's name
	HigherIsBetter bool   // of the column: false for perplexity, true for an accuracy
	Rows           []Row
}

// Row is one trained architecture.
type Row struct {
	Name    string // "" where the table has none
	Line    int    // in the file; 0 where there is none
	Spec    arch.Spec
	Quality float64
}

// MinRows is how few trained architectures say nothing about a ranking: of 7, one
// in 5,040 orders is the right one by chance, of 4 one in 24, and the best tenth
// is one row.
const MinRows = 8

// Validate reports what makes a table useless.
func (t *Table) Validate() error {
	if len(t.Rows) < MinRows {
		return fmt.Errorf("proxy: %s has %d trained architectures: want %d or more", t.name(), len(t.Rows), MinRows)
	}
	first, alike := t.Rows[0], true
	for i := range t.Rows {
		r := &t.Rows[i]
		if math.IsNaN(r.Quality) || math.IsInf(r.Quality, 0) {
			return fmt.Errorf("proxy: %s, row %d: %s is %v: want a number", t.name(), i+1, t.Quality, r.Quality)
		}
		if err := r.Spec.Validate(); err != nil {
			return fmt.Errorf("proxy: %s, row %d: %w", t.name(), i+1, err)
		}
		alike = alike && r.Quality == first.Quality
	}
	if alike {
		return fmt.Errorf("proxy: %s: %s is %v in every row: nothing to rank", t.name(), t.Quality, first.Quality)
	}
	return nil
}

func (t *Table) name() string {
	if t.Name == "" {
		return "the table"
	}
	return t.Name
}

// goodness is the rows' quality, so that higher is better.
func (t *Table) goodness() (g []float64) {
	for _, r := range t.Rows {
		if t.HigherIsBetter {
			g = append(g, r.Quality)
		} else {
			g = append(g, -r.Quality)
		}
	}
	return g
}

// With returns a table of the rows given by index.
func (t *Table) With(in []int) *Table {
	out := *t
	out.Rows = nil
	for _, i := range in {
		out.Rows = append(out.Rows, t.Rows[i])
	}
	return &out
}

// ErrNothingToLearn is of a table, or of part of one, that fitted cannot learn from.
// The counts may be validated on it all the same.
var ErrNothingToLearn = errors.New("nothing to learn")
