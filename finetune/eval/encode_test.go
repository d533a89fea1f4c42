package eval_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"lathe/finetune/eval"
	"lathe/finetune/tokenizer"
	"lathe/runtime/provision/provisiontest"
)

func load(t testing.TB, name string) *tokenizer.Tokenizer {
	t.Helper()
	tk, err := tokenizer.Load(provisiontest.Shared(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

// The bytes and characters of a document's tokens are its text's: of a tokenizer that
// puts a space before a text, less that one.
func TestDocumentSizes(t *testing.T) {
	begin := int64(1)
	for name, e := range map[string]eval.Encoder{
		"gpt2-bpe/vocab.bpe":      {},
		"llama2c/tok512.bin":      {Begin: &begin},
		"llama2c/tokenizer.model": {Begin: &begin},
	} {
		tk := load(t, name)
		e.Tokenizer = tk
		for _, text := range []string{"Once upon a time, there was a café – “Über” 日本語 🙂.\n", " two  spaces", "a", "\n\n"} {
			d := e.Document(text)
			first := 0
			if e.Begin != nil {
				if first = 1; d.IDs[0] != 1 {
					t.Errorf("%s: %v does not begin with <s>", name, d.IDs)
				}
			}
			bytes, chars := -d.Lead, -d.Lead
			for _, id := range d.IDs[first:] {
				b, c := e.Size(id)
				bytes, chars = bytes+b, chars+c
			}
			if bytes != len(text) || chars != utf8.RuneCountInString(text) {
				t.Errorf("%s, %q: %d bytes and %d characters of tokens, want %d and %d", name, text, bytes, chars, len(text), utf8.RuneCountInString(text))
			}
		}
		if d := e.Document(""); len(d.IDs) != 0 && len(d.IDs) != 1 || d.Lead != 0 {
			t.Errorf("of no text: %+v", d)
		}
	}
}

// A passage's last word is the end of the whole's tokens.
func TestPassage(t *testing.T) {
	begin := int64(1)
	for name, e := range map[string]eval.Encoder{"gpt2-bpe/vocab.bpe": {}, "llama2c/tokenizer.model": {Begin: &begin}} {
		tk := load(t, name)
		e.Tokenizer = tk
		text := "Yes, I thought I was going to lose the baby. “I was scared too,” he stated, sincerity flooding his eyes. It was Mr. Nanotechnology"
		p, err := e.Passage(text)
		if err != nil {
			t.Fatal(err)
		}
		ids, _ := strings.CutSuffix(text, " Nanotechnology")
		want := append(tk.Encode(ids), tk.Continue(" Nanotechnology")...)
		got := make([]int, len(p.IDs))
		for i, id := range p.IDs {
			got[i] = int(id)
		}
		if e.Begin != nil {
			got = got[1:]
		}
		if !slices.Equal(got, want) || !slices.Equal(got, tk.Encode(text)) {
			t.Errorf("%s: %v\nwant %v\nand  %v", name, got, want, tk.Encode(text))
		}
		if word := tk.Decode(append(tk.Encode("x"), got[len(got)-p.Word:]...)); word != "x Nanotechnology" || p.Word < 2 {
			t.Errorf("%s: the last word is %q, of %d tokens", name, word, p.Word)
		}
	}
	e := eval.Encoder{Tokenizer: load(t, "gpt2-bpe/vocab.bpe")}
	for text, want := range map[string]string{
		"": "no space", "word": "no space", "ends in ": "ends in a space", " alone": `nothing before the last word "alone"`,
	} {
		if _, err := e.Passage(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
