package ort

import (
	"fmt"
	"reflect"
	"runtime"
	"unsafe"

	ortgo "github.com/yalue/onnxruntime_go"
)

// Buffer is memory for elements of one type, which any number of tensors of
// different shapes may look at: a cache of the greatest length is one Buffer,
// and each shorter length a view of it.
//
// Its memory is off the Go heap, zeroed, and aligned to 64 bytes, or to 4096
// where it is that large. It is freed when the Buffer, its views and the
// bindings that hold those are all closed.
type Buffer struct {
	typ      Type
	elements int
	mem      *memory // nil after Close
}

// NewBuffer allocates memory for the given number of elements, which may be 0.
func NewBuffer(typ Type, elements int) (*Buffer, error) {
	if typ.Size() == 0 {
		return nil, fmt.Errorf("ort: a buffer cannot hold elements of type %v", typ)
	}
	if elements < 0 {
		return nil, fmt.Errorf("ort: a buffer of %d elements", elements)
	}
	if elements > maxBytes {
		elements = maxBytes // too much for allocate, without overflow
	}
	mem, err := allocate(elements * typ.Size())
	if err != nil {
		return nil, err
	}
	return &Buffer{typ: typ, elements: elements, mem: mem}, nil
}

// Type is the element type.
func (b *Buffer) Type() Type { return b.typ }

// Elements is how many there are.
func (b *Buffer) Elements() int { return b.elements }

// Close gives up the owner's claim on the memory; slices got from Data are
// void from the moment the last view of it is closed too.
func (b *Buffer) Close() {
	if b.mem != nil {
		b.mem.release()
		b.mem = nil
	}
}

// View is a tensor of the given shape over the buffer's first elements. Views
// may overlap. The shape needs a dimension: the binding makes scalars from
// memory of their own only, see Scalar.
func (b *Buffer) View(shape ...int64) (*Tensor, error) { return b.ViewAt(0, shape...) }

// ViewAt is View from the element first on, so that many tensors lie in one buffer. Each
// should begin at a multiple of 64 bytes, as kernels like it.
func (b *Buffer) ViewAt(first int, shape ...int64) (*Tensor, error) {
	if b.mem == nil {
		return nil, fmt.Errorf("ort: view of a buffer: %w", ErrClosed)
	}
	if len(shape) == 0 {
		return nil, fmt.Errorf("ort: a view needs at least one dimension; use Scalar")
	}
	n, err := Shape(shape).Elements()
	if err != nil {
		return nil, err
	}
	if first < 0 || first > b.elements || n > b.elements-first {
		return nil, fmt.Errorf("ort: shape %v from element %d on has %d elements, the buffer %d", shape, first, n, b.elements)
	}
	data := unsafe.Add(b.mem.data, first*b.typ.Size())
	v, err := newValue(b.typ, shape, data, n)
	if err != nil {
		return nil, wrap("create tensor", fmt.Sprintf("%v%v", b.typ, shape), err)
	}
	b.mem.retain()
	return &Tensor{typ: b.typ, shape: append(Shape{}, shape...), data: data, elements: n, mem: b.mem, val: v}, nil
}

// newValue makes the C side's tensor over our memory.
func newValue(t Type, shape []int64, data unsafe.Pointer, n int) (value, error) {
	s := ortgo.Shape(shape)
	switch t {
	case Float32:
		return ortgo.NewTensor(s, view[float32](data, n))
	case Float64:
		return ortgo.NewTensor(s, view[float64](data, n))
	case Int8:
		return ortgo.NewTensor(s, view[int8](data, n))
	case Uint8:
		return ortgo.NewTensor(s, view[uint8](data, n))
	case Int16:
		return ortgo.NewTensor(s, view[int16](data, n))
	case Uint16:
		return ortgo.NewTensor(s, view[uint16](data, n))
	case Int32:
		return ortgo.NewTensor(s, view[int32](data, n))
	case Uint32:
		return ortgo.NewTensor(s, view[uint32](data, n))
	case Int64:
		return ortgo.NewTensor(s, view[int64](data, n))
	case Uint64:
		return ortgo.NewTensor(s, view[uint64](data, n))
	case Bool:
		return ortgo.NewTensor(s, view[bool](data, n))
	}
	// 16-bit floats: the binding's raw tensor wants at least one byte, which
	// the allocation's alignment always has to spare.
	return ortgo.NewCustomDataTensor(s, view[byte](data, max(1, n*t.Size())), ortgo.TensorElementDataType(t))
}

func view[T any](p unsafe.Pointer, n int) []T { return unsafe.Slice((*T)(p), n) }

// Tensor is a typed, shaped look at memory that the C side has too. What one
// side writes, the other reads.
type Tensor struct {
	typ      Type
	shape    Shape
	data     unsafe.Pointer
	elements int
	mem      *memory         // nil for scalars
	pin      *runtime.Pinner // scalars only
	val      value           // nil after Close
	bound    int             // bindings that hold it; pinned memory is let go with the last
}

