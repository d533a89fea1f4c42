package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/spf13/pflag"

	"lathe/finetune/predictor"
	"lathe/finetune/text"
)

// Streams of random numbers of one seed.
const (
	casesStream     = 0x63617365 // "case": where sentences are cut
	measuresStream  = 0x6d656173 // "meas": intervals of measures
	calibrateStream = 0x63616c69 // "cali": intervals of thresholds
	requestsStream  = 0x72657175 // "requ": the order in which requests are timed
)

// caseFlags say of which text sentences are to be completed.
type caseFlags struct {
	text      []string
	fields    []string
	separator string
	whole     bool
	options   predictor.CaseOptions
}

// add adds the flags; of says the name of the one that names the text.
func (f *caseFlags) add(fs *pflag.FlagSet, name, usage string) {
	fs.StringArrayVar(&f.text, name, nil, usage+", `FILE`, folder or pattern; may be repeated")
	f.sizes(fs)
}

// sizes adds those that say how many cases there are.
func (f *caseFlags) sizes(fs *pflag.FlagSet) {
	fs.IntVar(&f.options.Cases, "cases", 1000, "sentences to complete, a random sample; 0: all")
	fs.IntVar(&f.options.PerDocument, "per-document", 0, "most sentences of a document (default 2)")
	fs.IntVar(&f.options.MaxContext, "context-chars", 0, "most characters of a document before the place (default 1000)")
}

// read makes cases of the text.
func (f *caseFlags) read(ctx context.Context, a *app, seed uint64) ([]predictor.Case, predictor.CaseStats, error) {
	fields := f.fields
	if fields == nil {
		fields = []string{"text"}
	}
	o := text.Options{Paths: f.text, Fields: fields, Separator: f.separator, Whole: f.whole, Section: -1}
	bar := a.bar(-1, "reading text", false)
	defer bar.Finish()
	texts := func(yield func(string, error) bool) {
		for d, err := range text.Documents(ctx, o) {
			bar.Add(1)
			if !yield(d.Text, err) {
				return
			}
		}
	}
	cases, stats, err := predictor.Cases(ctx, texts, f.options, rand.New(rand.NewPCG(seed, casesStream)))
	if err != nil {
		if ctx.Err() == nil {
			err = unlessDenied(err)
		}
		return nil, stats, err
	}
	return cases, stats, nil
}

// describe says what the cases are.
func describeCases(n int, s predictor.CaseStats) string {
	out := fmt.Sprintf("%d sentences to complete, of %d documents, cut at random places", n, s.Documents-s.Repeated-s.Short)
	if s.Repeated > 0 {
		out += fmt.Sprintf("; %d repeated documents left out", s.Repeated)
	}
	return out
}

var errNoText = errors.New("there is no text to complete sentences of: give --text FILE")
