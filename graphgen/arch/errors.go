package arch

import (
	"errors"
	"fmt"
	"strings"
)

// Error is what is wrong with a name, a file or an expression, and where.
type Error struct {
	Input   string // the name or the expression as given, or the file's path; "" if unknown
	Line    int    // from 1, in a file; 0 elsewhere
	Column  int    // from 1, in characters; 0 if unknown
	Problem string // what is wrong and what would be right
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("arch: ")
	switch {
	case e.Line > 0 && e.Input != "":
		fmt.Fprintf(&b, "%s:%d: ", e.Input, e.Line)
	case e.Line > 0:
		fmt.Fprintf(&b, "line %d: ", e.Line)
	case e.Input != "":
		fmt.Fprintf(&b, "%s: ", shorten(e.Input))
	}
	if e.Column > 0 && e.Line == 0 {
		fmt.Fprintf(&b, "column %d: ", e.Column)
	}
	b.WriteString(e.Problem)
	return b.String()
}

// fieldError is what is wrong with one field of a value, so that a parser can say
// where that field stands.
type fieldError struct {
	path    string // as in YAML: "n_head", "layers.3.n_head", "constraints.1"
	problem string
	cause   error // or nil
}

func (e *fieldError) Error() string { return "arch: " + e.problem }
func (e *fieldError) Unwrap() error { return e.cause }

func fieldErrorf(path, format string, args ...any) error {
	return &fieldError{path: path, problem: fmt.Sprintf(format, args...)}
}

// fieldOf returns the path of the field that err is about, or "", and what is
// wrong without the package's name.
func fieldOf(err error) (path, problem string) {
	var f *fieldError
	if errors.As(err, &f) {
		path = f.path
	}
	return path, strings.TrimPrefix(err.Error(), "arch: ")
}

// shorten cuts what is too long to be shown in a message, and escapes what would
// break its line.
func shorten(s string) string {
	const most = 120 // runes; three times the longest name of the paper's space
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// Nearest returns the known word that is the fewest edits away from word, or ""
// where none is near enough to be meant.
func Nearest(word string, known []string) string {
	best, bestDist := "", max(1, len(word)/3)+1
	for _, k := range known {
		if d := EditDistance(strings.ToLower(word), strings.ToLower(k)); d < bestDist {
			best, bestDist = k, d
		}
	}
	return best
}

// didYouMean is a clause that names the nearest known word and then all of them.
func didYouMean(word string, known []string) string {
	all := "known are " + strings.Join(known, ", ")
	if len(known) == 1 {
		all = "the only one known is " + known[0]
	}
	if n := Nearest(word, known); n != "" {
		return fmt.Sprintf("did you mean %s? (%s)", n, all)
	}
	return all
}

// EditDistance is the Levenshtein distance in bytes, cut short for words that
// are too long to be a misspelling of anything here.
func EditDistance(a, b string) int {
	const most = 64
	if len(a) > most || len(b) > most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j]+1, diag+1)
		}
	}
	return row[len(b)]
}
