package workload

import (
	"os"
	"strings"
	"testing"

	"lathe/finetune/tokenizer"
	"lathe/runtime/provision/provisiontest"
)

// With real tokenizers, too, counting in pieces is counting all that was typed: with
// one of bytes, and one that puts a space before a text's first word.
func TestRealTokenizers(t *testing.T) {
	for _, name := range []string{"gpt2-bpe", "llama2c/tokenizer.model"} {
		t.Run(name, func(t *testing.T) {
			tk, err := tokenizer.Load(provisiontest.Shared(t, name))
			if err != nil {
				t.Fatal(err)
			}
			countsInPieces(t, tk)
		})
	}
}

func countsInPieces(t *testing.T, tk *tokenizer.Tokenizer) {
	for file, lines := range map[string]int{"wikitext-2/wiki.test.raw": 12, "enron-mobile/mobile_orig.txt": 200, "small-lm/tinystories_sample.txt": 100} {
		data, err := os.ReadFile(provisiontest.Shared(t, file))
		if err != nil {
			t.Fatal(err)
		}
		messages := strings.Split(string(data), "\n")[:lines]
		for _, text := range messages {
			m := read(text, tk, 0)
			if m.tokens != len(tk.Encode(text)) {
				t.Fatalf("%d tokens in pieces, %d at once: %q", m.tokens, len(tk.Encode(text)), text)
			}
			for _, e := range m.ends {
				before := string([]rune(text)[:e.chars])
				if n := len(tk.Encode(before)); n != e.tokens {
					t.Fatalf("%d tokens, want %d: %q", e.tokens, n, before)
				}
				if n := m.shown(e, m.tokens-e.tokens); n != m.chars-e.chars {
					t.Fatalf("all that follows shows %d characters, want %d: %q", n, m.chars-e.chars, before)
				}
			}
		}
		w := fromText(t, messages, TextOptions{Tokenizer: tk})
		if rate := Describe(w).CharsPerToken; rate < 3 || rate > 6 {
			t.Errorf("%s: %.2f characters a token", file, rate)
		}
	}
}
