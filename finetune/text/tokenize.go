package text

import (
	"context"
	"sync"
	"unicode/utf8"
)

// encoded is a document as tokens.
type encoded struct {
	part   Part
	ids    []uint32
	prompt int // of ids, the first that the loss does not count on
	chars  int // code points of the text, without the prompt
}

// encode makes tokens of d.
func encode(d Document, o Options) encoded {
	e := encoded{part: d.In(*o.Split), chars: utf8.RuneCountInString(d.Text)}
	first := d.Begins
	add := func(s string) {
		for len(s) > 0 {
			n := len(s)
			if n > maxEncode {
				n = cutAt([]byte(s[:maxEncode+1]), maxEncode)
			}
			ids := o.Tokenizer.Continue
			if first {
				ids = o.Tokenizer.Encode
			}
			for _, id := range ids(s[:n]) {
				e.ids = append(e.ids, uint32(id))
			}
			s, first = s[n:], false
		}
	}
	add(d.Prompt)
	e.prompt = len(e.ids)
	add(d.Text)
	if d.Ends && o.EndOfText >= 0 {
		e.ids = append(e.ids, uint32(o.EndOfText))
	}
	return e
}

// maxEncode bounds what is encoded at once: ids take eight times its bytes.
const maxEncode = 1 << 20

// jobBytes of text are tokenized at a time.
const jobBytes = 1 << 18

// tokenize reads files and calls write with their documents as tokens, in the order of
// the files whatever the number of workers. read is told of the files' bytes.
func tokenize(ctx context.Context, files []file, o Options, read func(n int), write func(encoded) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	type job struct {
		docs []Document
		done chan []encoded
	}
	jobs := make(chan job, o.Workers)
	order := make(chan job, 2*o.Workers)
	var wait sync.WaitGroup
	for range o.Workers {
		wait.Go(func() {
			for j := range jobs {
				all := make([]encoded, 0, len(j.docs))
				for _, d := range j.docs {
					if ctx.Err() != nil {
						break
					}
					all = append(all, encode(d, o))
				}
				j.done <- all
			}
		})
	}
	wait.Go(func() {
		defer close(order)
		defer close(jobs)
		var docs []Document
		size := 0
		hand := func() {
			j := job{docs, make(chan []encoded, 1)}
			docs, size = nil, 0
			jobs <- j
			order <- j
		}
		for _, f := range files {
			for d, err := range f.documents(ctx, o, read) {
				if err != nil {
					stop(err)
					return
				}
				docs = append(docs, d)
				if size += len(d.Prompt) + len(d.Text); size >= jobBytes {
					hand()
				}
			}
		}
		hand()
	})
	for j := range order {
		for _, e := range <-j.done {
			if ctx.Err() != nil {
				break // but take what is left, so that everyone ends
			}
			if err := write(e); err != nil {
				stop(err)
			}
		}
	}
	wait.Wait()
	return context.Cause(ctx)
}
