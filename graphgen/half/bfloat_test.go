package half_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"lathe/graphgen/half"
)

// TestBFloat16: what bfloat16 has stays; everything else goes to the nearer neighbour, of
// two to the even one; beyond the largest it becomes infinite.
func TestBFloat16(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		v := half.ToB(h)
		switch back := half.FromB(v); {
		case v != v:
			if w := half.ToB(back); w == w {
				t.Fatalf("%04x is no number, and %g afterwards", h, w)
			}
		case back != h:
			t.Fatalf("%04x becomes %04x", h, back)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
		got := half.ToB(half.FromB(v))
		if v != v {
			if got == got {
				t.Fatalf("no number becomes %g", got)
			}
			return
		}
		low := half.ToB(uint16(math.Float32bits(v) >> 16)) // towards zero
		high := half.ToB(uint16(math.Float32bits(v)>>16) + 1)
		down, up := math.Abs(float64(v)-float64(low)), math.Abs(float64(high)-float64(v))
		if math.IsInf(float64(high), 0) && !math.IsInf(float64(low), 0) {
			up = math.Abs(math.Copysign(0x1p128, float64(v)) - float64(v))
		}
		want := low
		if up < down || up == down && math.Float32bits(low)>>16&1 == 1 {
			want = high
		}
		if got != want {
			t.Fatalf("%g (%08x) becomes %g, between %g and %g", v, math.Float32bits(v), got, low, high)
		}
	})
	if got := half.FromB(math.Float32frombits(0x7f800001)); half.ToB(got) == half.ToB(got) {
		t.Error("a number that is none, by its last bit, becomes infinite")
	}
}
