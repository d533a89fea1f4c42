package ir

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Rounded turns a graph with values of 16-bit floats into one that computes what it would
// on a device with kernels for them, from operators of float: the result of each operator
// that computes is rounded to its type. It is for a provider without such kernels, to
// find out what the type does to a model. Inputs, parameters and outputs must be of other
// types. g is changed in place.
//
// Note: ONNX Runtime's CPU provider puts casts around what it has no kernels of in
// float16, and then drops those between one operator and the next: nothing is rounded,
// and nothing overflows. Of bfloat16 it has no kernels and puts no casts. Casts to 16
// bits and back that a graph has itself it keeps (1.32.0).
func (g *Graph) Rounded() error {
	for _, v := range slices.Concat(g.Inputs, g.Outputs) {
		if v.Type.Reduced() {
			return fmt.Errorf("ir: graph %s: %s is %v: only what lies within can be rounded", g.Name, v.Name, v.Type)
		}
	}
	for _, p := range g.Params {
		if p.Type.Reduced() {
			return fmt.Errorf("ir: graph %s: parameter %s is %v: only what lies within can be rounded", g.Name, p.Name, p.Type)
		}
	}
	for _, c := range g.Consts {
		c.widen()
	}
	g.Nodes = rounded(g.Nodes)
	return g.Check()
}

// moving are the operators whose results are elements of what they take.
var moving = map[string]bool{
	"Concat": true, "Expand": true, "Gather": true, "GatherElements": true, "Identity": true, "Neg": true, "Reshape": true, "Scan": true,
	"Slice": true, "Split": true, "Squeeze": true, "Transpose": true, "Unsqueeze": true, "Where": true,
}

func rounded(nodes []*Node) (out []*Node) {
	for _, n := range nodes {
		if b := n.Body(); b != nil {
			for _, v := range b.Inputs {
				if v.Type.Reduced() {
					v.Type = Float
				}
			}
			b.Nodes = rounded(b.Nodes)
		}
		out = append(out, n)
		for i, v := range n.Outputs {
			if v == nil || !v.Type.Reduced() {
				continue
			}
			to := v.Type
			v.Type = Float
			if n.Domain == DomainONNX && moving[n.Op] {
				continue
			}
			if n.Op == "Cast" { // of something to 16 bits: it rounds
				n.Outputs[i] = &Value{Name: v.Name + ":rounded", Type: to, Shape: v.Shape, def: n}
				out = append(out, v.castOf(n.Outputs[i], n.Name+":back"))
				continue
			}
			whole := &Value{Name: v.Name + ":whole", Type: Float, Shape: v.Shape, def: n}
			short := &Value{Name: v.Name + ":rounded", Type: to, Shape: v.Shape}
			n.Outputs[i] = whole
			out = append(out, short.castOf(whole, n.Name+":round"), v.castOf(short, n.Name+":back"))
		}
	}
	return out
}

// castOf makes v the cast of x, by a node of that name.
func (v *Value) castOf(x *Value, name string) *Node {
	v.def = &Node{Op: "Cast", Name: name, Inputs: []*Value{x}, Outputs: []*Value{v}, Attrs: []Attr{{"to", int64(v.Type)}}}
	return v.def
}

// widen makes a constant of 16-bit floats one of floats.
func (c *Const) widen() {
	if !c.Type.Reduced() {
		return
	}
	var data []byte
	for _, v := range c.Reals() {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	c.Type, c.Data = Float, data
}
