package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// pairs of vocabulary and merges, by name: as Hugging Face has them, and as GPT-2
// was published.
var pairs = [][2]string{{"vocab.json", "merges.txt"}, {"encoder.json", "vocab.bpe"}}

// maxFile bounds a tokenizer's file; the largest known have some 35 MB.
const maxFile = 1 << 28

// Load reads a tokenizer from a folder, which has a tokenizer.json or a vocab.json
// and a merges.txt, or from one of these files.
func Load(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	dir, name := path, ""
	if !info.IsDir() {
		dir, name = filepath.Split(path)
	}
	for _, p := range pairs {
		if name == p[0] || name == p[1] {
			return loadPair(filepath.Join(dir, p[0]), filepath.Join(dir, p[1]))
		}
	}
	if name != "" {
		return loadJSON(path)
	}
	if file := filepath.Join(dir, "tokenizer.json"); exists(file) {
		return loadJSON(file)
	}
	for _, p := range pairs {
		if exists(filepath.Join(dir, p[0])) {
			return loadPair(filepath.Join(dir, p[0]), filepath.Join(dir, p[1]))
		}
	}
	if file := filepath.Join(dir, "tokenizer.model"); exists(file) {
		return nil, fmt.Errorf("tokenizer: %s is a SentencePiece model: supported is %s", file, supported)
	}
	return nil, fmt.Errorf("tokenizer: %s has neither a tokenizer.json nor a vocab.json and merges.txt", path)
}

const supported = "byte-level BPE as GPT-2 has it"

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func loadJSON(path string) (*Tokenizer, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	return ParseJSON(data, path)
}

func loadPair(vocabPath, mergesPath string) (*Tokenizer, error) {
	vocab, err := read(vocabPath)
	if err != nil {
		return nil, err
	}
	merges, err := read(mergesPath)
	if err != nil {
		return nil, err
	}
	return ParsePair(vocab, merges, vocabPath, mergesPath)
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("tokenizer: %s has %d bytes: no tokenizer has more than %d", path, info.Size(), maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return data, nil
}

// ParsePair reads a vocabulary, a JSON object of tokens and their ids, and its
// merges, a line each. The names are for errors. Tokens that no merge makes, such
// as <|endoftext|>, are special.
func ParsePair(vocab, merges []byte, vocabName, mergesName string) (*Tokenizer, error) {
	fail := func(name string, err error) (*Tokenizer, error) {
		return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	var ids map[string]int
	if err := json.Unmarshal(vocab, &ids); err != nil {
		return fail(vocabName, explain(vocab, 0, err))
	}
	if len(ids) == 0 {
		return fail(vocabName, errors.New("no tokens: want a JSON object of tokens and ids"))
	}
	var list []merge
	made := make(map[string]bool, len(ids))
	for i, line := range strings.Split(string(merges), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || i == 0 && strings.HasPrefix(line, "#version") {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return fail(fmt.Sprintf("%s:%d", mergesName, i+1), fmt.Errorf("%.60q: want two tokens with a space between them", line))
		}
		list = append(list, merge{left, right, func() string { return fmt.Sprintf("line %d", i+1) }})
		made[left+right] = true
	}
	var extra []added
	for token, id := range ids {
		if !made[token] && isName(token) {
			extra = append(extra, added{token, id, true})
		}
	}
	t, err := build(ids, list, extra)
	if err != nil {
		return fail(vocabName+" and "+mergesName, err)
	}
	return t, nil
}

// isName reports whether a token that no merge makes looks like a special token.
func isName(token string) bool {
	return len(token) > 2 && (token[0] == '<' && token[len(token)-1] == '>' || token[0] == '[' && token[len(token)-1] == ']')
}

// explain says where in data an error of encoding/json is, for a value that begins
// at from.
func explain(data []byte, from int64, err error) error {
	offset := int64(-1)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = from + syntax.Offset
	case errors.As(err, &kind):
		offset = from + kind.Offset
		err = fmt.Errorf("%s: a %s, want %s", orText(kind.Field, "the file"), kind.Value, kindOf(kind.Type.String()))
	}
	if offset < 0 || offset > int64(len(data)) {
		return err
	}
	line := 1 + bytes.Count(data[:offset], []byte("\n"))
	column := offset - int64(bytes.LastIndexByte(data[:offset], '\n')) - 1
	if offset == int64(len(data)) {
		err = fmt.Errorf("the file ends here, inside its JSON (%w): is it whole?", err)
	}
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}

// kindOf is a Go type in the words of JSON.
func kindOf(goType string) string {
	switch {
	case goType == "int":
		return "a whole number"
	case goType == "string":
		return "text"
	case goType == "bool":
		return "true or false"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	}
	return "an object"
}

func orText(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
