package weights

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sync"
	"unsafe"

	"lathe/graphgen/half"
)

// Matrix is weights that exist somewhere, read as float32 in any rectangle: a
// stored tensor, or several seen as one. A vector is a matrix of one row. Read
// may be called by several goroutines at once.
type Matrix interface {
	Size() (rows, cols int64)
	// Read fills dst, row by row, with rows r0 to r1 and columns c0 to c1, the
	// ends left out.
	Read(dst []float32, r0, r1, c0, c1 int64) error
}

// FloatType is how a stored tensor's elements are written, little-endian.
type FloatType uint8

// The types that weights come in.
const (
	Float32 FloatType = iota
	Float16
	BFloat16
)

// Size is the bytes of one element.
func (t FloatType) Size() int64 {
	if t == Float32 {
		return 4
	}
	return 2
}

func (t FloatType) String() string { return [...]string{"fp32", "fp16", "bf16"}[t] }

// Stored is a tensor in a file.
type Stored struct {
	Data       io.ReaderAt // begins with the tensor
	Type       FloatType
	Rows, Cols int64
}

// Size implements [Matrix].
func (s *Stored) Size() (rows, cols int64) { return s.Rows, s.Cols }

// Bytes is the size of the stored tensor.
func (s *Stored) Bytes() int64 { return s.Rows * s.Cols * s.Type.Size() }

// readBytes is what is read of a file at once.
const readBytes = 256 << 10

// raw are buffers of that size.
var raw = sync.Pool{New: func() any { return new([readBytes]byte) }}

// Read implements [Matrix]. Whole rows are read on end.
func (s *Stored) Read(dst []float32, r0, r1, c0, c1 int64) error {
	runs, width := r1-r0, c1-c0
	if width == s.Cols {
		runs, width = 1, runs*width
	}
	size := s.Type.Size()
	if s.Type == Float32 && littleEndian {
		for i := range runs {
			if err := readFull(s.Data, bytesOf(dst[i*width:(i+1)*width]), ((r0+i)*s.Cols+c0)*size); err != nil {
				return err
			}
		}
		return nil
	}
	buf := raw.Get().(*[readBytes]byte)
	defer raw.Put(buf)
	for i := range runs {
		from := (r0+i)*s.Cols + c0
		for run := dst[i*width : (i+1)*width]; len(run) > 0; {
			n := min(int64(len(run)), readBytes/size)
			if err := readFull(s.Data, buf[:n*size], from*size); err != nil {
				return err
			}
			s.Type.decode(run[:n], buf[:n*size])
			run, from = run[n:], from+n
		}
	}
	return nil
}

// littleEndian says whether floats lie in memory as they do in files.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// bytesOf is the memory of vals.
func bytesOf(vals []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(vals))), 4*len(vals))
}

// readFull is ReadAt, but that an end within b is the only kind of end.
func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case err == io.EOF:
		return fmt.Errorf("weights: the file ends within a tensor: %w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("weights: %w", err)
}

// decode fills dst with the values of raw.
func (t FloatType) decode(dst []float32, raw []byte) {
	switch t {
	case Float32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case Float16:
		for i := range dst {
			dst[i] = half.To(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	case BFloat16: // the upper half of a float32
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw[2*i:])) << 16)
		}
	}
}

// Turn is m with rows and columns exchanged.
func Turn(m Matrix) Matrix {
	if t, ok := m.(turned); ok {
		return t.m
	}
	return turned{m}
}

type turned struct{ m Matrix }

func (t turned) Size() (rows, cols int64) {
	cols, rows = t.m.Size()
	return rows, cols
}

func (t turned) Read(dst []float32, r0, r1, c0, c1 int64) error {
	rows, cols := r1-r0, c1-c0
	tmp := borrow(rows * cols)
	defer giveBack(tmp)
	if err := t.m.Read(tmp, c0, c1, r0, r1); err != nil {
		return err
	}
	transpose(dst, tmp, int(rows), int(cols))
	return nil
}

// Stack is several matrices of as many columns, one below the other.
func Stack(parts ...Matrix) Matrix { return stacked(parts) }

type stacked []Matrix

func (s stacked) Size() (rows, cols int64) {
	for _, m := range s {
		r, c := m.Size()
		rows, cols = rows+r, c
	}
	return rows, cols
}

func (s stacked) Read(dst []float32, r0, r1, c0, c1 int64) error {
	var at int64 // of the part
	for _, m := range s {
		rows, _ := m.Size()
		from, to := max(r0, at), min(r1, at+rows)
		if from < to {
			out := dst[(from-r0)*(c1-c0) : (to-r0)*(c1-c0)]
			if err := m.Read(out, from-at, to-at, c0, c1); err != nil {
				return err
			}
		}
		at += rows
	}
	return nil
}

// Reorder is m with its rows in another order: row i of the result is row
// from(i) of m.
func Reorder(m Matrix, from func(i int64) int64) Matrix { return reordered{m, from} }

type reordered struct {
	m    Matrix
	from func(i int64) int64
}

func (r reordered) Size() (rows, cols int64) { return r.m.Size() }

func (r reordered) Read(dst []float32, r0, r1, c0, c1 int64) error {
	width := c1 - c0
	for i := r0; i < r1; i++ {
		j := r.from(i)
		if err := r.m.Read(dst[(i-r0)*width:(i-r0+1)*width], j, j+1, c0, c1); err != nil {
			return err
		}
	}
	return nil
}
