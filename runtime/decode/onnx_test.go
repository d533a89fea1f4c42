package decode_test

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"lathe/runtime/ort"
)

// A tiny writer of ONNX, just enough for the toy decoder.

func str(b []byte, num protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
}

func num(b []byte, n protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
}

func msg(b []byte, n protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), m)
}

// graph writes a GraphProto as it goes.
type graph struct {
	body []byte
	next int
}

// value is a ValueInfoProto; dims are numbers or symbols.
func value(name string, typ ort.Type, dims ...any) []byte {
	var shape []byte
	for _, d := range dims {
		switch d := d.(type) {
		case int:
			shape = msg(shape, 1, num(nil, 1, int64(d)))
		case string:
			shape = msg(shape, 1, str(nil, 2, d))
		}
	}
	return msg(str(nil, 1, name), 2, msg(nil, 1, msg(num(nil, 1, int64(typ)), 2, shape)))
}

func (g *graph) input(name string, typ ort.Type, dims ...any) string {
	g.body = msg(g.body, 11, value(name, typ, dims...))
	return name
}

func (g *graph) output(name string, typ ort.Type, dims ...any) {
	g.body = msg(g.body, 12, value(name, typ, dims...))
}

func (g *graph) fresh() string {
	g.next++
	return "v" + string(rune('a'+g.next/26)) + string(rune('a'+g.next%26))
}

func (g *graph) floats(dims []int64, vals []float32) string {
	var raw []byte
	for _, v := range vals {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return g.tensor(g.fresh(), ort.Float32, dims, raw)
}

func (g *graph) ints(vals ...int64) string {
	var raw []byte
	for _, v := range vals {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return g.tensor(g.fresh(), ort.Int64, []int64{int64(len(vals))}, raw)
}

func (g *graph) scalar(v int64) string {
	return g.tensor(g.fresh(), ort.Int64, nil, binary.LittleEndian.AppendUint64(nil, uint64(v)))
}

func (g *graph) tensor(name string, typ ort.Type, dims []int64, raw []byte) string {
	var b []byte
	for _, d := range dims {
		b = num(b, 1, d)
	}
	g.body = msg(g.body, 5, str(str(num(b, 2, int64(typ)), 8, name), 9, string(raw)))
	return name
}

type attr struct {
	name string
	ints []int64 // one is an INT unless list
	list bool
}

// op adds a node of one output with a fresh name.
func (g *graph) op(op string, in []string, attrs ...attr) string {
	out := g.fresh()
	g.node(op, "", in, []string{out}, attrs...)
	return out
}

func (g *graph) node(op, domain string, in, out []string, attrs ...attr) {
	var b []byte
	for _, s := range in {
		b = str(b, 1, s)
	}
	for _, s := range out {
		b = str(b, 2, s)
	}
	b = str(str(b, 3, "n_"+out[0]), 4, op)
	for _, a := range attrs {
		m := str(nil, 1, a.name)
		if a.list {
			for _, v := range a.ints {
				m = num(m, 8, v)
			}
			m = num(m, 20, 7) // INTS
		} else {
			m = num(num(m, 3, a.ints[0]), 20, 2) // INT
		}
		b = msg(b, 5, m)
	}
	g.body = msg(g.body, 1, str(b, 7, domain))
}

// model is IR 10, opset 21, with com.microsoft.
func (g *graph) model(name string) []byte {
	m := msg(num(nil, 1, 10), 7, str(g.body, 2, name))
	m = msg(m, 8, num(str(nil, 1, ""), 2, 21))
	return msg(m, 8, num(str(nil, 1, "com.microsoft"), 2, 1))
}
