package decode_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"lathe/runtime/decode"
)

// TestAgreementByHand: distributions of halves and quarters.
func TestAgreementByHand(t *testing.T) {
	ln2 := float32(math.Ln2)
	var a decode.Agreement
	// The reference: 1/2, 1/4, 1/4. Against it: thirds, whose first is the top too.
	a.Add([]float32{5, 5, 5}, []float32{ln2, 0, 0})
	want := 0.5*math.Log(1.5) + 2*0.25*math.Log(0.75)
	if a.Tokens != 1 || a.Top1 != 1 || math.Abs(a.KL-want) > 1e-7 {
		t.Errorf("%+v, want a divergence of %g", a, want)
	}
	a.Add([]float32{0, ln2, 0}, []float32{ln2, 0, 0})
	want = (want + 0.25*math.Ln2) / 2
	if a.Tokens != 2 || a.Top1 != 0.5 || math.Abs(a.KL-want) > 1e-7 {
		t.Errorf("%+v, want a divergence of %g", a, want)
	}
	dd := math.Pow(5-math.Ln2, 2) + 25 + 25 + 2*math.Ln2*math.Ln2
	if got := a.Relative; math.Abs(got-math.Sqrt(dd/(2*math.Ln2*math.Ln2))) > 1e-5 {
		t.Errorf("relative %g", got)
	}
}

// TestAgreementWithItself: nothing differs from itself; a constant added to logits
// changes no distribution; every divergence is positive.
func TestAgreementWithItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "vocabulary")
		row := rapid.SliceOfN(rapid.Float32Range(-50, 50), n, n)
		x, y := row.Draw(t, "x"), row.Draw(t, "y")
		var same, shifted, other decode.Agreement
		same.Add(x, x)
		if same.Relative != 0 || math.Abs(same.Cosine-1) > 1e-9 || same.Top1 != 1 || same.KL > 1e-12 {
			t.Fatalf("%+v", same)
		}
		z := make([]float32, n)
		for i, v := range x {
			z[i] = v + 64
		}
		shifted.Add(z, x)
		if shifted.KL > 1e-4 {
			t.Fatalf("shifted: %+v", shifted)
		}
		other.Add(x, y)
		if !(other.KL >= 0) || math.IsInf(other.KL, 0) || math.Abs(other.Cosine) > 1+1e-9 {
			t.Fatalf("%+v", other)
		}
	})
}
