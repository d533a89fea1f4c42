package finetune

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math"

	"lathe/graphgen/weights"
)

// Published are the parameters by the names and in the layouts in which models are
// published, read from the model's own memory: they change as it is trained.
func (m *Model) Published() map[string]weights.Matrix {
	out := map[string]weights.Matrix{}
	for _, t := range m.view(m.parameters) {
		p := t.Param
		cols := p.Shape[len(p.Shape)-1].N
		var whole weights.Matrix = held{t.Values, cols}
		switch {
		case len(p.Shape) == 1:
			whole = weights.Turn(whole) // what is counted of a vector is its values
		case p.Turned:
			whole = weights.Turn(whole)
		}
		_, width := whole.Size()
		var from int64
		for _, part := range p.Published() {
			x := weights.Cut(whole, from, from+part.Rows, 0, width)
			if len(p.Shape) == 1 {
				x = weights.Turn(x)
			}
			out[part.Name] = x
			from += part.Rows
		}
	}
	return out
}

// Source provides the parameters as they are now, for any graph of the Spec: to be
// written, or evaluated. It reads the model's own memory, so it is void after a step.
func (m *Model) Source() weights.Source {
	return &weights.Given{Tensors: m.Published(), Sum: m.sum256()}
}

// sum256 identifies the parameters' values.
func (m *Model) sum256() string {
	h := sha256.New()
	buf := make([]byte, 0, 4*slab)
	for _, t := range m.view(m.parameters) {
		io.WriteString(h, t.Param.Name) //nolint:errcheck // a hash takes all
		for vals := t.Values; len(vals) > 0; vals = vals[min(slab, len(vals)):] {
			buf = buf[:0]
			for _, v := range vals[:min(slab, len(vals))] {
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			}
			h.Write(buf)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// held is a matrix in memory.
type held struct {
	values []float32
	cols   int64
}

func (h held) Size() (rows, cols int64) { return int64(len(h.values)) / h.cols, h.cols }

func (h held) Read(dst []float32, r0, r1, c0, c1 int64) error {
	for r := r0; r < r1; r++ {
		dst = dst[copy(dst, h.values[r*h.cols+c0:r*h.cols+c1]):]
	}
	return nil
}

// into writes little-endian values into memory, and not past it.
type into struct {
	rest []float32
	part []byte // of a value
}

func (w *into) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		if len(w.part) == 0 && len(b) >= 4 {
			k := min(len(b)/4, len(w.rest))
			if k == 0 {
				return 0, io.ErrShortWrite
			}
			for i := range w.rest[:k] {
				w.rest[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
			}
			w.rest, b = w.rest[k:], b[4*k:]
			continue
		}
		w.part, b = append(w.part, b[0]), b[1:]
		if len(w.part) == 4 {
			if len(w.rest) == 0 {
				return 0, io.ErrShortWrite
			}
			w.rest[0] = math.Float32frombits(binary.LittleEndian.Uint32(w.part))
			w.rest, w.part = w.rest[1:], w.part[:0]
		}
	}
	return n, nil
}
