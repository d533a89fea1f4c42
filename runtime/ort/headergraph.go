package ort

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// graphReader reads the main graph of a model into its header.
type graphReader struct {
	w        *window
	h        *header
	inits    map[string]bool
	defaults map[string]span // initializers that are small enough to look at later
	nodes    []span
}

func (g *graphReader) read(graph span) error {
	g.inits, g.defaults = map[string]bool{}, map[string]span{}
	err := g.w.fields(graph, func(f field) (err error) {
		switch f.num {
		case 1:
			err = f.need(lengthDelimited)
			g.nodes = append(g.nodes, f.span)
		case 2:
			g.h.graphName, err = g.w.text(f)
		case 5:
			err = g.initializer(f, false)
		case 15:
			err = g.initializer(f, true)
		case 11:
			g.h.inputs, err = g.value(f, g.h.inputs)
		case 12:
			g.h.outputs, err = g.value(f, g.h.outputs)
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := range g.h.inputs {
		in := &g.h.inputs[i]
		in.Optional = g.inits[in.Name]
		if at, ok := g.defaults[in.Name]; ok && g.h.irVersion >= 4 {
			if t, err := g.w.smallTensor(at); err != nil {
				return err
			} else if t != nil {
				g.h.defaults[in.Name] = *t
			}
		}
		g.h.uses[in.Name] = nil
	}
	for _, out := range g.h.outputs {
		g.h.sources[out.Name] = Use{}
	}
	for _, n := range g.nodes {
		if err := g.node(n, 0); err != nil {
			return err
		}
	}
	return nil
}

// node notes where a node, or a node of a graph inside it, touches the graph's
// inputs and outputs. A name that an inner graph declares anew is counted as a
// use of the outer one, which errs on the safe side.
func (g *graphReader) node(at span, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("its graphs are nested more than %d deep", maxDepth)
	}
	var u Use
	var outputs []string
	var inner []span
	err := g.w.fields(at, func(f field) (err error) {
		var s string
		switch f.num {
		case 1:
			s, err = g.w.text(f)
			u.Inputs = append(u.Inputs, s)
		case 2:
			s, err = g.w.text(f)
			outputs = append(outputs, s)
		case 3:
			u.Node, err = g.w.text(f)
		case 4:
			u.Op, err = g.w.text(f)
		case 7:
			u.Domain, err = g.w.text(f)
		case 5:
			err = g.w.message(f, func(f field) error { // AttributeProto: g 6, graphs 11
				if f.num == 6 || f.num == 11 {
					if err := f.need(lengthDelimited); err != nil {
						return err
					}
					inner = append(inner, f.span)
				}
				return nil
			})
		}
		return err
	})
	if err != nil {
		return err
	}
	if u.Domain == "ai.onnx" {
		u.Domain = ""
	}
	for i, name := range u.Inputs {
		if list, ok := g.h.uses[name]; ok && name != "" {
			u.Slot = i
			g.h.uses[name] = append(list, u)
		}
	}
	for i, name := range outputs {
		if _, ok := g.h.sources[name]; ok && name != "" && depth == 0 {
			u.Slot = i
			g.h.sources[name] = u
		}
	}
	for _, in := range inner {
		err := g.w.fields(in, func(f field) error {
			if f.num != 1 {
				return nil
			}
			if err := f.need(lengthDelimited); err != nil {
				return err
			}
			return g.node(f.span, depth+1)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// initializer notes a TensorProto's name and where its values are. Of a
// SparseTensorProto it is the values tensor (field 1) that has the name.
func (g *graphReader) initializer(f field, sparse bool) error {
	if sparse {
		return g.w.message(f, func(f field) error {
			if f.num != 1 {
				return nil
			}
			return g.initializer(f, false)
		})
	}
	ext := External{Length: -1}
	var name string
	external := false
	err := g.w.message(f, func(f field) (err error) {
		switch f.num {
		case 8:
			name, err = g.w.text(f)
		case 14:
			external = f.val == 1
		case 13:
			var k, v string
			if k, v, err = g.w.entry(f); err != nil {
				return err
			}
			switch k {
			case "location":
				ext.Location = v
			case "offset":
				ext.Offset, err = strconv.ParseInt(v, 10, 64)
			case "length":
				ext.Length, err = strconv.ParseInt(v, 10, 64)
			}
			if err != nil {
				err = fmt.Errorf("external data %s %q is not a number", k, v)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	ext.Tensor = name
	g.inits[name] = true
	if external {
		g.h.external = append(g.h.external, ext)
	} else if f.span.end-f.span.start <= smallBytes+int64(len(name))+64 {
		g.defaults[name] = f.span
	}
	return nil
}

// value reads a ValueInfoProto.
func (g *graphReader) value(f field, list []ValueInfo) ([]ValueInfo, error) {
	var v ValueInfo
	err := g.w.message(f, func(f field) (err error) {
		switch f.num {
		case 1:
			v.Name, err = g.w.text(f)
		case 2: // TypeProto: tensor_type 1
			err = g.w.message(f, func(f field) error {
				if f.num != 1 {
					return nil
				}
				return g.w.message(f, func(f field) error {
					switch f.num {
					case 1:
						v.Type = Type(f.val)
					case 2:
						v.Shape, v.Symbols = Shape{}, []string{}
						return g.w.message(f, func(f field) error {
							if f.num != 1 {
								return nil
							}
							return g.dimension(f, &v)
						})
					}
					return nil
				})
			})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if !utf8.ValidString(v.Name) || v.Name == "" {
		return nil, fmt.Errorf("an input or output is named %q", v.Name)
	}
	for _, other := range list {
		if other.Name == v.Name {
			return nil, fmt.Errorf("two inputs or two outputs are named %q", v.Name)
		}
	}
	return append(list, v), nil
}

// dimension reads a TensorShapeProto.Dimension: dim_value 1, dim_param 2.
func (g *graphReader) dimension(f field, v *ValueInfo) error {
	size, symbol := int64(-1), ""
	err := g.w.message(f, func(f field) (err error) {
		switch f.num {
		case 1:
			size, symbol = max(-1, int64(f.val)), ""
		case 2:
			size = -1
			symbol, err = g.w.text(f)
		}
		return err
	})
	v.Shape = append(v.Shape, size)
	v.Symbols = append(v.Symbols, symbol)
	return err
}
