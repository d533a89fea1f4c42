package weights

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"lathe/graphgen/ir"
)

// Given provides weights that exist: a user's own model. It streams: what is held
// at once is some rows of a tensor, and of a quantized weight its quantized form.
type Given struct {
	// Tensors are the weights by the names and in the layouts in which they are
	// published: ir.Param says what of them a parameter is.
	Tensors map[string]Matrix
	// Sum identifies the values; [Scan] finds it.
	Sum string
	// Errors is what quantization did to the weights written so far.
	Errors []QuantError

	last *quantized
}

// ErrNotFinite marks a weight that cannot be quantized because some value of it
// is infinite or no number.
var ErrNotFinite = errors.New("not finite")

// Hash implements [Source].
func (s *Given) Hash() string { return s.Sum }

// WriteParam implements [Source].
func (s *Given) WriteParam(ctx context.Context, w io.Writer, p *ir.Param) error {
	if p.Quant != nil {
		return s.writeQuantized(ctx, w, p)
	}
	m, err := s.published(p)
	if err != nil {
		return err
	}
	if p.Turned {
		m = Turn(m)
	}
	rows, cols := m.Size()
	t, ok := floatTypeOf(p.Type)
	if !ok || !shaped(p.Shape, rows, cols) {
		return fmt.Errorf("weights: parameter %s is %v %v, and what is given for it is [%d, %d]", p.Name, p.Type, p.Shape, rows, cols)
	}
	return WriteMatrix(ctx, w, m, t)
}

// published is what is given for a parameter, or for the weight that it is the
// quantized form of, as it is published.
func (s *Given) published(p *ir.Param) (Matrix, error) {
	vector := p.Quant == nil && len(p.Shape) < 2
	var parts []Matrix
	for _, part := range p.Published() {
		m := s.Tensors[part.Name]
		if m == nil {
			return nil, fmt.Errorf("weights: no tensor %s is given, for parameter %s", part.Name, p.Name)
		}
		if vector { // a row: its values are what is counted
			m = Turn(m)
		}
		rows, cols := m.Size()
		if rows != part.Rows {
			return nil, fmt.Errorf("weights: tensor %s has %d rows, and parameter %s takes %d of it", part.Name, rows, p.Name, part.Rows)
		}
		if len(parts) > 0 {
			if _, first := parts[0].Size(); cols != first {
				return nil, fmt.Errorf("weights: tensor %s has %d columns, and %s, which parameter %s has above it, %d", part.Name, cols, p.Published()[0].Name, p.Name, first)
			}
		}
		parts = append(parts, m)
	}
	m := parts[0]
	if len(parts) > 1 {
		m = Stack(parts...)
	}
	if vector {
		m = Turn(m)
	}
	return m, nil
}

// shaped reports whether a parameter's shape is that of a matrix, its columns the last
// dimension; a vector is one row.
func shaped(s ir.Shape, rows, cols int64) bool {
	if len(s) == 1 {
		return rows == 1 && s[0].N == cols
	}
	n, _ := s.Elements()
	return len(s) > 1 && s[len(s)-1].N == cols && n == rows*cols
}

// WriteMatrix writes a matrix as Float32 or Float16, little-endian, row by row. What is
// stored like that is copied, to the bit; else values are rounded to the nearest, and
// one beyond the type's largest is an [ErrTooLarge].
func WriteMatrix(ctx context.Context, w io.Writer, m Matrix, t FloatType) error {
	switch s := m.(type) {
	case *Stored:
		if s.Type == t {
			return copyBytes(ctx, w, s)
		}
	case stacked: // its parts follow each other
		for _, part := range s {
			if err := WriteMatrix(ctx, w, part, t); err != nil {
				return err
			}
		}
		return nil
	}
	rows, cols := m.Size()
	step := band(cols)
	vals := borrow(min(step, rows) * cols)
	defer giveBack(vals)
	buf := make([]byte, 0, t.Size()*int64(len(vals)))
	for r := int64(0); r < rows; r += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := vals[:(min(r+step, rows)-r)*cols]
		if err := m.Read(part, r, min(r+step, rows), 0, cols); err != nil {
			return err
		}
		out, tooLarge := t.append(buf[:0], part)
		if i := int64(tooLarge); i >= 0 {
			return fmt.Errorf("weights: value %g of row %d, column %d: %w", part[i], r+i/cols, i%cols, ErrTooLarge)
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
	}
	return nil
}

func copyBytes(ctx context.Context, w io.Writer, s *Stored) error {
	buf := make([]byte, min(bandBytes, s.Bytes()))
	for at := int64(0); at < s.Bytes(); at += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := buf[:min(int64(len(buf)), s.Bytes()-at)]
		if err := readFull(s.Data, part, at); err != nil {
			return err
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// writeQuantized writes one part of a quantized weight. The parts follow each
// other in a graph, and are made together.
func (s *Given) writeQuantized(ctx context.Context, w io.Writer, p *ir.Param) error {
	if !s.last.holds(p) {
		out, quality, err := s.quantize(ctx, p)
		if err != nil {
			return err
		}
		s.last = out
		s.Errors = append(s.Errors, quality)
	}
	return s.last.write(w, p.Quant.Part)
}

// quantize quantizes a weight, bands of its rows in parallel.
func (s *Given) quantize(ctx context.Context, p *ir.Param) (*quantized, QuantError, error) {
	q := p.Quant
	out, err := newQuantized(*q)
	if err != nil {
		return nil, QuantError{}, err
	}
	m, err := s.published(p)
	if err != nil {
		return nil, QuantError{}, err
	}
	if !q.Transposed {
		m = Turn(m)
	}
	if rows, cols := m.Size(); rows != q.N || cols != q.K {
		return nil, QuantError{}, fmt.Errorf("weights: weight %s has %d outputs of %d inputs, and what is given for it %d of %d", q.Weight, q.N, q.K, rows, cols)
	}
	step := band(q.K)
	sums := make([]errorSums, (q.N+step-1)/step)
	err = parallel(ctx, len(sums), func(i int) error {
		from := int64(i) * step
		to := min(from+step, q.N)
		vals, back := borrow((to-from)*q.K), make([]float32, q.K)
		defer giveBack(vals)
		if err := m.Read(vals, from, to, 0, q.K); err != nil {
			return err
		}
		for n := from; n < to; n++ {
			row := vals[(n-from)*q.K : (n-from+1)*q.K]
			if notFinite(out.put(n, row)) >= 0 {
				k := notFinite(row)
				if k < 0 {
					return fmt.Errorf("weights: weight %s: the scale of a block of output %d is %w", q.Weight, n, ErrTooLarge)
				}
				return fmt.Errorf("weights: weight %s: value %g of output %d, input %d: %w; it cannot be quantized", q.Weight, row[k], n, k, ErrNotFinite)
			}
			out.measure(&sums[i], n, row, back)
		}
		return nil
	})
	return out, sumErrors(q.Weight, sums), err
}

// notFinite is the index of the first value that is infinite or no number, or -1.
func notFinite(vals []float32) int {
	for i, v := range vals {
		if math.Float32bits(v)&exponent32 == exponent32 {
			return i
		}
	}
	return -1
}

// exponent32 is the bits of a float32's exponent: all set in what is not finite.
const exponent32 = 0x7f800000
