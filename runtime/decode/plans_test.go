package decode_test

import (
	"testing"

	"lathe/runtime/decode"
)

// A text that is typed and edited makes a binding for each length and each that was left;
// they are not kept without end, and what was reserved is.
func TestBindingsAreBounded(t *testing.T) {
	for _, c := range []toy{{keep: true}, {fused: true, keep: true}} {
		const length = 64
		m := toyDecoder(t, c, decode.Options{MaxLen: length})
		if err := m.Reserve([]int{1}, length); err != nil {
			t.Fatal(err)
		}
		reserved := m.Bindings()
		most, tokens := 0, make([]int64, length)
		for i := range tokens {
			tokens[i] = int64(i*7) % toyVocab
		}
		for past := range length {
			for n := 1; past+n <= length; n++ {
				if err := m.Truncate(0); err != nil {
					t.Fatal(err)
				}
				if past > 0 {
					if err := m.Prefill([][]int64{tokens[:past]}); err != nil {
						t.Fatal(err)
					}
				}
				if err := m.Prefill([][]int64{tokens[past : past+n]}); err != nil {
					t.Fatal(err)
				}
				if err := near(m.Last(0), tokens[:past+n]); err != nil {
					t.Fatalf("%d tokens after %d: %v", n, past, err)
				}
				most = max(most, m.Bindings())
			}
		}
		if bound := reserved + decode.MaxLoose; most > bound || most < reserved+500 {
			t.Errorf("%+v: %d bindings, %d of them reserved: want %d at most", c, most, reserved, bound)
		}
	}
}
