package ort_test

import (
	"strconv"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"lathe/runtime/ort"
)

// A tiny writer of ONNX, just enough for the graphs of these tests.

func str(b []byte, num protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
}

func num(b []byte, n protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
}

func msg(b []byte, n protowire.Number, parts ...[]byte) []byte {
	var m []byte
	for _, p := range parts {
		m = append(m, p...)
	}
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), m)
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
	tensor := msg(num(nil, 1, int64(typ)), 2, shape)
	return msg(str(nil, 1, name), 2, msg(nil, 1, tensor))
}

func node(op string, in, out []string, attrs ...[]byte) []byte {
	var b []byte
	for _, s := range in {
		b = str(b, 1, s)
	}
	for _, s := range out {
		b = str(b, 2, s)
	}
	b = str(b, 3, "node_"+out[0])
	b = str(b, 4, op)
	for _, a := range attrs {
		b = msg(b, 5, a)
	}
	return b
}

func tensor(name string, typ ort.Type, dims []int64, raw []byte) []byte {
	var b []byte
	for _, d := range dims {
		b = num(b, 1, d)
	}
	b = num(b, 2, int64(typ))
	b = str(b, 8, name)
	return str(b, 9, string(raw))
}

func external(name string, dims []int64, location string, offset, length int64) []byte {
	var b []byte
	for _, d := range dims {
		b = num(b, 1, d)
	}
	b = num(b, 2, int64(ort.Float32))
	b = str(b, 8, name)
	for _, kv := range [][2]string{{"location", location}, {"offset", strconv.FormatInt(offset, 10)}, {"length", strconv.FormatInt(length, 10)}} {
		b = msg(b, 13, str(str(nil, 1, kv[0]), 2, kv[1]))
	}
	return num(b, 14, 1)
}

type graph struct{ nodes, inits, in, out [][]byte }

// model is IR 10, opset 21.
func (g graph) model() []byte {
	var b []byte
	for _, n := range g.nodes {
		b = msg(b, 1, n)
	}
	b = str(b, 2, "test graph")
	for _, t := range g.inits {
		b = msg(b, 5, t)
	}
	for _, v := range g.in {
		b = msg(b, 11, v)
	}
	for _, v := range g.out {
		b = msg(b, 12, v)
	}
	m := str(num(nil, 1, 10), 2, "lathe tests")
	m = msg(m, 7, b)
	m = msg(m, 8, num(str(nil, 1, ""), 2, 21))
	return msg(m, 14, str(str(nil, 1, "key"), 2, "of metadata"))
}

// addModel is z = x + y, with the batch and the width free.
func addModel() []byte {
	return graph{
		nodes: [][]byte{node("Add", []string{"x", "y"}, []string{"z"})},
		in:    [][]byte{value("x", ort.Float32, "batch", "n"), value("y", ort.Float32, "batch", "n")},
		out:   [][]byte{value("z", ort.Float32, "batch", "n")},
	}.model()
}

func session(t testing.TB, model []byte, opts ort.Options) *ort.Session {
	t.Helper()
	s, err := env.NewSession(model, "", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func tensorOf[T ort.Element](t testing.TB, shape []int64, data ...T) *ort.Tensor {
	t.Helper()
	v, err := ort.NewTensor(shape, data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}
