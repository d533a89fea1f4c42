package ort

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	ortgo "github.com/yalue/onnxruntime_go"
)

// Session is a loaded graph, ready to run.
type Session struct {
	Declared
	opts Options

	mu       sync.Mutex
	s        *ortgo.DynamicAdvancedSession // nil after Close
	bindings map[*Binding]struct{}
	runNames []string // inputs that a plain run takes
	profile  string
}

// NewSession makes a session of a model in memory. Locations of external data
// in the model are relative to externalDir, which may be "" if there is none.
//
// The library (1.32.0) reads external data only from inside that folder:
// absolute locations, "..", and symbolic links that lead out of it are refused;
// links that stay inside, hard links and a folder that is itself a link are
// fine. A pool of weights is therefore used by giving the pool's own folder.
// Weights in external files are mapped, and copied only where an operator
// rearranges them (see Options.DisablePrepacking).
//
// The model's bytes are not needed after the call.
func (e *Env) NewSession(model []byte, externalDir string, opts Options) (*Session, error) {
	if len(model) == 0 {
		return nil, &Error{Op: "create session", Subject: opts.Name, Kind: ErrInvalidModel, Message: "the model has no bytes"}
	}
	return e.newSession(bytesWindow(model), externalDir, opts, func(in, out []string, so *ortgo.SessionOptions) (*ortgo.DynamicAdvancedSession, error) {
		return ortgo.NewDynamicAdvancedSessionWithONNXData(model, in, out, so)
	})
}

// NewSessionFromFile makes a session of a model file, whose external data is in
// the same folder.
func (e *Env) NewSessionFromFile(path string, opts Options) (*Session, error) {
	if opts.Name == "" {
		opts.Name = path
	}
	f, size, err := openModel(path, opts.Name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return e.newSession(newWindow(f, size), "", opts, func(in, out []string, so *ortgo.SessionOptions) (*ortgo.DynamicAdvancedSession, error) {
		return ortgo.NewDynamicAdvancedSession(path, in, out, so)
	})
}

type maker func(in, out []string, so *ortgo.SessionOptions) (*ortgo.DynamicAdvancedSession, error)

func (e *Env) newSession(w *window, externalDir string, opts Options, create maker) (*Session, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	h, err := openHeader(w, opts.Name)
	if err != nil {
		return nil, err
	}
	if opts.Name == "" {
		opts.Name = h.graphName
	}
	if externalDir != "" {
		st, err := os.Stat(externalDir)
		if err == nil && !st.IsDir() {
			err = fmt.Errorf("%s is not a folder", externalDir)
		}
		if err != nil {
			return nil, &Error{Op: "create session", Subject: opts.Name, Kind: ErrExternalData, Message: err.Error()}
		}
		if externalDir, err = filepath.Abs(externalDir); err != nil {
			return nil, fmt.Errorf("ort: create session: %w", err)
		}
	}
	s := &Session{Declared: declared(opts.Name, h), opts: opts, bindings: map[*Binding]struct{}{}}
	var outNames []string
	for _, in := range s.inputs {
		if _, small := h.defaults[in.Name]; !in.Optional || small {
			s.runNames = append(s.runNames, in.Name)
		}
	}
	for _, out := range h.outputs {
		outNames = append(outNames, out.Name)
	}
	so, err := e.sessionOptions(opts, externalDir)
	if err != nil {
		return nil, err
	}
	defer so.Destroy() //nolint:errcheck // it fails for nil only
	if s.s, err = create(s.runNames, outNames, so); err != nil {
		return nil, wrap("create session", opts.Name, err)
	}
	return s, nil
}

// Options are those it was made with.
func (s *Session) Options() Options { return s.opts }

// Close frees the session and the bindings made from it, and writes the
// profile if there is to be one. It waits for nothing: the caller sees to it
// that no run is under way.
func (s *Session) Close() error {
	s.mu.Lock()
	if s.s == nil {
		s.mu.Unlock()
		return nil
	}
	var open []*Binding
	for b := range s.bindings {
		open = append(open, b)
	}
	s.mu.Unlock()
	for _, b := range open { // a binding that is freed after its session crashes
		b.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.s.Destroy()
	s.s = nil
	if s.opts.ProfilePrefix != "" {
		s.profile = newestProfile(s.opts.ProfilePrefix)
	}
	if err != nil {
		return wrap("close session", s.name, err)
	}
	return nil
}

// Profile is the file that Close wrote; "" before, and without
// Options.ProfilePrefix.
func (s *Session) Profile() string { return s.profile }

// newestProfile finds what the library named prefix_<time>.json. Its times sort
// as text.
func newestProfile(prefix string) string {
	entries, err := os.ReadDir(filepath.Dir(prefix))
	if err != nil {
		return ""
	}
	var found []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(prefix)+"_") && strings.HasSuffix(e.Name(), ".json") {
			found = append(found, e.Name())
		}
	}
	if len(found) == 0 {
		return ""
	}
	sort.Strings(found)
	return filepath.Join(filepath.Dir(prefix), found[len(found)-1])
}

var errNoOutputs = errors.New("ort: the model has no outputs")
