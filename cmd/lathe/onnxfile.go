package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lathe/graphgen/arch"
	"lathe/graphgen/inspect"
	"lathe/graphgen/recover"
	"lathe/profiler/record"
)

// fileState tells whether a file is still the one that was read.
type fileState struct {
	Path     string    `json:"path"`
	Bytes    int64     `json:"bytes"`
	Modified time.Time `json:"modified"`
	SHA256   string    `json:"sha256"`
}

// check reports whether the file is another one by now.
func (f fileState) check() error {
	info, err := os.Stat(f.Path)
	if err != nil {
		return err
	}
	if info.Size() != f.Bytes || !info.ModTime().Equal(f.Modified) {
		return badInput(fmt.Errorf("%s changed while it was in use: begin again", f.Path))
	}
	return nil
}

// loadFile identifies an ONNX file, its external data included, that is to be run as
// parts of a name say. What is in the graph, the decoder that runs it says.
func (a *app) loadFile(ctx context.Context, path, parts string) (runnable, error) {
	f := &record.File{Base: filepath.Base(path)}
	if err := runAs(f, parts); err != nil {
		return runnable{}, badInput(fmt.Errorf("%s%s: %w", path, parts, err))
	}
	report, err := inspect.File(path)
	if errors.Is(err, inspect.ErrInput) {
		return runnable{}, badInput(err)
	} else if err != nil {
		return runnable{}, err
	}
	r := runnable{Path: path}
	paths := []string{path}
	for _, e := range report.External {
		if !e.Whole {
			return runnable{}, badInput(fmt.Errorf("%s: %s (lathe inspect shows all of it)", path, firstOf(report.Problems, 1)))
		}
		paths = append(paths, filepath.Join(filepath.Dir(path), filepath.FromSlash(e.Location)))
	}
	if r.Files, err = a.readFiles(ctx, paths); err != nil {
		return runnable{}, err
	}
	for _, s := range r.Files {
		f.Bytes += s.Bytes
	}
	f.SHA256 = record.FileHash(r.Files[0].SHA256, r.weightsHash())
	told, err := describe(path)
	if err != nil {
		return runnable{}, badInput(fmt.Errorf("%w; lathe inspect shows what is in the file", err))
	}
	f.Vocab = told.Vocab
	if f.Spec, err = recognisedSpec(path); err != nil {
		return runnable{}, err
	}
	r.Subject = record.Subject{File: f}
	return r, badInput(r.Subject.Validate())
}

// runAs takes threads and provider from the parts of a name: all else is the file's.
func runAs(f *record.File, parts string) error {
	if parts == "" {
		return nil
	}
	// Portable is what every provider takes.
	b, err := arch.ParseBuild("+" + string(arch.Portable) + parts)
	if err != nil {
		return fmt.Errorf("a file takes threads and a provider, such as +t2: %w", err)
	}
	if !b.Equal(arch.Build{Dialect: arch.Portable, Threads: b.Threads, Provider: b.Provider}) {
		return fmt.Errorf("a file is run as it is: it takes threads (+t2) and a provider, and no other part of a name")
	}
	f.Threads, f.Provider = b.Threads, b.Provider
	return nil
}

// readFiles hashes files, the graph's first.
func (a *app) readFiles(ctx context.Context, paths []string) ([]fileState, error) {
	out := make([]fileState, len(paths))
	total := int64(0)
	for i, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		out[i] = fileState{Path: p, Bytes: info.Size(), Modified: info.ModTime()}
		total += info.Size()
	}
	bar := a.bar(total, "reading "+filepath.Base(paths[0]), true)
	defer bar.Finish()
	for i := range out {
		sum := sha256.New()
		if err := readAll(ctx, out[i].Path, io.MultiWriter(sum, bar)); err != nil {
			return nil, err
		}
		out[i].SHA256 = hex.EncodeToString(sum.Sum(nil))
		if err := out[i].check(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readAll writes a file to w, until ctx ends.
func readAll(ctx context.Context, path string, w io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for buf := make([]byte, 1<<20); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.Read(buf)
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// weightsHash is of the files beside the graph's, by the names that the graph has for
// them; "" where there are none.
func (r runnable) weightsHash() string {
	if len(r.Files) < 2 {
		return ""
	}
	var lines []string
	for _, f := range r.Files[1:] {
		rel, err := filepath.Rel(filepath.Dir(r.Path), f.Path)
		if err != nil {
			rel = f.Path
		}
		lines = append(lines, fmt.Sprintf("%q %s\n", filepath.ToSlash(rel), f.SHA256))
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}

// unchanged reports whether a file's files are still those that were hashed.
func (r runnable) unchanged() error {
	for _, f := range r.Files {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}

// recognisedSpec is the decoder that a file is, or nil.
func recognisedSpec(path string) (*arch.Spec, error) {
	m, err := recover.Open(path)
	if errors.Is(err, recover.ErrNotDecoder) {
		return nil, nil
	}
	if err != nil {
		return nil, unlessDenied(err)
	}
	return &m.Spec, m.Close()
}
