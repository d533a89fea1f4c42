package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pairs of vocabulary and merges, by name: as Hugging Face has them, and as GPT-2
// was published.
var pairs = [][2]string{{"vocab.json", "merges.txt"}, {"encoder.json", "vocab.bpe"}}

// single are names of files that are a tokenizer each; of several in a folder the
// first is read.
var single = []string{"tokenizer.json", "tokenizer.model", "spiece.model", "tokenizer.bin"}

// maxFile bounds a tokenizer's file; the largest known have some 35 MB.
const maxFile = 1 << 28

// Load reads a tokenizer from a folder, which has a tokenizer.json, a vocab.json and
// a merges.txt, a tokenizer.model or a tokenizer.bin, or from one of these files. A
// file by another name is told by what is in it.
func Load(path string) (*Tokenizer, error) {
	files, err := find(path)
	switch {
	case err != nil:
		return nil, err
	case len(files) == 2:
		return loadPair(files[0], files[1])
	}
	return loadSingle(files[0])
}

// find is the file of a tokenizer, or the vocabulary and the merges of one.
func find(path string) (files []string, err error) {
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
			return []string{filepath.Join(dir, p[0]), filepath.Join(dir, p[1])}, nil
		}
	}
	if name != "" {
		return []string{path}, nil
	}
	if file := filepath.Join(dir, single[0]); exists(file) {
		return []string{file}, nil
	}
	for _, p := range pairs {
		if exists(filepath.Join(dir, p[0])) {
			return []string{filepath.Join(dir, p[0]), filepath.Join(dir, p[1])}, nil
		}
	}
	for _, name := range single[1:] {
		if file := filepath.Join(dir, name); exists(file) {
			return []string{file}, nil
		}
	}
	return nil, fmt.Errorf("tokenizer: %s has neither a tokenizer.json nor a vocab.json and merges.txt, a tokenizer.model or a tokenizer.bin", path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// form is what a file is that is a tokenizer by itself.
type form int8

const (
	formJSON form = iota
	formBin
	formModel
)

// loadSingle reads a file that is a tokenizer by itself.
func loadSingle(path string) (*Tokenizer, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	form, err := formOf(path, data)
	switch {
	case err != nil:
		return nil, err
	case form == formJSON:
		return ParseJSON(data, path)
	case form == formBin:
		return ParseBin(data, path)
	}
	return ParseModel(data, path)
}

// formOf tells it by name and contents.
func formOf(path string, data []byte) (form, error) {
	switch begin := data[:min(len(data), 64)]; {
	case filepath.Ext(path) == ".json" || looksLikeJSON(begin):
		return formJSON, nil
	case looksLikeRanks(begin):
		return 0, fmt.Errorf("tokenizer: %s has tiktoken's ranks, which do not say how text is parted: want the model's tokenizer.json", path)
	case len(begin) >= 4 && binary.LittleEndian.Uint32(begin) <= maxToken, filepath.Ext(path) == ".bin":
		return formBin, nil
	}
	return formModel, nil
}

func looksLikeJSON(begin []byte) bool {
	return strings.HasPrefix(strings.TrimLeftFunc(string(begin), unicode.IsSpace), "{")
}

// looksLikeRanks reports whether a file begins with a line of base64 and a number.
func looksLikeRanks(begin []byte) bool {
	line, _, ok := strings.Cut(string(begin), "\n")
	token, rank, ok2 := strings.Cut(line, " ")
	return ok && ok2 && len(token)%4 == 0 && token != "" && strings.Trim(rank, "0123456789\r") == "" && strings.IndexFunc(token, func(r rune) bool {
		return r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("+/=", r)
	}) < 0
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