// NewTensor makes a tensor in memory of its own and copies data into it. Half
// elements make a Float16 tensor; make a BFloat16 one from a Buffer.
func NewTensor[T Element](shape []int64, data []T) (*Tensor, error) {
	n, err := Shape(shape).Elements()
	if err != nil {
		return nil, err
	}
	if n != len(data) {
		return nil, fmt.Errorf("ort: shape %v has %d elements, %d were given", shape, n, len(data))
	}
	if len(shape) == 0 {
		return Scalar(data[0])
	}
	b, err := NewBuffer(TypeOf[T](), n)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	t, err := b.View(shape...)
	if err != nil {
		return nil, err
	}
	copy(Data[T](t), data)
	return t, nil
}

// Type is the element type.
func (t *Tensor) Type() Type { return t.typ }

// Shape is the tensor's own: do not write to it.
func (t *Tensor) Shape() Shape { return t.shape }

// Elements is the product of the shape.
func (t *Tensor) Elements() int { return t.elements }

// Data is the tensor's memory, good until the tensor and all else that shares
// the memory is closed. It panics if T is not the tensor's type.
func Data[T Element](t *Tensor) []T {
	if !holds[T](t.typ) {
		panic(fmt.Sprintf("ort: %v data asked of a tensor of %v", TypeOf[T](), t.typ))
	}
	if t.val == nil {
		panic("ort: data asked of a closed tensor")
	}
	return view[T](t.data, t.elements)
}

// BufferData is the memory of a whole buffer, under Data's conditions.
func BufferData[T Element](b *Buffer) []T {
	if !holds[T](b.typ) {
		panic(fmt.Sprintf("ort: %v data asked of a buffer of %v", TypeOf[T](), b.typ))
	}
	if b.mem == nil {
		panic("ort: data asked of a closed buffer")
	}
	return view[T](b.mem.data, b.elements)
}

// Bytes is the memory as it lies, whatever the type, under Data's conditions.
func (b *Buffer) Bytes() []byte {
	if b.mem == nil {
		panic("ort: data asked of a closed buffer")
	}
	return b.mem.bytes()
}

// Close lets go of the tensor; a binding that holds it goes on working.
func (t *Tensor) Close() {
	if t.val == nil {
		return
	}
	t.val.Destroy() //nolint:errcheck // it always returns nil
	t.val = nil
	t.release()
}

// release frees what the tensor stands on when neither it nor a binding needs it.
func (t *Tensor) release() {
	if t.val != nil || t.bound > 0 {
		return
	}
	if t.mem != nil {
		t.mem.release()
		t.mem = nil
	}
	if t.pin != nil {
		t.pin.Unpin()
		t.pin = nil
	}
}

// hold and letGo are a binding's claim on the tensor's memory.
func (t *Tensor) hold()  { t.bound++ }
func (t *Tensor) letGo() { t.bound--; t.release() }

// Scalar makes a tensor of no dimensions. Halves have none: the binding makes
// a tensor without a shape for its own types only.
//
// Note: the binding puts a scalar's value into a Go slice that it hides, hands
// C a pointer to it without pinning, and its Set swaps the slice while C reads
// the old one. So the slice is found by reflection, pinned for as long as C
// may look, and written in place, through Data, as every other tensor's.
func Scalar[T Element](v T) (*Tensor, error) {
	val, err := scalarValue(v)
	if err != nil {
		return nil, wrap("create scalar", TypeOf[T]().String(), err)
	}
	field := reflect.ValueOf(val).Elem().FieldByName("data")
	if !field.IsValid() || field.Kind() != reflect.Slice || field.Len() != 1 || field.Type().Elem() != reflect.TypeFor[T]() {
		val.Destroy() //nolint:errcheck // it always returns nil
		return nil, fmt.Errorf("ort: this version of onnxruntime_go keeps scalars in another way than v1.27.0")
	}
	t := &Tensor{typ: TypeOf[T](), shape: Shape{}, data: field.UnsafePointer(), elements: 1, pin: new(runtime.Pinner), val: val}
	t.pin.Pin(t.data)
	// A pinner that is collected with a pin in it ends the process; a scalar
	// that somebody forgot to close is not worth that.
	runtime.AddCleanup(t, func(p *runtime.Pinner) { p.Unpin() }, t.pin)
	return t, nil
}

func scalarValue[T Element](v T) (value, error) {
	switch v := any(v).(type) {
	case float32:
		return ortgo.NewScalar(v)
	case float64:
		return ortgo.NewScalar(v)
	case int8:
		return ortgo.NewScalar(v)
	case uint8:
		return ortgo.NewScalar(v)
	case int16:
		return ortgo.NewScalar(v)
	case uint16:
		return ortgo.NewScalar(v)
	case int32:
		return ortgo.NewScalar(v)
	case uint32:
		return ortgo.NewScalar(v)
	case int64:
		return ortgo.NewScalar(v)
	case uint64:
		return ortgo.NewScalar(v)
	case bool:
		return ortgo.NewScalar(v)
	}
	return nil, fmt.Errorf("scalars of %T cannot be made", v)
}
