package workload

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lathe/finetune/tokenizer"
)

// With real tokenizers, too, counting in pieces is counting all that was typed: with
// one of bytes, and one that puts a space before a text's first word.
func TestRealTokenizers(t *testing.T) {
	root := os.Getenv("LATHE_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "data")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v; set LATHE_SHARED", err)
		}
		t.Skipf("%v; set LATHE_SHARED", err)
	}
	for _, name := range []string{"gpt2-bpe", "llama2c/tokenizer.model"} {
		t.Run(name, func(t *testing.T) {
			tk, err := tokenizer.Load(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			countsInPieces(t, dir, tk)
		})
	}
}

func countsInPieces(t *testing.T, dir string, tk *tokenizer.Tokenizer) {
	for file, lines := range map[string]int{"wikitext-2/wiki.test.raw": 12, "enron-mobile/mobile_orig.txt": 200, "small-lm/tinystories_sample.txt": 100} {
		data, err := os.ReadFile(filepath.Join(dir, file))
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
