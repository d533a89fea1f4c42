package ort_test

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"lathe/runtime/ort"
)

func TestBindingRuns(t *testing.T) {
	s := session(t, addModel(), ort.Options{})
	x := tensorOf[float32](t, []int64{1, 3}, 1, 2, 3)
	y := tensorOf[float32](t, []int64{1, 3}, 10, 20, 30)
	z := tensorOf(t, []int64{1, 3}, make([]float32, 3)...)
	b := must(s.NewBinding())(t)
	for name, v := range map[string]*ort.Tensor{"x": x, "y": y} {
		if err := b.BindInput(name, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.BindOutput("z", z); err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // contents change, the binding stays
		ort.Data[float32](x)[1] = float32(i)
		if err := b.Run(); err != nil {
			t.Fatal(err)
		}
		if got := ort.Data[float32](z)[1]; got != float32(20+i) {
			t.Errorf("run %d gives %v, want %v", i, got, 20+i)
		}
	}
	if n := testing.AllocsPerRun(200, func() {
		if err := b.Run(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a run allocates %v times, want 0", n)
	}
}

func TestBindingInPlace(t *testing.T) {
	s := session(t, addModel(), ort.Options{})
	x := tensorOf[float32](t, []int64{2, 1}, 1, 2)
	y := tensorOf[float32](t, []int64{2, 1}, 1, 1)
	b := must(s.NewBinding())(t)
	if err := errors.Join(b.BindInput("x", x), b.BindInput("y", y), b.BindOutput("z", x)); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := b.Run(); err != nil {
			t.Fatal(err)
		}
	}
	if got := ort.Data[float32](x); got[0] != 6 || got[1] != 7 {
		t.Errorf("five runs in place give %v, want [6 7]", got)
	}
}

func TestBindingErrors(t *testing.T) {
	s := session(t, addModel(), ort.Options{Name: "adder"})
	x := tensorOf[float32](t, []int64{1, 2}, 1, 2)
	wide := tensorOf[float32](t, []int64{1, 3}, 1, 2, 3)
	rank1 := tensorOf[float32](t, []int64{2}, 1, 2)
	ints := tensorOf[int64](t, []int64{1, 2}, 1, 2)
	gone := must(ort.NewTensor([]int64{1, 2}, []float32{1, 2}))(t)
	gone.Close()
	b := must(s.NewBinding())(t)
	for _, c := range []struct {
		err  error
		want string
	}{
		{b.BindInput("w", x), "ort: bind input w: adder has no such input; it has x, y"},
		{b.BindOutput("x", x), "ort: bind output x: adder has no such output; it has z"},
		{b.BindInput("x", ints), "ort: bind input x: the tensor is int64, the model has x float32[batch, n]"},
		{b.BindInput("x", rank1), "ort: bind input x: the tensor has shape [2], the model has x float32[batch, n]"},
		{b.BindInput("x", nil), "ort: bind input x: the tensor is nil or closed"},
		{b.BindInput("x", gone), "ort: bind input x: the tensor is nil or closed"},
		{b.Run(), "ort: run adder: input x float32[batch, n] is not bound"},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("got %v\nwant %s", c.err, c.want)
		}
		if !errors.Is(c.err, ort.ErrBadInput) {
			t.Errorf("%v is not ErrBadInput", c.err)
		}
	}
	if err := errors.Join(b.BindInput("x", x), b.BindInput("y", x)); err != nil {
		t.Fatal(err)
	}
	if err := b.Run(); err == nil || !strings.Contains(err.Error(), "no output is bound; there are z") {
		t.Errorf("without outputs: %v", err)
	}
	if err := b.BindOutput("z", wide); err != nil {
		t.Fatal(err)
	}
	if err := b.Run(); err == nil || !strings.HasPrefix(err.Error(), "ort: run adder: ") {
		t.Errorf("an output of the wrong shape: %v", err)
	}
	b.Close()
	b.Close()
	if err := b.Run(); !errors.Is(err, ort.ErrClosed) {
		t.Errorf("a closed binding: %v", err)
	}
	if err := b.BindInput("x", x); !errors.Is(err, ort.ErrClosed) {
		t.Errorf("a closed binding: %v", err)
	}
}

// Whatever is closed first, memory that is still in use stays.
func TestCloseInAnyOrder(t *testing.T) {
	s := must(env.NewSession(addModel(), "", ort.Options{}))(t)
	buf := must(ort.NewBuffer(ort.Float32, 1<<16))(t)
	x := must(buf.View(1, 1<<16))(t)
	z := must(ort.NewTensor([]int64{1, 1 << 16}, make([]float32, 1<<16)))(t)
	b := must(s.NewBinding())(t)
	if err := errors.Join(b.BindInput("x", x), b.BindInput("y", x), b.BindOutput("z", z)); err != nil {
		t.Fatal(err)
	}
	ort.BufferData[float32](buf)[7] = 21
	buf.Close()
	buf.Close()
	x.Close()
	x.Close()
	if err := b.Run(); err != nil {
		t.Fatal(err)
	}
	if got := ort.Data[float32](z)[7]; got != 42 {
		t.Errorf("after closing buffer and view the sum is %v, want 42", got)
	}
	if _, err := buf.View(1); !errors.Is(err, ort.ErrClosed) {
		t.Errorf("view of a closed buffer: %v", err)
	}
	if err := s.Close(); err != nil { // takes the binding with it
		t.Fatal(err)
	}
	if err := b.Run(); !errors.Is(err, ort.ErrClosed) {
		t.Errorf("run after the session's close: %v", err)
	}
	if _, err := s.NewBinding(); !errors.Is(err, ort.ErrClosed) {
		t.Errorf("binding after close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	b.Close()
	z.Close()
}

// One session serves several goroutines, each with its binding.
func TestConcurrentBindings(t *testing.T) {
	s := session(t, addModel(), ort.Options{Threads: 2})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			n := int64(g + 1)
			x, err1 := ort.NewTensor([]int64{n, 2}, make([]float32, 2*n))
			z, err2 := ort.NewTensor([]int64{n, 2}, make([]float32, 2*n))
			b, err3 := s.NewBinding()
			if err := errors.Join(err1, err2, err3); err != nil {
				t.Error(err)
				return
			}
			defer x.Close()
			defer z.Close()
			defer b.Close()
			if err := errors.Join(b.BindInput("x", x), b.BindInput("y", x), b.BindOutput("z", z)); err != nil {
				t.Error(err)
				return
			}
			for i := range 100 {
				ort.Data[float32](x)[1] = float32(g*1000 + i)
				if err := b.Run(); err != nil {
					t.Error(err)
				}
				if got := ort.Data[float32](z)[1]; got != float32(2*(g*1000+i)) {
					t.Errorf("goroutine %d, run %d: %v", g, i, got)
				}
			}
		})
	}
	wg.Wait()
}

