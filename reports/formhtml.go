package reports

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"
)

// The page is one file that loads nothing: style and script are in it.
var (
	//go:embed page/report.html.tmpl
	pageSource string
	//go:embed page/report.css
	pageCSS string
	//go:embed page/report.js
	pageScript string

	pageTemplate = template.Must(template.New("report").Parse(pageSource))
)

// longTable is how many rows a table has that the page folds, so that one comes to what is
// below it.
const longTable = 15

// pageView is what the template writes. It is made of parts alone, with every text a plain
// string that the template escapes for where it stands; only what this package draws, and its
// own style and script, are written as they are.
type pageView struct {
	Title  string
	Made   string
	Policy string
	Style  template.CSS
	Script template.JS
	Parts  []pagePart
}

// pagePart is a section. Blocks are each one of a table, figures or a list.
type pagePart struct {
	Key, Title string
	Lead       bool // the summary, which is at the top
	Prose      [][]pageText
	Blocks     []pageBlock
}

type pageBlock struct {
	Table   *pageTable
	Figures []pageFigure
	Items   [][]pageText
}

// pageText is words, or what shows numbers of the model.
type pageText struct {
	Text     string
	Interval string // that belongs to it, in brackets
	Paths    string // JSON pointers, a space between two
	As       scaling
	Name     bool // a string that somebody chose, in whatever direction it runs
}

type pageFigure struct {
	ID         string
	Title, Alt string
	Drawing    template.HTML
}

// pageTable is a table. Caption is of the table itself, Label of the region in which it scrolls.
type pageTable struct {
	Caption, Label string
	Folds, Sorts   bool
	Class          string // dense: intervals are below their figures; close: many columns
	Count          int
	Columns        []pageColumn
	Rows           []pageRow
	Notes          []string
	More           string
}

type pageColumn struct {
	Name  string
	Words bool
}

type pageRow struct {
	Mark  string
	Cells []pageCell
}

type pageCell struct {
	Shown pageText
	Head  bool // of its row
	Words bool
	Mark  string // its kind: good, bad, unsure
	Badge string // what the row is, where no cell of it says so
}

func (r *Report) writeHTML(w io.Writer) error {
	parts, err := r.parts()
	if err != nil {
		return err
	}
	return writePage(w, r, parts)
}

// writePage writes a report's parts as one file of HTML.
func writePage(w io.Writer, r *Report, parts []part) error {
	style := PlotCSS + pageCSS
	v := pageView{Title: Plain(r.Title), Style: template.CSS(style), Script: template.JS(pageScript)}
	if v.Title == "" {
		v.Title = "Report"
	}
	if !r.Made.IsZero() {
		v.Made = r.Made.UTC().Format(time.DateTime) + " UTC"
	}
	v.Policy = "default-src 'none'; style-src " + policyHash(style) + "; script-src " + policyHash(pageScript) + "; img-src data:; base-uri 'none'; form-action 'none'"
	for _, p := range parts {
		one, err := viewPart(p)
		if err != nil {
			return err
		}
		v.Parts = append(v.Parts, one)
	}
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, v); err != nil {
		return fmt.Errorf("reports: form %s: %w", FormHTML, err)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// policyHash is the source by which a policy lets in one style or script.
func policyHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func viewPart(p part) (pagePart, error) {
	out := pagePart{Key: p.key, Title: p.title, Lead: p.key == "summary", Prose: viewSentences(p.prose)}
	for _, b := range p.blocks {
		switch b := b.(type) {
		case *grid:
			out.Blocks = append(out.Blocks, pageBlock{Table: viewTable(b, p.title)})
		case *list:
			out.Blocks = append(out.Blocks, pageBlock{Items: viewSentences(b.items)})
		case figures:
			var all []pageFigure
			for i, plot := range b {
				var svg bytes.Buffer
				id := fmt.Sprintf("plot-%s-%d", p.key, i+1)
				if err := plot.Drawing.Inline(&svg, id, plot.Alt); err != nil {
					return out, fmt.Errorf("reports: plot %s: %w", plot.Name, err)
				}
				all = append(all, pageFigure{ID: id, Title: Plain(plot.Title), Alt: Plain(plot.Alt), Drawing: template.HTML(svg.String())})
			}
			out.Blocks = append(out.Blocks, pageBlock{Figures: all})
		}
	}
	return out, nil
}

func viewSentences(all []sentence) (out [][]pageText) {
	for _, s := range all {
		var one []pageText
		for _, c := range s {
			one = append(one, viewText(c))
		}
		out = append(out, one)
	}
	return out
}

func viewText(c cell) pageText {
	out := pageText{Text: Plain(c.text), Paths: strings.Join(c.paths, " "), As: c.as, Name: c.as == asWritten}
	if figure, interval, ok := strings.Cut(out.Text, " ["); ok && len(c.paths) == 3 {
		out.Text, out.Interval = figure, "["+interval
	}
	return out
}

func viewTable(g *grid, title string) *pageTable {
	t := &pageTable{Caption: Plain(g.caption), Label: Plain(g.caption), Folds: len(g.rows) > longTable, Sorts: g.sorts, Count: len(g.rows)}
	if t.Caption == "" {
		t.Label = title
	}
	if g.more > 0 {
		t.More = "The JSON and CSV forms of this report have " + Count(g.more, "more row") + "."
	}
	for _, n := range g.notes {
		t.Notes = append(t.Notes, Plain(n))
	}
	head := max(0, slices.IndexFunc(g.columns, func(c column) bool { return c.name == "check" }))
	for _, c := range g.columns {
		t.Columns = append(t.Columns, pageColumn{c.name, c.left})
	}
	intervals := 0
	for _, row := range g.rows {
		n := 0
		for _, c := range row {
			if len(c.paths) == 3 {
				n++
			}
		}
		intervals = max(intervals, n)
	}
	switch {
	case intervals > 2:
		t.Class = "dense"
	case len(g.columns) > 6:
		t.Class = "close"
	}
	for _, row := range g.rows {
		var r pageRow
		for i, c := range row {
			one := pageCell{Shown: viewText(c), Head: i == head, Words: g.columns[i].left}
			switch c.mark {
			case "pick", "baseline":
				r.Mark = c.mark
				if !slices.ContainsFunc(row, func(other cell) bool { return strings.Contains(other.text, c.mark) }) {
					one.Badge = c.mark
				}
			default:
				one.Mark = markKinds[c.mark]
			}
			r.Cells = append(r.Cells, one)
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

// markKinds are what verdicts and statuses mean for whoever reads them.
var markKinds = map[string]string{
	Passed: "good", "faster": "good", "same": "good", "reference": "good",
	Failed: "bad", "slower": "bad",
	CannotTell: "unsure",
}
