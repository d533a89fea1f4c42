package tokenizer

import (
	"testing"

	"lathe/runtime/provision/provisiontest"
)

func TestEnding(t *testing.T) {
	for name, want := range map[*Tokenizer]int{gpt2(t): 50256, llama2(t): 2, load(t, provisiontest.Shared(t, "llama2c/tokenizer.bin")): 2} {
		if id, ok := name.Ending(); !ok || id != want {
			t.Errorf("texts end with %d, %v; want %d", id, ok, want)
		}
	}
}

func TestFingerprint(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		for _, tk := range []*Tokenizer{tiny(t), llama2(t), load(t, provisiontest.Shared(t, "llama2c/tokenizer.bin")), gpt2(t)} {
			seen[tk.Fingerprint()] = true
		}
	}
	if len(seen) != 4 || seen[""] {
		t.Errorf("four tokenizers, read twice, have the fingerprints %v", seen)
	}
}
