package text

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// format is how a file's documents are written.
type format string

const (
	plain format = "text"
	lines format = "json"
)

var formats = map[string]format{
	".txt": plain, ".text": plain, ".md": plain,
	".jsonl": lines, ".ndjson": lines, ".json": lines,
}

// file is one that is read, and how.
type file struct {
	path   string
	format format
	size   int64
}

func totalSize(files []file) (n int64) {
	for _, f := range files {
		n += f.size
	}
	return n
}

// formatOf tells by a name's end. known is false for one that folders are not searched
// for; it is text if it is named.
func formatOf(path string) (f format, known bool) {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(path)), ".gz")
	if f, known = formats[filepath.Ext(name)]; !known {
		f = plain
	}
	return f, known
}

// find lists the files of paths: in the order of paths, those of a folder or a pattern
// by name, and each once.
func find(paths []string) ([]file, error) {
	var all []file
	seen := map[string]bool{}
	add := func(path string, info fs.FileInfo) error {
		if !info.Mode().IsRegular() {
			return fmt.Errorf("text: %s is no regular file: want a file, a folder or a pattern", path)
		}
		if seen[filepath.Clean(path)] {
			return nil
		}
		seen[filepath.Clean(path)] = true
		f, _ := formatOf(path)
		all = append(all, file{path, f, info.Size()})
		return nil
	}
	for _, path := range paths {
		matches := []string{path}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(path, "*?[") {
			if matches, err = filepath.Glob(path); err != nil {
				return nil, fmt.Errorf("text: the pattern %s: %w", path, err)
			}
			if len(matches) == 0 {
				return nil, fmt.Errorf("text: no file is named like %s", path)
			}
		}
		for _, m := range matches {
			info, err := os.Stat(m)
			if err != nil {
				return nil, fmt.Errorf("text: %w", err)
			}
			if info.IsDir() {
				err = walk(m, add)
			} else {
				err = add(m, info)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// walk adds the files of known formats in and below a folder.
func walk(dir string, add func(string, fs.FileInfo) error) error {
	found := false
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("text: %w", err)
		}
		hidden := strings.HasPrefix(e.Name(), ".") && path != dir
		if e.IsDir() {
			if hidden {
				return filepath.SkipDir
			}
			return nil
		}
		if _, known := formatOf(path); !known || hidden {
			return nil
		}
		info, err := os.Stat(path) // of what a link leads to
		if err != nil {
			return fmt.Errorf("text: %w", err)
		}
		found = true
		return add(path, info)
	})
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("text: %s has no file that ends in %s, with or without .gz: name the files, or a pattern such as %s", dir, knownEndings(), filepath.Join(dir, "*"))
	}
	return nil
}

func knownEndings() string {
	var all []string
	for ext := range formats {
		all = append(all, ext)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
