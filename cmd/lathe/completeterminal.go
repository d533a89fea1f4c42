package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/term"

	"lathe/finetune/predictor/lineedit"
)

// completeTerminal completes what is typed in the terminal.
func (a *app) completeTerminal(ctx context.Context, writers []*writer) (err error) {
	in, _ := isTerminal(a.stdin)
	out, _ := isTerminal(a.stdout)
	a.note("%s: Tab takes a suggestion, Esc dismisses it, Enter on an empty line begins anew, Ctrl-D ends", names(writers))
	was, err := term.MakeRaw(in)
	if err != nil {
		return fmt.Errorf("complete: the terminal: %w", err)
	}
	defer func() { err = errors.Join(err, term.Restore(in, was)) }()
	return lineedit.Run(ctx, lineedit.Options{
		In: a.stdin, Out: a.stdout, Prompt: "> ",
		Width: func() int {
			width, _, err := term.GetSize(out)
			if err != nil {
				return 0
			}
			return width
		},
		Suggest: func(ctx context.Context, text string) (s lineedit.Suggestion, err error) {
			var notes []string
			for i, w := range writers {
				c, err := w.completers[0].Complete(ctx, text)
				if err != nil {
					return s, err
				}
				note := costs(c)
				if i == 0 {
					s.Text = c.Suggestion
				} else {
					note = "baseline " + note
				}
				if i > 0 || c.Suggestion == "" {
					note += " " + bracketed(c)
				}
				notes = append(notes, note)
			}
			s.Note = strings.Join(notes, " | ")
			return s, nil
		},
	})
}

func names(writers []*writer) string {
	list := []string{writers[0].name}
	for _, w := range writers[1:] {
		list = append(list, "beside "+w.name)
	}
	return strings.Join(list, " ")
}
