package arch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// MaxFileSize bounds a YAML file that is read: a thousand layers take 50 kB.
const MaxFileSize = 1 << 20

// Load returns the Candidate that arg is: a compact name, or the path of a YAML
// file. An arg that reads as a name is one, even if there is such a file.
func Load(arg string) (Candidate, error) {
	c, err := ParseCandidate(arg)
	if err == nil {
		return c, nil
	}
	if info, statErr := os.Stat(arg); (statErr != nil || info.IsDir()) && !looksLikePath(arg) {
		return Candidate{}, err
	}
	data, err := readFile(arg)
	if err != nil {
		return Candidate{}, err
	}
	return ParseYAML(arg, data)
}

// LoadSpace returns the Space that the YAML file at path describes.
func LoadSpace(path string) (Space, error) {
	data, err := readFile(path)
	if err != nil {
		return Space{}, err
	}
	return ParseSpace(path, data)
}

// looksLikePath reports whether arg cannot be meant as a name.
func looksLikePath(arg string) bool {
	switch strings.ToLower(filepath.Ext(arg)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return strings.ContainsAny(arg, `/\`)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Input: path, Problem: "there is no such file"}
	} else if err != nil {
		return nil, fmt.Errorf("arch: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, &Error{Input: path, Problem: "it is a folder, and a YAML file is wanted"}
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("arch: %w", err)
	}
	if len(data) > MaxFileSize {
		return nil, &Error{Input: path, Problem: fmt.Sprintf("it is larger than the %d bytes that are read", MaxFileSize)}
	}
	return data, nil
}
