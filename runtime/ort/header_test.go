package ort

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"
)

func field1(b []byte, n protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), m)
}

func fieldV(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

// What is written is read back, from memory and through a window that is much
// smaller than the file, with unknown fields and weights in between.
func TestHeaderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z][a-z0-9_.]{0,12}`)
		inputs := rapid.SliceOfNDistinct(name, 0, 5, rapid.ID[string]).Draw(t, "inputs")
		var g []byte
		want := map[string]ValueInfo{}
		for _, in := range inputs {
			v := ValueInfo{Name: in, Type: Type(rapid.Int32Range(1, 16).Draw(t, "type")), Shape: Shape{}, Symbols: []string{}}
			var shape []byte
			for range rapid.IntRange(0, 4).Draw(t, "rank") {
				var dim []byte
				if rapid.Bool().Draw(t, "symbolic") {
					sym := name.Draw(t, "symbol")
					dim = field1(nil, 2, []byte(sym))
					v.Shape, v.Symbols = append(v.Shape, -1), append(v.Symbols, sym)
				} else {
					n := rapid.Int64Range(0, 1<<40).Draw(t, "size")
					dim = fieldV(nil, 1, uint64(n))
					v.Shape, v.Symbols = append(v.Shape, n), append(v.Symbols, "")
				}
				shape = field1(shape, 1, dim)
			}
			tensor := field1(fieldV(nil, 1, uint64(v.Type)), 2, shape)
			g = field1(g, 11, field1(field1(nil, 1, []byte(in)), 2, field1(nil, 1, tensor)))
			if rapid.Bool().Draw(t, "weights between") {
				blob := make([]byte, rapid.IntRange(0, 300).Draw(t, "bytes"))
				g = field1(g, 5, field1(field1(nil, 9, blob), 8, []byte("w"+in)))
			}
			if rapid.Bool().Draw(t, "default") {
				v.Optional = true
				g = field1(g, 5, field1(fieldV(fieldV(nil, 1, 0), 2, 7), 8, []byte(in)))
			}
			want[in] = v
			g = field1(g, 1, field1(field1(field1(nil, 1, []byte(in)), 2, []byte("out"+in)), 4, []byte("Relu")))
			g = field1(g, 99, []byte("unknown"))
		}
		m := field1(fieldV(nil, 1, 10), 7, g)
		small := newWindow(bytes.NewReader(m), int64(len(m)))
		small.buf = make([]byte, 0, 7)
		for _, w := range []*window{bytesWindow(m), small} {
			h, err := readHeader(w)
			if err != nil {
				t.Fatal(err)
			}
			if len(h.inputs) != len(want) {
				t.Fatalf("%d inputs, want %d", len(h.inputs), len(want))
			}
			for _, got := range h.inputs {
				if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want[got.Name]) {
					t.Fatalf("got %+v, want %+v", got, want[got.Name])
				}
				if u := h.uses[got.Name]; len(u) != 1 || u[0].Op != "Relu" {
					t.Fatalf("uses of %s: %+v", got.Name, u)
				}
			}
		}
	})
}

// Every model that is cut short anywhere is an error, never a crash.
func TestHeaderCutShort(t *testing.T) {
	g := field1(nil, 11, field1(nil, 1, []byte("x")))
	m := field1(fieldV(nil, 1, 10), 7, g)
	if _, err := readHeader(bytesWindow(m)); err != nil {
		t.Fatal(err)
	}
	for n := range m {
		if _, err := readHeader(bytesWindow(m[:n])); err == nil {
			t.Errorf("the first %d of %d bytes are read without an error", n, len(m))
		}
	}
}

func FuzzReadHeader(f *testing.F) {
	g := field1(nil, 11, field1(field1(nil, 1, []byte("x")), 2, field1(nil, 1, field1(fieldV(nil, 1, 1), 2, field1(nil, 1, fieldV(nil, 1, 3))))))
	g = field1(g, 5, field1(fieldV(field1(nil, 7, []byte{5}), 2, 7), 8, []byte("x")))
	g = field1(g, 5, field1(field1(fieldV(nil, 14, 1), 13, field1(field1(nil, 1, []byte("offset")), 2, []byte("12"))), 8, []byte("w")))
	body := field1(nil, 1, field1(field1(nil, 1, []byte("x")), 4, []byte("Add")))
	g = field1(g, 1, field1(field1(nil, 4, []byte("If")), 5, field1(nil, 6, body)))
	m := field1(fieldV(nil, 1, 10), 7, g)
	f.Add(field1(m, 8, fieldV(field1(nil, 1, nil), 2, 21)))
	f.Add([]byte{0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHeader(bytesWindow(b))
		h2, err2 := readHeader(newWindow(bytes.NewReader(b), int64(len(b))))
		if (err == nil) != (err2 == nil) || fmt.Sprintf("%+v", h) != fmt.Sprintf("%+v", h2) {
			t.Fatalf("from memory %+v, %v; from a file %+v, %v", h, err, h2, err2)
		}
		if err != nil {
			return
		}
		for _, v := range append(append([]ValueInfo{}, h.inputs...), h.outputs...) {
			if len(v.Shape) != len(v.Symbols) || v.String() == "" {
				t.Fatalf("%+v", v)
			}
		}
	})
}

func TestClassify(t *testing.T) {
	for msg, want := range map[string]error{
		"std::bad_alloc": ErrOutOfMemory,
		"Non-zero status code returned while running MatMul node. Failed to allocate memory for requested buffer of size 4096": ErrOutOfMemory,
		"External data path validation failed for initializer: W":                                                              ErrExternalData,
		"Got invalid dimensions for input: x for the following indices\n index: 0 Got: 3 Expected: 2":                          ErrBadInput,
		"Protobuf parsing failed.":                  ErrInvalidModel,
		"Could not find an implementation for Q(1)": ErrUnsupported,
		"something new":                             nil,
	} {
		if got := classify(msg); !errors.Is(got, want) {
			t.Errorf("%q is classified as %v, want %v", msg, got, want)
		}
	}
}
