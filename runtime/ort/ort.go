// Package ort runs ONNX graphs: it opens the ONNX Runtime library, creates
// sessions from bytes or files, and binds tensors to their inputs and outputs.
//
// It is the only package that knows onnxruntime_go, and it hides that
// binding's traps behind types of its own: memory that the C side keeps is
// never Go memory that could move or be freed, a bound run allocates nothing,
// shapes with a zero in them work, and every error carries what was being done
// to which model. It finds no library (package provision does) and knows
// nothing of what a graph means (package decode does).
//
// The usual order is Open, Env.NewSession, Session.NewBinding, then Run as
// often as wanted:
//
//	env, err := ort.Open(libraryPath)
//	s, err := env.NewSession(model, dir, ort.Options{Threads: 2})
//	defer s.Close()
//	b, err := s.NewBinding()
//	err = b.BindInput("x", x)
//	err = b.BindOutput("y", y)
//	err = b.Run()
//
// A Session may be run from several goroutines at once; a Binding and a Tensor
// belong to one goroutine at a time.
package ort

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	ortgo "github.com/yalue/onnxruntime_go"
)

// MinVersion is the oldest library that can be opened. onnxruntime_go v1.27.0
// asks for API version 24, which is 1.24's: the API version is the minor
// version, and a library serves every API up to its own.
const MinVersion = "1.24"

const minAPI = 24

// Env is the opened library. There is one a process, and it lives as long.
//
// Note: there is no Close. onnxruntime_go unloads the library when its
// environment is destroyed, while threads and static destructors of the
// library are still about; what it would free, the end of the process frees.
type Env struct {
	path    string // absolute, links resolved
	version string

	providersOnce sync.Once
	providers     map[string]error // by name: nil where usable
}

var (
	openMu sync.Mutex
	opened *Env
)

// Open loads the ONNX Runtime library at libraryPath, once a process: a second
// call with the same file returns the same Env, and one with another file is
// ErrAlreadyOpen. A file that cannot be used gives a *LibraryError that says
// why, and leaves the process free to try another.
//
// The library logs nothing unless a session's Options ask for it: what goes
// wrong comes back as an error, and would otherwise be printed as well.
func Open(libraryPath string) (*Env, error) {
	openMu.Lock()
	defer openMu.Unlock()
	if libraryPath == "" {
		return nil, &LibraryError{Kind: ErrNotFound, Detail: "no path was given; package provision finds or obtains the library"}
	}
	path, err := filepath.Abs(libraryPath)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return nil, &LibraryError{Path: libraryPath, Kind: ErrNotFound, Detail: err.Error()}
	}
	if opened != nil {
		if opened.path == path {
			return opened, nil
		}
		return nil, fmt.Errorf("ort: open %s: %w: %s (version %s); a process has one library", path, ErrAlreadyOpen, opened.path, opened.version)
	}
	// The file is looked at before it is loaded: a library that is too old
	// makes the binding unload it and leave its version pointer dangling, and
	// prints to stderr on the way.
	if err := checkLibrary(path); err != nil {
		return nil, err
	}
	ortgo.SetSharedLibraryPath(path)
	if err := ortgo.InitializeEnvironment(ortgo.WithLogLevelFatal()); err != nil {
		return nil, &LibraryError{Path: path, Kind: ErrLoad, Detail: innermost(err)}
	}
	opened = &Env{path: path, version: ortgo.GetVersion()}
	return opened, nil
}

// innermost strips the binding's own prefixes from an error.
func innermost(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// Version is the library's own version, such as "1.32.0".
func (e *Env) Version() string { return e.version }

// LibraryPath is the file that was loaded, absolute and with links resolved.
func (e *Env) LibraryPath() string { return e.path }
