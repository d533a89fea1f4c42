package ort

import (
	"bytes"
	"fmt"
	"os"
)

// Declared is what a model's file says of itself: its inputs and outputs and where its
// graph uses them, metadata, where weights are. A Session has it; [ReadDeclared] gives
// it without one.
type Declared struct {
	name    string
	header  *header
	inputs  []ValueInfo
	outputs []ValueInfo
}

// Metadata is what a model says about itself.
type Metadata struct {
	Producer, GraphName, Domain, Description string
	Version, IRVersion                       int64
	Opsets                                   map[string]int64 // by domain, "" is ONNX's own
	Custom                                   map[string]string
}

// ReadDeclared reads the file at path. No session is made, and no weight is read.
func ReadDeclared(path string) (*Declared, error) {
	f, size, err := openModel(path, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := openHeader(newWindow(f, size), path)
	if err != nil {
		return nil, err
	}
	d := declared(path, h)
	return &d, nil
}

func declared(name string, h *header) Declared {
	d := Declared{name: name, header: h, outputs: h.outputs}
	for _, in := range h.inputs {
		if in.Optional && h.irVersion < 4 {
			continue // before IR 4 such an input is the initializer's declaration, and constant
		}
		d.inputs = append(d.inputs, in)
	}
	return d
}

// openModel opens a file that may be a model's.
func openModel(path, name string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("ort: create session: %w", err)
	}
	st, err := f.Stat()
	switch {
	case err != nil:
		err = fmt.Errorf("ort: create session: %w", err)
	case !st.Mode().IsRegular():
		err = fmt.Errorf("ort: create session: %s is not a file; give the .onnx file itself", path)
	case st.Size() == 0:
		err = &Error{Op: "create session", Subject: name, Kind: ErrInvalidModel, Message: "the file is empty"}
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}

// openHeader reads a model's header, or says what the file is instead.
func openHeader(w *window, name string) (*header, error) {
	bad := func(message string) error {
		return &Error{Op: "create session", Subject: name, Kind: ErrInvalidModel, Message: message}
	}
	if b, err := w.at(0); err == nil && len(b) >= 8 && bytes.Equal(b[4:8], []byte("ORTM")) {
		return nil, bad("it is in ONNX Runtime's own .ort format; give the .onnx it was made from")
	}
	h, err := readHeader(w)
	if err != nil {
		return nil, bad("this is not an ONNX model, or a damaged one: " + err.Error())
	}
	return h, nil
}

// Name is the name that it was given, or else the graph's own.
func (d *Declared) Name() string { return d.name }

// Inputs are the graph's inputs as the model declares them, in its order, those
// that have a default among them.
func (d *Declared) Inputs() []ValueInfo { return append([]ValueInfo(nil), d.inputs...) }

// Outputs are the graph's outputs as the model declares them, in its order.
func (d *Declared) Outputs() []ValueInfo { return append([]ValueInfo(nil), d.outputs...) }

// Input finds an input by name.
func (d *Declared) Input(name string) (ValueInfo, bool) { return find(d.inputs, name) }

// Output finds an output by name.
func (d *Declared) Output(name string) (ValueInfo, bool) { return find(d.outputs, name) }

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
func (d *Declared) InputUses(name string) []Use { return append([]Use(nil), d.header.uses[name]...) }

// OutputSource is the node that writes an output of the graph; false where no
// node does, an input or an initializer being passed on.
func (d *Declared) OutputSource(name string) (Use, bool) {
	u := d.header.sources[name]
	return u, u.Op != ""
}

// External are the initializers whose values are in other files.
func (d *Declared) External() []External { return append([]External(nil), d.header.external...) }

// Metadata is what the model says about itself.
func (d *Declared) Metadata() Metadata {
	h := d.header
	m := Metadata{Producer: h.producer, GraphName: h.graphName, Domain: h.domain, Description: h.doc, Version: h.version, IRVersion: h.irVersion, Opsets: map[string]int64{}, Custom: map[string]string{}}
	for k, v := range h.opsets {
		m.Opsets[k] = v
	}
	for k, v := range h.metadata {
		m.Custom[k] = v
	}
	return m
}
