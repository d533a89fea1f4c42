package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"lathe/finetune/predictor/page"
)

// longestLine is the most bytes of a text on the standard input: far more than any model
// here reads.
const longestLine = 1 << 20

// completedLine is what comes of a line, as JSON.
type completedLine struct {
	Text string `json:"text"`
	completedBy
	Baseline *completedBy `json:"baseline,omitempty"`
}

type completedBy struct {
	Model string `json:"model"`
	page.Completion
}

// completeLines completes each line of the standard input as it comes.
func (a *app) completeLines(ctx context.Context, writers []*writer) error {
	n := 0
	for text, err := range readLines(ctx, a.stdin) {
		n++
		if errors.Is(err, bufio.ErrTooLong) {
			err = badInput(fmt.Errorf("complete: line %d of the standard input: more than %d bytes; want a text a line", n, longestLine))
		}
		if err != nil {
			return err
		}
		line := completedLine{Text: text}
		for i, w := range writers {
			c, err := w.completers[0].Complete(ctx, line.Text)
			if err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
			if by := (completedBy{w.name, c}); i == 0 {
				line.completedBy = by
			} else {
				line.Baseline = &by
			}
		}
		if err := a.printCompleted(&line); err != nil {
			return err
		}
	}
	if n == 0 {
		return badInput(errors.New("complete: the standard input is empty: want a text on each line, or a terminal to type in"))
	}
	a.noteRemarks(writers)
	return nil
}

// noteRemarks says at the end what was out of the ordinary.
func (a *app) noteRemarks(writers []*writer) {
	for _, w := range writers {
		for _, remark := range w.remarks() {
			a.note("warning: %s", remark)
		}
	}
}

// readLines yields lines as they come, until ctx ends, which a read does not.
func readLines(ctx context.Context, in io.Reader) iter.Seq2[string, error] {
	type line struct {
		text string
		err  error
	}
	return func(yield func(string, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		lines := make(chan line)
		send := func(l line) bool {
			select {
			case lines <- l:
				return true
			case <-ctx.Done():
				return false
			}
		}
		go func() {
			defer close(lines)
			s := bufio.NewScanner(in)
			s.Buffer(nil, longestLine)
			for s.Scan() {
				if !send(line{text: s.Text()}) {
					return
				}
			}
			if err := s.Err(); err != nil {
				send(line{err: err})
			}
		}()
		for {
			select {
			case <-ctx.Done():
				yield("", ctx.Err())
				return
			case l, ok := <-lines:
				if !ok || !yield(l.text, l.err) {
					return
				}
			}
		}
	}
}

func (a *app) printCompleted(l *completedLine) error {
	if a.json {
		return newEncoder(a.stdout).Encode(l)
	}
	if l.Baseline == nil {
		_, err := fmt.Fprintf(a.stdout, "%s%s  %s\n", l.Text, bracketed(l.Completion), costs(l.Completion))
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "%s\n  pick      %s  %s\n  baseline  %s  %s\n", l.Text,
		bracketed(l.Completion), costs(l.Completion), bracketed(l.Baseline.Completion), costs(l.Baseline.Completion))
	return err
}

// bracketed is a suggestion, whose spaces are then seen, or why there is none.
func bracketed(c page.Completion) string {
	if c.Suggestion == "" {
		return "[] (" + c.Why + ")"
	}
	return "[" + c.Suggestion + "]"
}
