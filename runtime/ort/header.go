package ort

import (
	"fmt"
	"strconv"
)

// ValueInfo is what a model declares of one of its inputs or outputs.
type ValueInfo struct {
	Name string
	Type Type // Undefined for what is no tensor (sequences, maps)
	// Shape has -1 where the model has a symbol or nothing; nil where it does
	// not even tell the rank.
	Shape Shape
	// Symbols has the names of the symbolic dimensions, "" elsewhere; it is as
	// long as Shape.
	Symbols []string
	// Optional inputs have a default in the model and may be left unbound.
	Optional bool
}

func (v ValueInfo) String() string {
	if v.Shape == nil {
		return fmt.Sprintf("%s %v[...]", v.Name, v.Type)
	}
	s := v.Name + " " + v.Type.String() + "["
	for i, d := range v.Shape {
		if i > 0 {
			s += ", "
		}
		switch {
		case d >= 0:
			s += strconv.FormatInt(d, 10)
		case v.Symbols[i] != "":
			s += v.Symbols[i]
		default:
			s += "?"
		}
	}
	return s + "]"
}

// Use is a place where a node of the model's file touches an input or output
// of the graph. It is the file's own graph: the library's optimizer may have
// fused the node away.
type Use struct {
	Op     string // operator, such as "Concat"
	Domain string // "" for ONNX's own operators
	Node   string // the node's name, may be empty
	Slot   int    // which of the node's inputs (or outputs) it is
	Inputs []string
}

// External is one initializer whose values are in another file.
type External struct {
	Tensor   string
	Location string // relative to the model's folder, or to the one given
	Offset   int64
	Length   int64 // -1 where the model does not tell
}

// header is what is read of a model's file, which is everything but weights.
//
// Note: the library could tell names and shapes too, but the binding asks it
// through a second session, which costs as much as the first and cannot be
// given external data; it also hides the inputs that have a default, the names
// of symbolic dimensions and the nodes.
type header struct {
	irVersion int64
	producer  string
	graphName string
	domain    string
	doc       string
	version   int64
	opsets    map[string]int64
	metadata  map[string]string
	inputs    []ValueInfo
	outputs   []ValueInfo
	external  []External
	uses      map[string][]Use // by graph input
	sources   map[string]Use   // by graph output
	defaults  map[string]smallTensor
}

// smallTensor is a default value small enough to be kept.
type smallTensor struct {
	typ   Type
	shape Shape
	raw   []byte // little endian, as ONNX has it
}

const smallBytes = 64

// maxDepth is how deep graphs within graphs may go; ORT's own protobuf reader
// stops at 100 nested messages, three of which are one graph.
const maxDepth = 30

// readHeader reads the parts of a ModelProto (onnx.proto3, IR version 10) that
// are wanted, and steps over the rest without reading it.
func readHeader(w *window) (*header, error) {
	h := &header{opsets: map[string]int64{}, metadata: map[string]string{}, uses: map[string][]Use{}, sources: map[string]Use{}, defaults: map[string]smallTensor{}}
	var graphs []span
	err := w.fields(span{0, w.size}, func(f field) (err error) {
		switch f.num {
		case 1:
			h.irVersion = int64(f.val)
		case 2:
			h.producer, err = w.text(f)
		case 4:
			h.domain, err = w.text(f)
		case 5:
			h.version = int64(f.val)
		case 6:
			h.doc, err = w.text(f)
		case 7:
			err = f.need(lengthDelimited)
			graphs = append(graphs, f.span)
		case 8:
			var domain string
			var version int64
			err = w.message(f, func(f field) (err error) {
				switch f.num {
				case 1:
					domain, err = w.text(f)
				case 2:
					version = int64(f.val)
				}
				return err
			})
			h.opsets[domain] = version
		case 14:
			var k, v string
			k, v, err = w.entry(f)
			h.metadata[k] = v
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(graphs) != 1 {
		return nil, fmt.Errorf("it has %d graphs where a model has 1", len(graphs))
	}
	g := graphReader{w: w, h: h}
	if err := g.read(graphs[0]); err != nil {
		return nil, err
	}
	return h, nil
}

// entry reads a StringStringEntryProto.
func (w *window) entry(f field) (key, val string, err error) {
	err = w.message(f, func(f field) (err error) {
		switch f.num {
		case 1:
			key, err = w.text(f)
		case 2:
			val, err = w.text(f)
		}
		return err
	})
	return key, val, err
}
