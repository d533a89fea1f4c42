package weights

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestDequantized: any rectangle is what the definition gives, element by element.
func TestDequantized(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, k := rapid.Int64Range(1, 9).Draw(t, "n"), rapid.Int64Range(1, 90).Draw(t, "k")
		block := rapid.SampledFrom([]int64{16, 32}).Draw(t, "block")
		bits := rapid.SampledFrom([]int{4, 8}).Draw(t, "bits")
		blocks := (k + block - 1) / block
		drawn := func(name string, size int64) []byte {
			return rapid.SliceOfN(rapid.Byte(), int(size), int(size)).Draw(t, name)
		}
		data := drawn("data", n*blocks*block*int64(bits)/8)
		scales := rapid.SliceOfN(rapid.Float32Range(-2, 2), int(n*blocks), int(n*blocks)).Draw(t, "scales")
		zeroBytes := (blocks*int64(bits) + 7) / 8
		zeros := drawn("zeros", n*zeroBytes)
		d := &Dequantized{N: n, K: k, Block: block, Bits: bits, Data: bytes.NewReader(data), Scales: stored(Float32, n, blocks, scales)}
		withZeros := rapid.Bool().Draw(t, "with zeros")
		if withZeros {
			d.Zeros = bytes.NewReader(zeros)
		}
		codeAt := func(b []byte, i int64) float32 {
			if bits == 8 {
				return float32(b[i])
			}
			if i%2 == 1 {
				return float32(b[i/2] >> 4)
			}
			return float32(b[i/2] & 15)
		}
		want := make([]float32, n*k)
		for i := range n {
			for j := range k {
				zero := float32(8)
				if bits == 8 {
					zero = 128
				}
				if withZeros {
					zero = codeAt(zeros[i*zeroBytes:], j/block)
				}
				code := codeAt(data[i*blocks*block*int64(bits)/8:], j)
				want[i*k+j] = (code - zero) * scales[i*blocks+j/block]
			}
		}
		r0, c0 := rapid.Int64Range(0, n).Draw(t, "r0"), rapid.Int64Range(0, k).Draw(t, "c0")
		r1, c1 := rapid.Int64Range(r0, n).Draw(t, "r1"), rapid.Int64Range(c0, k).Draw(t, "c1")
		got := make([]float32, (r1-r0)*(c1-c0))
		if err := Cut(d, r0, r1, c0, c1).Read(got, 0, r1-r0, 0, c1-c0); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			w := want[(r0+int64(i)/(c1-c0))*k+c0+int64(i)%(c1-c0)]
			if got[i] != w {
				t.Fatalf("value %d of the rectangle is %g, want %g", i, got[i], w)
			}
		}
		// As bytes, from anywhere.
		s := AsStored(d)
		all := stored(Float32, n, k, want)
		at := rapid.Int64Range(0, s.Bytes()).Draw(t, "at")
		size := rapid.Int64Range(0, s.Bytes()+3).Draw(t, "size")
		p, q := make([]byte, size), make([]byte, size)
		np, ep := s.Data.ReadAt(p, at)
		nq, eq := all.Data.ReadAt(q, at)
		if np != nq || (ep == nil) != (nq == len(q)) || ep != nil && ep != io.EOF || eq != nil && eq != io.EOF || !slices.Equal(p[:np], q[:nq]) {
			t.Fatalf("%d bytes at %d: %d, %v, want %d, %v", size, at, np, ep, nq, eq)
		}
	})
}
