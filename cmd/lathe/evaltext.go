package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"lathe/finetune/eval"
	"lathe/finetune/text"
	"lathe/finetune/tokenizer"
	"lathe/profiler/record"
)

// Values of --bos that are no token.
const (
	bosAuto = "auto"
	bosNone = "none"
)

// bosNames are the tokens that begin sequences of models that were trained with one
// before every text, as transformers' tokenizers add them: Llama 2's and Llama 3's.
var bosNames = []string{"<s>", "<|begin_of_text|>"}

// evalTokenizer is the tokenizer that texts are encoded by.
type evalTokenizer struct {
	eval.Encoder
	Tokenizer *tokenizer.Tokenizer
	path      string
}

// loadTokenizer loads the tokenizer that is named, or the one beside a model where none is,
// with the token that bos says begins texts.
func loadTokenizer(named, bos string, m scored) (*evalTokenizer, error) {
	path := named
	if path == "" {
		if m.home == "" {
			return nil, errors.New("random weights have no tokenizer: name one with --tokenizer")
		}
		path = homeOf(m.home)
	}
	tk, err := tokenizer.Load(path)
	if err != nil && named == "" {
		err = fmt.Errorf("%w; --tokenizer names the model's", err)
	}
	if err != nil {
		return nil, err
	}
	t := &evalTokenizer{Encoder: eval.Encoder{Tokenizer: tk}, Tokenizer: tk, path: path}
	t.Begin, err = beginning(bos, tk)
	return t, err
}

// homeOf is the folder of a model, in which its tokenizer is: of a file in a bundle's
// onnx/ the bundle.
func homeOf(path string) string {
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return path
	}
	dir := filepath.Dir(mustAbs(path))
	if filepath.Base(dir) == "onnx" {
		if _, err := os.Stat(filepath.Join(dir, "..", "tokenizer.json")); err == nil {
			return filepath.Dir(dir)
		}
	}
	return filepath.Dir(path)
}

// beginning is the id of the token before every document.
func beginning(name string, tk *tokenizer.Tokenizer) (*int64, error) {
	found := func(id int) (*int64, error) {
		begin := int64(id)
		return &begin, nil
	}
	switch name {
	case bosNone:
		return nil, nil
	case bosAuto:
		for _, name := range bosNames {
			if id, ok := tk.Special(name); ok {
				return found(id)
			}
		}
		return nil, nil
	}
	if id, ok := tk.Special(name); ok {
		return found(id)
	}
	id, err := strconv.Atoi(name)
	if err != nil {
		return nil, fmt.Errorf("--bos is %q: the tokenizer has no special token of that name; want one, an id, %s or %s", name, bosNone, bosAuto)
	}
	if _, ok := tk.Token(id); !ok {
		return nil, fmt.Errorf("--bos is %d: the tokenizer has ids from 0 to %d", id, tk.VocabSize()-1)
	}
	return found(id)
}

// checkTokenizer refuses a tokenizer that is not the model's, as far as numbers tell.
func checkTokenizer(path string, size int, of record.Subject) error {
	vocab := of.Vocab()
	if vocab > 0 && !mayBeOf(size, vocab) {
		return fmt.Errorf("the tokenizer %s has %d tokens and %s has %d: it is another model's", path, size, of.Name(), vocab)
	}
	return nil
}

// evalTexts are what is scored.
type evalTexts struct {
	documents []eval.Document
	passages  []eval.Passage
	size      func(id int64) (bytes, chars int)
	context   int // tokens of a window
}

// readTexts reads and encodes what the flags name.
func (a *app) readTexts(ctx context.Context, f *evalFlags, e eval.Encoder) (*evalTexts, error) {
	out := &evalTexts{size: e.Size}
	// read calls encode with each document, at most f.limit of them.
	read := func(what string, o text.Options, encode func(s string) error) error {
		o.Section = -1
		n := 0
		bar := a.bar(-1, what, false)
		defer bar.Finish()
		for d, err := range text.Documents(ctx, o) {
			if err == nil {
				err = encode(d.Text)
			}
			if err != nil {
				if ctx.Err() == nil {
					err = unlessDenied(err)
				}
				return err
			}
			bar.Add(1)
			if n++; n == f.limit {
				break
			}
		}
		return nil
	}
	fields := f.fields
	if fields == nil {
		fields = []string{"text"}
	}
	if len(f.text) > 0 {
		o := text.Options{Paths: f.text, Fields: fields, Separator: f.separator, Whole: f.whole}
		err := read("reading text", o, func(s string) error {
			out.documents = append(out.documents, e.Document(s))
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(out.documents) == 0 {
			return nil, badInput(errors.New("eval: --text has no document"))
		}
	}
	if f.lambada != "" {
		o := text.Options{Paths: []string{f.lambada}, Fields: []string{"text"}}
		err := read("reading passages", o, func(s string) error {
			p, err := e.Passage(s)
			if err != nil {
				return fmt.Errorf("%s: passage %d: %w", f.lambada, len(out.passages)+1, err)
			}
			out.passages = append(out.passages, p)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(out.passages) == 0 {
			return nil, badInput(fmt.Errorf("%s has no passage", f.lambada))
		}
	}
	return out, nil
}
