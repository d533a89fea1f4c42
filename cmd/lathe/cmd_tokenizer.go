package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"lathe/finetune/text"
	"lathe/finetune/tokenizer"
)

// tokenizerFlags are what lathe tokenizer reads, and what it makes of it.
type tokenizerFlags struct {
	out     string
	sources []text.Options // one after the other
	learnt  tokenizer.Training
}

// documents are those of all sources.
func (f tokenizerFlags) documents(ctx context.Context) iter.Seq2[text.Document, error] {
	return func(yield func(text.Document, error) bool) {
		for _, o := range f.sources {
			for d, err := range text.Documents(ctx, o) {
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

func (a *app) cmdTokenizer() *cobra.Command {
	f := tokenizerFlags{sources: make([]text.Options, 1), learnt: tokenizer.Training{Workers: runtime.GOMAXPROCS(0)}}
	source := &f.sources[0]
	cmd := &cobra.Command{
		Use:   "tokenizer TEXT...",
		Short: "Learn a tokenizer's vocabulary from text",
		Long: `Learn a byte-level BPE vocabulary, as GPT-2 has one, from your own text, for a model
that you train from scratch. A model that is trained already keeps its own tokenizer.

TEXT is files, folders and patterns: text (.txt, .text, .md), or JSON, an object a
line (.jsonl, .ndjson, .json) of which --field says what is text; each may be
compressed (.gz). Folders are searched, with those below.

The pair of tokens that stands side by side most often becomes a token, again and
again, until the vocabulary has --vocab of them. A small model does best with a small
one: its embedding takes vocab x d_model parameters, most of a model of a few
millions with 50257. Fewer than 2000 make texts long; 4096 to 8192 suit some
megabytes of text in one language. Text that repeats itself too little gives fewer
tokens than asked for.

The folder gets a tokenizer.json, which Hugging Face's tokenizers and transformers
open as they are, and the tokenizer_config.json that they look for.`,
		Example: `  lathe tokenizer mail/ -o tokenizer --vocab 4096
  lathe tokenizer mail.jsonl.gz --field subject --field body -o tokenizer
  lathe tokenizer "notes/*.txt" -o tokenizer --special "<|endoftext|>" --special "<|reply|>"`,
		Args: minArgs(1, "TEXT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			source.Paths = args
			r, err := a.learnTokenizer(cmd.Context(), f)
			if err != nil {
				return err
			}
			return a.printLearnt(*r, f.learnt.Vocab)
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.out, "output", "o", "", "`FOLDER` to write the tokenizer to")
	fs.IntVar(&f.learnt.Vocab, "vocab", 4096, "`NUMBER` of tokens, special ones and the 256 bytes among them")
	fs.StringArrayVar(&f.learnt.Special, "special", []string{tokenizer.EndOfText}, "special token by `NAME`; the first stands between documents; may be repeated")
	fs.IntVar(&f.learnt.MinCount, "min-count", 2, "times that two tokens stand side by side at least to become one")
	fs.StringArrayVar(&source.Fields, "field", nil, "JSON field that is text, by `NAME` (default body); may be repeated")
	fs.StringVar(&source.Separator, "separator", "", "`TEXT` between the documents of a text file, which is not learnt (default "+tokenizer.EndOfText+")")
	return cmd
}

// learnt is what lathe tokenizer reports.
type learnt struct {
	Vocab         int     `json:"vocab"`
	Merges        int     `json:"merges"`
	Documents     int     `json:"documents"`
	Characters    int     `json:"characters"`
	CharsPerToken float64 `json:"chars_per_token"` // of the text's beginning
	File          string  `json:"file"`
}

// learnTokenizer learns one and writes it.
func (a *app) learnTokenizer(ctx context.Context, f tokenizerFlags) (*learnt, error) {
	if f.out == "" {
		return nil, badInput(errors.New("--output is missing: name the folder that the tokenizer goes to"))
	}
	if f.learnt.MinCount < 1 {
		return nil, badInput(fmt.Errorf("--min-count is %d: want 1 or more", f.learnt.MinCount))
	}
	if err := f.learnt.Validate(); err != nil {
		return nil, badInput(err)
	}
	file := filepath.Join(f.out, "tokenizer.json")
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return nil, badInput(fmt.Errorf("%s is there already, and models may have been trained with it: name another folder, or remove it", file))
	}
	reading := a.bar(1, "reading", true)
	for i := range f.sources {
		f.sources[i].Progress = func(_ text.Stage, done, of int64) {
			reading.ChangeMax64(of)
			reading.Set64(done)
		}
	}
	merging := a.bar(1, "learning", false)
	f.learnt.Progress = func(done, of int) {
		merging.ChangeMax(of)
		merging.Set(done)
	}
	var r learnt
	r.File = file
	var sample []string
	tr, err := tokenizer.Train(ctx, r.counted(f.documents(ctx), &sample), f.learnt)
	reading.Finish()
	merging.Finish()
	if err == nil && r.Documents == 0 {
		err = errors.New("the text is nothing but white space")
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, badInput(err)
	}
	tk, err := tr.Tokenizer()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(create(file, tr.Write), create(filepath.Join(f.out, "tokenizer_config.json"), tr.WriteConfig)); err != nil {
		return nil, err
	}
	chars, tokens := 0, 0
	for _, s := range sample {
		chars += utf8.RuneCountInString(s)
		tokens += len(tk.Encode(s))
	}
	r.CharsPerToken = float64(chars) / float64(tokens)
	r.Vocab = tr.VocabSize()
	r.Merges = r.Vocab - 256 - len(f.learnt.Special)
	return &r, nil
}

// sampleBytes of text say how many characters a token has.
const sampleBytes = 1 << 20

// counted counts documents as they go by, and keeps the first.
func (r *learnt) counted(docs iter.Seq2[text.Document, error], sample *[]string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		kept := 0
		for d, err := range docs {
			if d.Begins {
				r.Documents++
			}
			r.Characters += utf8.RuneCountInString(d.Text)
			if kept < sampleBytes {
				kept += len(d.Text)
				*sample = append(*sample, d.Text)
			}
			if !yield(d.Text, err) {
				return
			}
		}
	}
}

func (a *app) printLearnt(r learnt, asked int) error {
	if a.json {
		return a.printJSON(r)
	}
	documents := "documents"
	if r.Documents == 1 {
		documents = "document"
	}
	fmt.Fprintf(a.stdout, "%d tokens, %d of them merges, learnt from %d characters in %d %s; a token has %.2f characters.\n", r.Vocab, r.Merges, r.Characters, r.Documents, documents, r.CharsPerToken)
	if r.Vocab < asked {
		fmt.Fprintf(a.stdout, "%d were asked for: the text has no more pairs that come twice. Give more text, or take a vocabulary of %d.\n", asked, r.Vocab)
	}
	_, err := io.WriteString(a.stdout, "Written to "+r.File+".\n")
	return err
}
