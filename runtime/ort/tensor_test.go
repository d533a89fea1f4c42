package ort_test

import (
	"errors"
	"testing"
	"unsafe"

	"lathe/runtime/ort"
)

func TestBuffer(t *testing.T) {
	for _, typ := range []ort.Type{ort.Float32, ort.Float64, ort.Int8, ort.Uint8, ort.Int16, ort.Uint16, ort.Int32, ort.Uint32, ort.Int64, ort.Uint64, ort.Bool, ort.Float16, ort.BFloat16} {
		for _, n := range []int{0, 1, 5, 5000} {
			b := must(ort.NewBuffer(typ, n))(t)
			if len(b.Bytes()) != n*typ.Size() || b.Type() != typ || b.Elements() != n {
				t.Errorf("%v x %d has %d bytes", typ, n, len(b.Bytes()))
			}
			align := uintptr(64)
			if len(b.Bytes()) >= 4096 {
				align = 4096
			}
			if p := uintptr(unsafe.Pointer(unsafe.SliceData(b.Bytes()))); p%align != 0 {
				t.Errorf("%v x %d lies at %x, want a multiple of %d", typ, n, p, align)
			}
			for _, x := range b.Bytes() {
				if x != 0 {
					t.Fatal("memory is not zero")
				}
			}
			for _, shape := range [][]int64{{int64(n)}, {1, int64(n), 1}, {0}, {2, 0, 3}} {
				v, err := b.View(shape...)
				if err != nil {
					t.Errorf("%v x %d: view %v: %v", typ, n, shape, err)
					continue
				}
				v.Close()
			}
			if _, err := b.View(int64(n + 1)); err == nil {
				t.Errorf("%v x %d: a view larger than the buffer", typ, n)
			}
			b.Close()
		}
	}
}

func TestTensorErrors(t *testing.T) {
	b := must(ort.NewBuffer(ort.Float32, 4))(t)
	defer b.Close()
	for _, err := range []error{
		second(ort.NewTensor([]int64{2}, []float32{1})),
		second(ort.NewTensor([]int64{-1}, []float32{1})),
		second(ort.NewTensor(nil, []float32{})),
		second(ort.NewBuffer(ort.Float32, -1)),
		second(ort.NewBuffer(ort.Undefined, 1)),
		second(ort.NewBuffer(ort.Type(8), 1)),
		second(b.View()),
		second(b.View(-2, -2)),
		second(ort.Scalar(ort.Half(1))),
	} {
		if err == nil {
			t.Error("no error")
		}
	}
	for _, err := range []error{
		second(ort.NewBuffer(ort.Int64, 1<<60)),
		second(ort.NewBuffer(ort.Int64, 1<<62)),
		second(b.View(1<<40, 1<<40)),
		second(b.View(1<<62, 2, 2)),
	} {
		if !errors.Is(err, ort.ErrOutOfMemory) {
			t.Errorf("%v is not ErrOutOfMemory", err)
		}
	}
	v := must(b.View(2))(t)
	for name, f := range map[string]func(){
		"other type":   func() { ort.Data[int64](v) },
		"other buffer": func() { ort.BufferData[int64](b) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	v.Close()
}

func second[T any](_ T, err error) error { return err }

// Views of one buffer see each other's writes.
func TestViewsShare(t *testing.T) {
	b := must(ort.NewBuffer(ort.Int64, 6))(t)
	defer b.Close()
	x, y := must(b.View(2, 3))(t), must(b.View(4))(t)
	defer x.Close()
	defer y.Close()
	ort.Data[int64](x)[3] = 42
	if ort.Data[int64](y)[3] != 42 || ort.BufferData[int64](b)[3] != 42 {
		t.Error("views of one buffer do not share its memory")
	}
}

func TestViewAt(t *testing.T) {
	b := must(ort.NewBuffer(ort.Int32, 40))(t)
	defer b.Close()
	for i := range ort.BufferData[int32](b) {
		ort.BufferData[int32](b)[i] = int32(i)
	}
	v := must(b.ViewAt(16, 2, 12))(t)
	defer v.Close()
	if d := ort.Data[int32](v); len(d) != 24 || d[0] != 16 || d[23] != 39 {
		t.Errorf("a view from element 16 on is %v", d)
	}
	for _, first := range []int{-1, 17, 41} {
		if _, err := b.ViewAt(first, 2, 12); err == nil {
			t.Errorf("24 elements from element %d on of 40 are a view", first)
		}
	}
}
