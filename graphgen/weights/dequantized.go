package weights

import (
	"encoding/binary"
	"io"
	"math"
)

// Dequantized is a weight [N, K] that is stored in blocks along K, as MatMulNBits
// takes it: value = (code - zero) * scale, with codes of 4 or 8 bits.
type Dequantized struct {
	N, K, Block int64
	Bits        int
	Data        io.ReaderAt // [N, ceil(K/Block), Block*Bits/8], the earlier code in the low bits
	Scales      *Stored     // [N, ceil(K/Block)]
	// Zeros are the codes of zero, [N, ceil(ceil(K/Block)*Bits/8)]; nil: the middle one.
	Zeros io.ReaderAt
}

// Size implements [Matrix].
func (d *Dequantized) Size() (rows, cols int64) { return d.N, d.K }

// Read implements [Matrix].
func (d *Dequantized) Read(dst []float32, r0, r1, c0, c1 int64) error {
	if c0 >= c1 {
		return nil
	}
	perByte := int64(8 / d.Bits)
	all := (d.K + d.Block - 1) / d.Block
	from, to := c0/d.Block, (c1-1)/d.Block+1 // blocks
	blockBytes := d.Block / perByte
	zeroBytes := (all + perByte - 1) / perByte
	data, zeros := make([]byte, (to-from)*blockBytes), make([]byte, zeroBytes)
	scales := make([]float32, to-from)
	mask := byte(1<<d.Bits - 1)
	code := func(b []byte, i int64) float32 {
		return float32(b[i/perByte] >> (i % perByte * int64(d.Bits)) & mask)
	}
	for r := r0; r < r1; r++ {
		if err := readFull(d.Data, data, (r*all+from)*blockBytes); err != nil {
			return err
		}
		if err := d.Scales.Read(scales, r, r+1, from, to); err != nil {
			return err
		}
		if d.Zeros != nil {
			if err := readFull(d.Zeros, zeros, r*zeroBytes); err != nil {
				return err
			}
		}
		row := dst[(r-r0)*(c1-c0) : (r-r0+1)*(c1-c0)]
		for i := range row {
			c := c0 + int64(i)
			zero := float32(int(1) << (d.Bits - 1))
			if d.Zeros != nil {
				zero = code(zeros, c/d.Block)
			}
			row[i] = (code(data, c-from*d.Block) - zero) * scales[c/d.Block-from]
		}
	}
	return nil
}

// DequantizedColumns is a weight [N, K] that is stored as signed bytes [K, N] with a
// scale for each column, as DynamicQuantizeMatMul takes it: value = code * scale.
type DequantizedColumns struct {
	N, K   int64
	Data   io.ReaderAt // [K, N]
	Scales *Stored     // [1, N]
}

// Size implements [Matrix].
func (d *DequantizedColumns) Size() (rows, cols int64) { return d.N, d.K }

// Read implements [Matrix].
func (d *DequantizedColumns) Read(dst []float32, r0, r1, c0, c1 int64) error {
	scales, codes := make([]float32, r1-r0), make([]byte, r1-r0)
	if err := d.Scales.Read(scales, 0, 1, r0, r1); err != nil {
		return err
	}
	for c := c0; c < c1; c++ {
		if err := readFull(d.Data, codes, c*d.N+r0); err != nil {
			return err
		}
		for i, code := range codes {
			dst[int64(i)*(c1-c0)+c-c0] = float32(int8(code)) * scales[i]
		}
	}
	return nil
}

// AsStored is any matrix as a stored tensor of float32, whose bytes are made as they
// are read.
func AsStored(m Matrix) *Stored {
	if s, ok := m.(*Stored); ok {
		return s
	}
	rows, cols := m.Size()
	return &Stored{Data: asBytes{m, rows, cols}, Type: Float32, Rows: rows, Cols: cols}
}

// Made reports whether the bytes are made as they are read, of what is stored otherwise.
func (s *Stored) Made() bool {
	_, made := s.Data.(asBytes)
	return made
}

type asBytes struct {
	m          Matrix
	rows, cols int64
}

// ReadAt implements io.ReaderAt: whole rows are read, a band of them at a time, and cut.
func (a asBytes) ReadAt(p []byte, off int64) (n int, err error) {
	rowBytes := a.cols * 4
	step := band(a.cols)
	for n < len(p) && off < a.rows*rowBytes {
		r := off / rowBytes
		end := min(r+step, a.rows, (off+int64(len(p)-n)+rowBytes-1)/rowBytes)
		vals := make([]float32, (end-r)*a.cols)
		if err := a.m.Read(vals, r, end, 0, a.cols); err != nil {
			return n, err
		}
		raw := make([]byte, 0, 4*len(vals))
		for _, v := range vals {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		took := copy(p[n:], raw[off-r*rowBytes:])
		n, off = n+took, off+int64(took)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