// A scalar is written in place, and the C side sees it.
func TestScalar(t *testing.T) {
	model := graph{
		nodes: [][]byte{node("Mul", []string{"x", "k"}, []string{"y"}), node("ReduceSum", []string{"y"}, []string{"sum"}, append(str(nil, 1, "keepdims"), num(num(nil, 3, 0), 20, 2)...))},
		in:    [][]byte{value("x", ort.Float32, "n"), value("k", ort.Float32)},
		out:   [][]byte{value("y", ort.Float32, "n"), value("sum", ort.Float32)},
	}.model()
	s := session(t, model, ort.Options{})
	x := tensorOf[float32](t, []int64{3}, 1, 2, 3)
	y := tensorOf[float32](t, []int64{3}, 0, 0, 0)
	k := must(ort.Scalar[float32](2))(t)
	sum := must(ort.Scalar(float32(math.NaN())))(t)
	b := must(s.NewBinding())(t)
	if err := errors.Join(b.BindInput("x", x), b.BindInput("k", k), b.BindOutput("y", y), b.BindOutput("sum", sum)); err != nil {
		t.Fatal(err)
	}
	for _, f := range []float32{2, 3, -1} {
		ort.Data[float32](k)[0] = f
		if err := b.Run(); err != nil {
			t.Fatal(err)
		}
		if got := ort.Data[float32](sum)[0]; got != 6*f {
			t.Errorf("sum of x*%v is %v, want %v", f, got, 6*f)
		}
	}
	k.Close()
	sum.Close()
	if err := b.Run(); err != nil { // the binding still holds them
		t.Error(err)
	}
	out := must(s.Run(map[string]*ort.Tensor{"x": x, "k": must(ort.Scalar[float32](5))(t)}))(t)
	if got := ort.Data[float32](out["sum"])[0]; got != 30 || len(out["sum"].Shape()) != 0 {
		t.Errorf("plain run gives sum %v of shape %v, want 30 of none", got, out["sum"].Shape())
	}
}

func BenchmarkBindingRun(b *testing.B) {
	s := session(b, addModel(), ort.Options{})
	x := tensorOf[float32](b, []int64{1, 1}, 1)
	z := tensorOf[float32](b, []int64{1, 1}, 1)
	bind := must(s.NewBinding())(b)
	if err := errors.Join(bind.BindInput("x", x), bind.BindInput("y", x), bind.BindOutput("z", z)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := bind.Run(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewBinding(b *testing.B) {
	s := session(b, addModel(), ort.Options{})
	x := tensorOf[float32](b, []int64{1, 1}, 1)
	for b.Loop() {
		bind, err := s.NewBinding()
		if err := errors.Join(err, bind.BindInput("x", x), bind.BindInput("y", x), bind.BindOutput("z", x)); err != nil {
			b.Fatal(err)
		}
		bind.Close()
	}
}
