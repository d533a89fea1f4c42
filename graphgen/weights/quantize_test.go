package weights

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestQuantizedWithinHalfAStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 300).Draw(t, "k")
		block := rapid.SampledFrom([]int{16, 32, 64, 128}).Draw(t, "block")
		row := rapid.SliceOfN(rapid.Float32Range(-1e4, 1e4), k, k).Draw(t, "row")
		blocks := (k + block - 1) / block
		data, scales := make([]byte, blocks*block/2), make([]float32, blocks)
		Quantize4(row, block, data, scales)
		got := make([]float32, k)
		Dequantize4(data, scales, block, got)
		for i, v := range row {
			// Half a step, and float32's own rounding of value/scale and of code*scale.
			// A block below the smallest scale is zero.
			limit := float64(scales[i/block])*0.5 + 1e-6*math.Abs(float64(v))
			if scales[i/block] == 0 {
				limit = 7 * minScale
			}
			if d := math.Abs(float64(got[i] - v)); d > limit {
				t.Fatalf("value %d: %g came back as %g, %g away; half a step is %g", i, v, got[i], d, limit)
			}
		}
		for i := k; i < blocks*block; i++ {
			if code := data[i/2] >> (4 * (i & 1)) & 15; code != 8 {
				t.Fatalf("padding at %d has code %d, want 8, which is zero", i, code)
			}
		}
	})
}

// TestQuantizeRounds: codes are those of the definition, computed in another way,
// at and around every half step.
func TestQuantizeRounds(t *testing.T) {
	const scale = 0.37
	row := []float32{7 * scale}
	for q := -7.0; q < 7; q += 0.5 {
		v := float32(q * scale)
		row = append(row, v, math.Nextafter32(v, 10), math.Nextafter32(v, -10))
	}
	data, scales := make([]byte, 64), make([]float32, 1)
	Quantize4(row, 128, data, scales)
	for i, v := range row {
		want := math.RoundToEven(float64(float32(v*(1/scales[0])))) + 8
		if code := data[i/2] >> (4 * (i & 1)) & 15; float64(code) != want {
			t.Errorf("%g in steps of %g has code %d, want %g", v, scales[0], code, want)
		}
	}
}

// TestQuantizeExtremes: blocks of next to nothing are zero, and not finite ones say
// so in their scale.
func TestQuantizeExtremes(t *testing.T) {
	for _, v := range []float32{0, math.SmallestNonzeroFloat32, 1e-40, 6 * minScale, -1e-44} {
		data, scales := make([]byte, 8), make([]float32, 1)
		Quantize4([]float32{v, -v, v}, 16, data, scales)
		if scales[0] != 0 || data[0] != zeros || data[1] != zeros {
			t.Errorf("%g has scale %g and codes %x", v, scales[0], data)
		}
	}
	for _, v := range []float32{7 * minScale, math.MaxFloat32, 1e38} {
		data, scales := make([]byte, 8), make([]float32, 1)
		Quantize4([]float32{v, -v, 0}, 16, data, scales)
		if data[0] != 0x1f || data[1] != zeros || !(scales[0] > 0) || math.IsInf(float64(scales[0]), 0) {
			t.Errorf("%g has scale %g and codes %x", v, scales[0], data)
		}
	}
	for _, v := range []float64{math.Inf(1), math.Inf(-1), math.NaN()} {
		scales := make([]float32, 1)
		Quantize4([]float32{1, float32(v)}, 16, make([]byte, 8), scales)
		if notFinite(scales) != 0 {
			t.Errorf("%g has scale %g", v, scales[0])
		}
	}
}

func TestQuantizeKeepsExactMultiples(t *testing.T) {
	row := []float32{-7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 0}
	data, scales := make([]byte, 8), make([]float32, 1)
	Quantize4(row, 16, data, scales)
	if scales[0] != 1 || data[0] != 0x21 {
		t.Fatalf("scale %g, first byte %#x; want 1 and 0x21: the earlier code is the low nibble", scales[0], data[0])
	}
	got := make([]float32, 16)
	Dequantize4(data, scales, 16, got)
	for i := range row {
		if got[i] != row[i] {
			t.Fatalf("value %d: %g came back as %g", i, row[i], got[i])
		}
	}
}
