package half_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"lathe/graphgen/half"
)

// value is the definition: 2^(exponent-15) (1 + fraction/1024), and fraction 2^-24
// where the exponent is 0.
func value(h uint16) float64 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	v := math.Ldexp(fraction, -24)
	switch {
	case exponent == 31 && fraction != 0:
		return math.NaN()
	case exponent == 31:
		v = math.Inf(1)
	case exponent > 0:
		v = math.Ldexp(1024+fraction, exponent-25)
	}
	if h>>15 == 1 {
		v = -v
	}
	return v
}

// TestEveryValue: all 65536 have the value of their definition, and are what that
// value rounds to.
func TestEveryValue(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		got, want := half.To(h), value(h)
		if math.IsNaN(want) {
			if got == got || half.From(got) != h|0x0200 || half.Finite(h) {
				t.Fatalf("%04x is no number; To gives %v, and From of that %04x", h, got, half.From(got))
			}
			continue
		}
		if float64(got) != want || math.Signbit(float64(got)) != (h>>15 == 1) {
			t.Fatalf("To(%04x) is %v, want %v", h, got, want)
		}
		if half.From(got) != h {
			t.Fatalf("From(%v) is %04x, want %04x", got, half.From(got), h)
		}
		if half.Finite(h) == math.IsInf(want, 0) {
			t.Fatalf("Finite(%04x) is %t", h, half.Finite(h))
		}
	}
}

// TestRoundsToNearestEven: between two neighbours, what lies below the middle goes
// down, what lies above it up, and the middle to the one whose last bit is 0; beyond
// the largest, the step that would follow is taken for the infinite value.
func TestRoundsToNearestEven(t *testing.T) {
	for h := uint16(0); h < 0x7c00; h++ {
		low, high := value(h), value(h+1)
		if h+1 == 0x7c00 {
			high = 65536
		}
		middle := float32((low + high) / 2) // exact: float32 has 13 bits more
		even := h + h&1
		for _, sign := range []struct {
			bit uint16
			by  float32
		}{{0, 1}, {0x8000, -1}} {
			for _, c := range []struct {
				v    float32
				want uint16
			}{
				{math.Nextafter32(middle, 0), h}, {middle, even}, {math.Nextafter32(middle, math.MaxFloat32), h + 1},
			} {
				if got := half.From(sign.by * c.v); got != c.want|sign.bit {
					t.Fatalf("From(%v) is %04x, want %04x", sign.by*c.v, got, c.want|sign.bit)
				}
			}
		}
	}
}

// TestNoValueIsNearer: whatever is rounded, neither neighbour of the result is nearer
// to it.
func TestNoValueIsNearer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
		h := half.From(v)
		if v != v {
			if half.Finite(h) || half.To(h) == half.To(h) {
				t.Fatalf("%v becomes %v", v, half.To(h))
			}
			return
		}
		distance := func(h uint16) float64 {
			if h&0x7fff == 0x7c00 { // one step above the largest
				return math.Abs(math.Abs(float64(v)) - 65536)
			}
			return math.Abs(math.Abs(float64(v)) - math.Abs(value(h)))
		}
		if math.Abs(float64(v)) >= 65520 {
			if half.Finite(h) {
				t.Fatalf("%v becomes %v", v, half.To(h))
			}
			return
		}
		for _, n := range []uint16{h - 1, h + 1} {
			if n&0x7fff <= 0x7c00 && n&0x8000 == h&0x8000 && distance(n) < distance(h) {
				t.Fatalf("%v becomes %v, and %v is nearer", v, half.To(h), half.To(n))
			}
		}
	})
}
