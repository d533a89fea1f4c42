package main

import (
	"context"
	"os"
	"strings"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
)

// runnable is what can be timed: a candidate, or an ONNX file and where it lies.
type runnable struct {
	Subject record.Subject `json:"subject"`
	Path    string         `json:"path,omitempty"`  // of a file
	Files   []fileState    `json:"files,omitempty"` // that it consists of, as they were when it was hashed
}

// own is the runnable that a candidate is.
func own(c arch.Candidate) runnable { return runnable{Subject: record.Of(c)} }

// owns does so for some of them.
func owns(cands []arch.Candidate) []runnable {
	out := make([]runnable, len(cands))
	for i, c := range cands {
		out[i] = own(c)
	}
	return out
}

// subjects are what they are.
func subjects(rs []runnable) []record.Subject {
	out := make([]record.Subject, len(rs))
	for i, r := range rs {
		out[i] = r.Subject
	}
	return out
}

func (r runnable) name() string { return r.Subject.Name() }

// loadRunnables reads what is to be timed as it is given on the command line: names and
// YAML files of candidates, and ONNX files.
func (a *app) loadRunnables(ctx context.Context, args []string) ([]runnable, error) {
	out := make([]runnable, len(args))
	for i, arg := range args {
		r, err := a.loadRunnable(ctx, arg)
		if err != nil {
			return nil, err
		}
		out[i] = r
	}
	return out, nil
}

func (a *app) loadRunnable(ctx context.Context, arg string) (runnable, error) {
	if path, parts, ok := onnxArg(arg); ok {
		return a.loadFile(ctx, path, parts)
	}
	cands, err := loadCandidates([]string{arg})
	if err != nil {
		return runnable{}, err
	}
	return own(cands[0]), nil
}

// onnxArg splits FILE.onnx+t2 into the file's path and how it is run. An argument
// that is a file as it stands has no such parts.
func onnxArg(arg string) (path, parts string, ok bool) {
	const ending = ".onnx"
	at := strings.LastIndex(strings.ToLower(arg), ending)
	if at <= 0 {
		return "", "", false
	}
	at += len(ending)
	switch {
	case at == len(arg):
		return arg, "", true
	case arg[at] != '+':
		return "", "", false
	}
	if info, err := os.Stat(arg); err == nil && info.Mode().IsRegular() {
		return arg, "", true
	}
	return arg[:at], arg[at:], true
}
