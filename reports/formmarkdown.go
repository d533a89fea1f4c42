package reports

import (
	"fmt"
	"io"
	"net/url"
	"strings"
)

// WriteMarkdown writes the report as GitHub's Markdown. figures is the folder, as seen from
// the file, in which the report's plots lie as SVG; "" is none, and then texts stand for
// them.
func (r *Report) WriteMarkdown(w io.Writer, folder string) error {
	all, err := r.parts()
	if err != nil {
		return err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "# %s\n", inMarkdown(r.Title))
	if !r.Made.IsZero() {
		fmt.Fprintf(&out, "\nMade %s.\n", moment(r.Made))
	}
	for _, p := range all {
		fmt.Fprintf(&out, "\n## %s\n", inMarkdown(p.title))
		for _, s := range p.prose {
			fmt.Fprintf(&out, "\n%s\n", markdownLine(s.text()))
		}
		for _, b := range p.blocks {
			switch b := b.(type) {
			case *grid:
				if b.caption != "" {
					fmt.Fprintf(&out, "\n%s\n", markdownLine(b.caption+":"))
				}
				out.WriteByte('\n')
				if err := b.write(&out, Markdown); err != nil {
					return err
				}
			case *list:
				out.WriteByte('\n')
				for _, s := range b.items {
					fmt.Fprintf(&out, "- %s\n", markdownLine(s.text()))
				}
			case figures:
				for _, plot := range b {
					out.WriteString("\n" + markdownFigure(plot, folder) + "\n")
				}
			}
		}
	}
	_, err = io.WriteString(w, out.String())
	return err
}

// markdownFigure is a plot, or what it shows.
func markdownFigure(p Plot, folder string) string {
	if folder == "" {
		return "Figure: " + inMarkdown(p.Alt)
	}
	steps := strings.Split(strings.TrimSuffix(folder, "/"), "/")
	for i, s := range steps {
		steps[i] = markdownPath.Replace(url.PathEscape(s))
	}
	return fmt.Sprintf("![%s](%s/%s.svg)", brackets.Replace(inMarkdown(p.Alt)), strings.Join(steps, "/"), p.Name)
}

// brackets end an image's text, unless they are escaped; those that inMarkdown escaped are.
var brackets = strings.NewReplacer(`\[`, `\[`, `\]`, `\]`, "[", `\[`, "]", `\]`)

// markdownPath are what a path has that would end a link.
var markdownPath = strings.NewReplacer("(", "%28", ")", "%29")
