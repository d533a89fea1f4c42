package ort

import (
	"bytes"
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
	name    string
	header  *header
	inputs  []ValueInfo
	outputs []ValueInfo
	opts    Options

	mu       sync.Mutex
	s        *ortgo.DynamicAdvancedSession // nil after Close
	bindings map[*Binding]struct{}
	runNames []string // inputs that a plain run takes
	profile  string
}

// Metadata is what a model says about itself.
type Metadata struct {
	Producer, GraphName, Domain, Description string
	Version, IRVersion                       int64
	Opsets                                   map[string]int64 // by domain, "" is ONNX's own
	Custom                                   map[string]string
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
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("ort: create session: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("ort: create session: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("ort: create session: %s is not a file; give the .onnx file itself", path)
	}
	if st.Size() == 0 {
		return nil, &Error{Op: "create session", Subject: opts.Name, Kind: ErrInvalidModel, Message: "the file is empty"}
	}
	return e.newSession(newWindow(f, st.Size()), "", opts, func(in, out []string, so *ortgo.SessionOptions) (*ortgo.DynamicAdvancedSession, error) {
		return ortgo.NewDynamicAdvancedSession(path, in, out, so)
	})
}

type maker func(in, out []string, so *ortgo.SessionOptions) (*ortgo.DynamicAdvancedSession, error)

func (e *Env) newSession(w *window, externalDir string, opts Options, create maker) (*Session, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	if b, err := w.at(0); err == nil && len(b) >= 8 && bytes.Equal(b[4:8], []byte("ORTM")) {
		return nil, &Error{Op: "create session", Subject: opts.Name, Kind: ErrInvalidModel, Message: "it is in ONNX Runtime's own .ort format; give the .onnx it was made from"}
	}
	h, err := readHeader(w)
	if err != nil {
		return nil, &Error{Op: "create session", Subject: opts.Name, Kind: ErrInvalidModel, Message: "this is not an ONNX model, or a damaged one: " + err.Error()}
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
	s := &Session{name: opts.Name, header: h, outputs: h.outputs, opts: opts, bindings: map[*Binding]struct{}{}}
	var outNames []string
	for _, in := range h.inputs {
		if in.Optional && h.irVersion < 4 {
			continue // before IR 4 such an input is the initializer's declaration, and constant
		}
		s.inputs = append(s.inputs, in)
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

// Name is Options.Name, or else the graph's own.
func (s *Session) Name() string { return s.name }

// Options are those it was made with.
func (s *Session) Options() Options { return s.opts }

// Inputs are the graph's inputs as the model declares them, in its order, those
// that have a default among them.
func (s *Session) Inputs() []ValueInfo { return append([]ValueInfo(nil), s.inputs...) }

// Outputs are the graph's outputs as the model declares them, in its order.
func (s *Session) Outputs() []ValueInfo { return append([]ValueInfo(nil), s.outputs...) }

// Input finds an input by name.
func (s *Session) Input(name string) (ValueInfo, bool) { return find(s.inputs, name) }

// Output finds an output by name.
func (s *Session) Output(name string) (ValueInfo, bool) { return find(s.outputs, name) }

func find(list []ValueInfo, name string) (ValueInfo, bool) {
	for _, v := range list {
		if v.Name == name {
			return v, true
		}
	}
	return ValueInfo{}, false
}

// InputUses are the places in the model's file where nodes read an input of
// the graph, those of graphs inside nodes among them.
func (s *Session) InputUses(name string) []Use { return append([]Use(nil), s.header.uses[name]...) }

// OutputSource is the node that writes an output of the graph; false where no
// node does, an input or an initializer being passed on.
func (s *Session) OutputSource(name string) (Use, bool) {
	u := s.header.sources[name]
	return u, u.Op != ""
}

// External are the initializers whose values are in other files.
func (s *Session) External() []External { return append([]External(nil), s.header.external...) }

// Metadata is what the model says about itself.
func (s *Session) Metadata() Metadata {
	h := s.header
	m := Metadata{Producer: h.producer, GraphName: h.graphName, Domain: h.domain, Description: h.doc, Version: h.version, IRVersion: h.irVersion, Opsets: map[string]int64{}, Custom: map[string]string{}}
	for k, v := range h.opsets {
		m.Opsets[k] = v
	}
	for k, v := range h.metadata {
		m.Custom[k] = v
	}
	return m
}

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
