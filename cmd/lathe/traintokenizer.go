package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"lathe/finetune/tokenizer"
	"lathe/graphgen/arch"
)

// tokenizerFiles are what a tokenizer may consist of, and what transformers keeps beside
// it.
var tokenizerFiles = []string{
	"tokenizer.json", "vocab.json", "merges.txt", "tokenizer.model", "tokenizer.bin",
	"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "generation_config.json", "chat_template.jinja",
}

// trainTokenizer is a tokenizer and the file or folder that it is from.
type trainTokenizer struct {
	*tokenizer.Tokenizer
	path string
}

// trainTokenizer loads the tokenizer that is named, or that of the model's folder.
func (a *app) trainTokenizer(f *trainFlags, s trainStart) (*trainTokenizer, error) {
	t := &trainTokenizer{path: f.tokenizer}
	if t.path == "" {
		if s.own == nil {
			return nil, badInput(errors.New(f.command + ": no tokenizer: give --tokenizer FILE; lathe tokenizer makes one of your text"))
		}
		t.path = s.own.path
		if info, err := os.Stat(t.path); err == nil && !info.IsDir() {
			t.path = filepath.Dir(t.path)
		}
	}
	var err error
	if t.Tokenizer, err = tokenizer.Load(t.path); err != nil {
		if f.tokenizer == "" {
			err = fmt.Errorf("%w; --tokenizer names the model's", err)
		}
		return nil, badInput(err)
	}
	return t, checkVocabulary(f.command, t, s.candidate.Spec)
}

// mayBeOf reports whether a tokenizer of so many tokens may be that of a model of vocab: one
// that has rows which no token uses, to a round number or some hundreds (phi-2 has 905 of
// 51200).
func mayBeOf(tokens, vocab int) bool {
	return tokens <= vocab && tokens >= vocab-min(1024, max(64, vocab/32))
}

// checkVocabulary refuses a tokenizer that is not the model's, as far as numbers tell.
func checkVocabulary(command string, t *trainTokenizer, spec arch.Spec) error {
	n := t.VocabSize()
	if mayBeOf(n, spec.Vocab) {
		return nil
	}
	vocab := spec.Vocab
	better := "it is another model's"
	switch command {
	case "train":
		spec.Vocab = n
		better = "train " + spec.Name()
	case "search":
		better = fmt.Sprintf("let space.vocab be %d", n)
	}
	return badInput(fmt.Errorf("%s: the tokenizer %s has %d tokens, and the model's vocabulary %d: %s", command, t.path, n, vocab, better))
}

// unlessStopped marks an error of the text as bad input, unless ctx was cancelled or the
// system refused.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return unlessDenied(err)
}

// save puts the tokenizer's files in a folder.
func (t *trainTokenizer) save(dir string) error {
	from, single := t.path, ""
	if info, err := os.Stat(t.path); err == nil && !info.IsDir() {
		from, single = filepath.Split(t.path)
	}
	if mustAbs(from) == mustAbs(dir) {
		return nil
	}
	if single != "" && !slices.Contains(tokenizerFiles, single) { // by a name of its own
		return copyFile(t.path, filepath.Join(dir, t.usualName(single)))
	}
	for _, name := range tokenizerFiles {
		err := copyFile(filepath.Join(from, name), filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// usualName is the name under which a folder's tokenizer of that kind is found.
func (t *trainTokenizer) usualName(file string) string {
	switch filepath.Ext(file) {
	case ".bin":
		return "tokenizer.bin"
	case ".model":
		return "tokenizer.model"
	}
	return "tokenizer.json"
}

// mustAbs is the path as it is from any folder, or itself in a folder that is gone.
func mustAbs(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return abs
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return create(to, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
}

// ending is the id that stands behind every document, or -1.
func (f *trainFlags) ending(tk *tokenizer.Tokenizer) (int, error) {
	switch f.end {
	case "none":
		return -1, nil
	case "":
		if id, ok := tk.Ending(); ok {
			return id, nil
		}
		return -1, nil
	}
	id, ok := tk.Special(f.end)
	if !ok {
		return 0, badInput(fmt.Errorf("%s: --end is %q: the tokenizer has no special token of that name", f.command, f.end))
	}
	return id, nil
}
