package reports

import (
	"fmt"
	"io"
	"strings"
)

// StudyData is a study's report.
type StudyData struct {
	Title      string
	Outcome    []string // what came of it, a sentence each
	Conditions []KeyValue
	Rounds     []string // what each round of the search did
	Models     []StudyModel
	Finetuned  []string
	StudySuggestions
	Claims   []StudyClaim
	Figure1  string // file names; "": not drawn
	Figure3  string
	Warnings []string
}

// StudyMarkdown writes a study's report: the paper's tables and figures for it, the paper's
// own beside them.
func StudyMarkdown(w io.Writer, d StudyData) error {
	var out strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	list := func(lines []string) {
		for _, l := range lines {
			p("- %s", l)
		}
		p("")
	}
	var failed error
	put := func(write func() error) {
		if failed == nil {
			failed = write()
		}
		p("")
	}
	p("# %s\n", d.Title)
	list(d.Outcome)
	put(func() error {
		return KeyValues(&out, Markdown, KeyValue{Key: "condition", Value: "value"}, d.Conditions)
	})
	p("Intervals in brackets are of 95 %%. The paper is \"Can Neural Architecture Search Help us Find\nFaster LLM Architectures? Experiments with GPT-2 based Text Predictor\".\n")
	p("## What agrees with the paper\n")
	p("By rules: \"agrees\" and \"disagrees\" are what the interval leaves no doubt of; \"agrees within\nthe interval\" is where the figure does, and the interval does not rule the contrary out.\n")
	put(func() error { return StudyClaims(&out, Markdown, d.Claims) })
	p("## The search\n")
	list(d.Rounds)
	if d.Figure1 != "" {
		p("![Figure 1: the Pareto front after each iteration](%s)\n", d.Figure1)
	}
	if d.Figure3 != "" {
		p("![Figure 3: the sizes of the front's models](%s)\n", d.Figure3)
	}
	p("## Table 1: architectures and latency\n")
	put(func() error { return StudyTable1(&out, Markdown, d.Models) })
	p("The paper's:\n")
	put(func() error { return paperTable1(&out, Markdown) })
	p("## Table 2: after pretraining\n")
	put(func() error { return StudyTable2(&out, Markdown, d.Models) })
	p("The paper's:\n")
	put(func() error { return paperTable2(&out, Markdown) })
	p("## Table 3: held-out sentences\n")
	list(d.Finetuned)
	put(func() error { return StudyTable3(&out, Markdown, d.StudySuggestions) })
	if len(d.Exact) > 0 {
		p("Suggestions that are right as a whole, by their words:\n")
		put(func() error { return ExactTable(&out, Markdown, d.Exact) })
	}
	if len(d.Warnings) > 0 {
		p("## Warnings\n")
		list(d.Warnings)
	}
	if failed != nil {
		return failed
	}
	_, err := io.WriteString(w, strings.TrimRight(out.String(), "\n")+"\n")
	return err
}
