// Package reports turns results into what people read: tables as plain text or
// Markdown, plots as SVG or PNG, and all that is known as one [Report], whose forms
// are a page, a text and files for programs.
//
// A reporter takes data and an io.Writer and has no other input: it reads no
// store, asks no clock, measures nothing and uses no colour codes. What a search
// or a model knows comes to it as the plain structs declared here, filled in by
// cmd; what a record says comes as record.Summary. It stands at the end of the
// pipeline and imports record, stat, pareto and arch.
//
// Figures are given to three significant digits or so, which is what paired
// timings hold on a noisy machine; an interval that has no finite end is a dash
// with a footnote, never a number.
package reports

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// Style is how a table is written.
type Style int

// The styles. Text is the zero value: columns set apart by spaces, for terminals
// and logs.
const (
	Text Style = iota
	Markdown
)

// column is a table's column. Numbers stand to the right, words to the left.
type column struct {
	name string
	left bool
}

// table is a table before it is written.
type table struct {
	columns []column
	rows    [][]string
	notes   []string // below, each with the mark that note gave it
	remarks []string // below the notes: what holds for the whole
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// note adds a footnote once and returns its mark, [a], [b] and so on. Marks in
// brackets are the same in a terminal and in Markdown.
func (t *table) note(text string) string {
	for i, n := range t.notes {
		if n == text {
			return mark(i)
		}
	}
	t.notes = append(t.notes, text)
	return mark(len(t.notes) - 1)
}

func mark(i int) string {
	if i < 26 {
		return "[" + string(rune('a'+i)) + "]"
	}
	return fmt.Sprintf("[%d]", i+1)
}

// ruled is the plain style: one rule of dashes under the header.
var ruled = tw.NewSymbolCustom("ruled").WithRow("-").WithColumn(" ").WithCenter("-").
	WithHeaderLeft("").WithHeaderMid("-").WithHeaderRight("").WithMidLeft("").WithMidRight("")

// write renders the table and its footnotes. A caller that has several tables
// parts them by a line itself.
func (t *table) write(w io.Writer, style Style) error {
	var out strings.Builder
	var r tw.Renderer
	switch style {
	case Text:
		r = renderer.NewBlueprint(tw.Rendition{
			Borders: tw.Border{Left: tw.Off, Right: tw.Off, Top: tw.Off, Bottom: tw.Off},
			Symbols: ruled,
			Settings: tw.Settings{
				Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off},
				Lines:      tw.Lines{ShowHeaderLine: tw.On},
			},
		})
	case Markdown:
		r = renderer.NewMarkdown()
	default:
		return fmt.Errorf("reports: style %d: want Text or Markdown", int(style))
	}
	align, header := make([]tw.Align, len(t.columns)), make([]string, len(t.columns))
	for i, c := range t.columns {
		align[i], header[i] = tw.AlignRight, c.name
		if c.left {
			align[i] = tw.AlignLeft
		}
	}
	cells := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off},
		Alignment:  tw.CellAlignment{PerColumn: align},
	}
	if style == Text {
		cells.Padding.Global = tw.Padding{Right: "  ", Overwrite: true}
	}
	table := tablewriter.NewTable(&out, tablewriter.WithRenderer(r), tablewriter.WithConfig(tablewriter.Config{Header: cells, Row: cells}))
	cell, line, inline := Plain, Plain, Plain
	if style == Markdown {
		cell, line, inline = markdownCell, markdownLine, inMarkdown
	}
	for i := range header {
		header[i] = cell(header[i])
	}
	table.Header(header)
	for _, row := range t.rows {
		escaped := make([]string, len(row))
		for i, text := range row {
			escaped[i] = cell(text)
		}
		if err := table.Append(escaped); err != nil {
			return fmt.Errorf("reports: %w", err)
		}
	}
	if err := table.Render(); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	var trimmed strings.Builder
	for line := range strings.Lines(out.String()) {
		trimmed.WriteString(strings.TrimRight(line, " \n"))
		trimmed.WriteByte('\n')
	}
	if len(t.notes)+len(t.remarks) > 0 {
		trimmed.WriteByte('\n')
	}
	bullet := map[Style]string{Markdown: "- "}[style]
	for i, n := range t.notes {
		trimmed.WriteString(bullet + mark(i) + " " + inline(n) + "\n")
	}
	for _, r := range t.remarks {
		trimmed.WriteString(bullet + line(r) + "\n")
	}
	_, err := io.WriteString(w, trimmed.String())
	return err
}

// errNoRows is for tables that would be a header alone.
var errNoRows = errors.New("reports: nothing to report: no rows")
