package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"lathe/finetune/tokenizer"
	"lathe/graphgen/bundle"
	"lathe/graphgen/hf"
)

// exportTokenizer is a tokenizer in the form that a bundle has it in.
type exportTokenizer struct {
	*tokenizer.Tokenizer
	path  string
	files map[string][]byte // of the bundle, by name

	begins bool // a token is put before every text
}

// noTokenizer is the value of --tokenizer for a bundle that is fed with ids.
const noTokenizer = "none"

// beside are files that a model's folder has beside its tokenizer, and which go where
// it goes: chats' form, tokens that were added, the vocabulary in its first form.
var tokenizerBeside = []string{"added_tokens.json", "chat_template.jinja", "tokenizer.model", "spiece.model"}

// maxBeside bounds such a file.
const maxBeside = 64 << 20

// findTokenizer finds the model's tokenizer, and the ids of its special tokens.
func (x *exportPlan) findTokenizer() error {
	path := x.flags.tokenizer
	own := x.source.own
	if own != nil {
		x.tokens = tokensOf(own)
	}
	switch {
	case path == noTokenizer:
		if len(x.flags.text.text) > 0 {
			return errors.New("export: --text is read by the tokenizer, and there is none")
		}
		x.warnings = append(x.warnings, "there is no tokenizer in the bundle: loaders that are given text will not open it")
		return nil
	case path == "" && own == nil:
		return errors.New("export: random weights have no tokenizer: name one with --tokenizer, or none")
	case path == "":
		path = homeOf(own.path)
	}
	tk, err := tokenizer.Load(path)
	if err != nil {
		if x.flags.tokenizer == "" {
			err = fmt.Errorf("%w; --tokenizer names the model's, or none", err)
		}
		return err
	}
	if n := tk.VocabSize(); !mayBeOf(n, x.spec().Vocab) {
		return fmt.Errorf("export: the tokenizer %s has %d tokens and %s has %d: it is another model's", path, n, x.spec().Name(), x.spec().Vocab)
	}
	t := &exportTokenizer{Tokenizer: tk, path: path, files: map[string][]byte{}}
	begin, err := t.beginning(x.flags.bos)
	if err != nil {
		return err
	}
	if t.files[bundle.TokenizerFile], err = tokenizer.Convert(path, begin); err != nil {
		return err
	}
	begin = tokenizer.Begins(t.files[bundle.TokenizerFile]) // a tokenizer.json says so itself
	t.begins = begin != ""
	if tk.UnigramBytes() && (slices.Contains(x.loaders, bundle.TransformersJS) || slices.Contains(x.loaders, bundle.GenAI)) {
		return fmt.Errorf("export: the tokenizer %s is a Unigram model with bytes for the characters that it lacks, in whose place transformers.js and genai have the unknown token: export for optimum, or train with a BPE", path)
	}
	if err := t.readBeside(); err != nil {
		return err
	}
	t.files[bundle.TokenizerConfig], t.files[bundle.SpecialTokensFile], err = tk.FormatConfig(t.files[bundle.TokenizerConfig], tokenizer.Config{Begin: begin, Positions: x.spec().Positions})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := t.same(); err != nil {
		return err
	}
	x.tokenizer = t
	x.tokens = t.complete(x.tokens, begin)
	return nil
}

// tokensOf are the ids that a model's configuration has.
func tokensOf(m *userModel) (t bundle.Tokens) {
	var text bytes.Buffer
	sep := byte('{')
	for key, v := range m.tokens {
		fmt.Fprintf(&text, "%c%q:%s", sep, key, v)
		sep = ','
	}
	if text.Len() == 0 {
		return t
	}
	text.WriteByte('}')
	t, _ = bundle.ParseGeneration("", text.Bytes()) // what is not an id is not known
	return t
}

// complete fills in ids that nobody has named, from the tokenizer's own names.
func (t *exportTokenizer) complete(k bundle.Tokens, begin string) bundle.Tokens {
	if end, ok := t.Ending(); ok && len(k.End) == 0 {
		k.End = []int{end}
	}
	if id, ok := t.Special(begin); ok && k.Begin == nil {
		k.Begin = &id
	}
	if k.Begin == nil && len(k.End) > 0 {
		k.Begin = &k.End[0]
	}
	if k.Pad == nil && len(k.End) > 0 {
		k.Pad = &k.End[0]
	}
	return k
}

// beginning is the name of the token before every text, "" for none.
func (t *exportTokenizer) beginning(flag string) (string, error) {
	id, err := beginning(flag, t.Tokenizer)
	if err != nil || id == nil {
		return "", err
	}
	name, _ := t.Token(int(*id))
	return name, nil
}

// usualTokenizers are files by whose names a model's own folder has its tokenizer.
var usualTokenizers = []string{"tokenizer.json", "vocab.json", "merges.txt", "tokenizer.model", "spiece.model"}

// folder is the model's folder that the tokenizer is in, "" where it is a file by
// itself: what lies beside that may be another's.
func (t *exportTokenizer) folder() string {
	if info, err := os.Stat(t.path); err == nil && !info.IsDir() {
		if slices.Contains(usualTokenizers, filepath.Base(t.path)) {
			return filepath.Dir(t.path)
		}
		return ""
	}
	for _, name := range usualTokenizers {
		if _, err := os.Stat(filepath.Join(t.path, name)); err == nil {
			return t.path
		}
	}
	return ""
}

// readBeside takes over what stands beside the tokenizer.
func (t *exportTokenizer) readBeside() error {
	folder := t.folder()
	if folder == "" {
		return nil
	}
	for _, name := range append([]string{bundle.TokenizerConfig}, tokenizerBeside...) {
		// What a link has elsewhere would be published with the model.
		text, err := hf.ReadFile(folder, name, maxBeside)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		t.files[name] = text
	}
	return nil
}

// same reports a converted tokenizer that gives other ids than the one that was
// converted, on the text of its own tokens.
func (t *exportTokenizer) same() error {
	again, err := tokenizer.ParseJSON(t.files[bundle.TokenizerFile], t.path)
	if err != nil {
		return err
	}
	for id := range t.VocabSize() {
		text, _ := t.Token(id)
		a, b := t.Encode(text), again.Encode(text)
		if fmt.Sprint(a) != fmt.Sprint(b) {
			return fmt.Errorf("export: %s as a tokenizer.json makes %v of %q, and it makes %v: give the model's own tokenizer.json", t.path, b, text, a)
		}
	}
	return nil
}

// write writes the tokenizer's files.
func (t *exportTokenizer) write(dir string) error {
	for name, text := range t.files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	return nil
}
