package tokenizer

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lathe/runtime/provision/provisiontest"

	"golang.org/x/text/unicode/norm"
)

// goldens are ids of others; testdata/make_goldens.py has made them.
func goldens(t testing.TB) (texts []string, ids map[string][][]int) {
	t.Helper()
	var g struct {
		Texts []string
		IDs   map[string][][]int
	}
	if err := json.Unmarshal(readFile(t, filepath.Join("testdata", "goldens.json")), &g); err != nil {
		t.Fatal(err)
	}
	return g.Texts, g.IDs
}

func load(t testing.TB, path string) *Tokenizer {
	t.Helper()
	tk, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

func llama2(t testing.TB) *Tokenizer {
	return load(t, provisiontest.Shared(t, "llama2c/tokenizer.model"))
}

func phi3(t testing.TB) *Tokenizer {
	tk, err := ParseJSON(gunzip(t, readFile(t, provisiontest.Shared(t, "llama2c/phi3-llama-tokenizer.json.gz"))), "phi3")
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

// golden is the tokenizer of a name in the goldens, and what its texts come back as.
func golden(t *testing.T, name string) (*Tokenizer, func(string) string) {
	spaces := func(s string) string { return strings.ReplaceAll(s, mark, " ") }
	switch name {
	case "llama2":
		return llama2(t), spaces
	case "phi3":
		swallow := strings.NewReplacer("</s> ", "</s>", "<|assistant|>\n  ", "<|assistant|>", mark, " ")
		return phi3(t), swallow.Replace
	}
	tk := load(t, filepath.Join("testdata", name))
	switch name {
	case "llama3.json", "other.json":
		return tk, swallowed
	case "qwen2.json":
		return tk, func(s string) string { return norm.NFC.String(swallowed(s)) }
	case "metaspace-first.json":
		return tk, func(s string) string { return strings.TrimPrefix(spaces(s), " ") }
	case "metaspace-always.json":
		return tk, func(s string) string { return strings.TrimPrefix(spaces(strings.ReplaceAll(s, "</s> ", "</s>")), " ") }
	case "metaspace-never.json", "bytes.model":
		return tk, spaces
	}
	return tk, nil // some characters are unknown
}

// swallowed is what the small tokenizers swallow beside added tokens.
func swallowed(s string) string {
	s = strings.ReplaceAll(s, "</s> ", "</s>")
	return strings.ReplaceAll(s, " <ud>", "<ud>")
}

// Ids of the libraries that models are trained with, on unusual text.
func TestGoldens(t *testing.T) {
	texts, ids := goldens(t)
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		t.Run(name, func(t *testing.T) {
			tk, back := golden(t, name)
			encode := tk.EncodeSpecial // Python's tokenizers find special tokens everywhere
			if name == "llama2" || strings.HasSuffix(name, ".model") {
				encode = tk.Encode // and SentencePiece nowhere
			}
			for i, text := range texts {
				for range 2 { // anew, and as seen before
					if got := encode(text); !slices.Equal(got, ids[name][i]) {
						t.Errorf("%q\n got %v\nwant %v", text, got, ids[name][i])
					}
				}
				if back == nil {
					continue
				}
				if got, want := tk.Decode(ids[name][i]), back(text); got != want {
					t.Errorf("%v\n is %q\nwant %q", ids[name][i], got, want)
				}
			}
		})
	}
}

// Three files of one vocabulary agree, text by text.
func TestLlama2Files(t *testing.T) {
	texts, ids := goldens(t)
	bin := load(t, provisiontest.Shared(t, "llama2c/tokenizer.bin"))
	for i, text := range texts {
		got := bin.Encode(text)
		if !strings.Contains(text, mark) && !slices.Equal(got, ids["llama2"][i]) {
			t.Errorf("%q\n got %v\nwant %v", text, got, ids["llama2"][i])
		}
		if back := bin.Decode(got); back != text {
			t.Errorf("%q becomes %q", text, back)
		}
		special := bin.EncodeSpecial(text)
		if back := bin.Decode(special); back != text {
			t.Errorf("%q becomes %q", text, back)
		}
	}
	model, json := llama2(t), phi3(t)
	if n := model.VocabSize(); n != 32000 || bin.VocabSize() != n || json.VocabSize() != 32045 {
		t.Errorf("%d, %d and %d tokens", n, bin.VocabSize(), json.VocabSize())
	}
	text := string(readFile(t, provisiontest.Shared(t, "wikitext-2/wiki.test.raw")))
	text = text[:strings.LastIndexByte(text[:200000], '\n')]
	want := model.Encode(text)
	if !slices.Equal(bin.Encode(text), want) || !slices.Equal(json.Encode(text), want) {
		t.Error("ids of a long text differ")
	}
	if model.Decode(want) != text || bin.Decode(want) != text || json.Decode(want) != text {
		t.Error("decoding gives another text")
	}
	for id := range 32000 {
		a, okA := model.Token(id)
		b, okB := bin.Token(id)
		c, okC := json.Token(id)
		if a != b || a != c || !okA || !okB || !okC {
			t.Errorf("token %d is %q, %q and %q", id, a, b, c)
		}
	}
	for _, name := range []string{"<unk>", "<s>", "</s>"} {
		a, okA := model.Special(name)
		if b, okB := bin.Special(name); a != b || !okA || !okB {
			t.Errorf("%s is %d and %d", name, a, b)
		}
	}
}

// The text that llama2.c prints for its smallest model.
func TestStories(t *testing.T) {
	var want struct {
		IDs  []int `json:"greedy_ids"`
		Text string
	}
	if err := json.Unmarshal(readFile(t, provisiontest.Shared(t, "llama2c/stories260K.expected.json")), &want); err != nil {
		t.Fatal(err)
	}
	tk := load(t, provisiontest.Shared(t, "llama2c/tok512.bin"))
	if got := tk.Decode(want.IDs); got != want.Text {
		t.Errorf("%q", got)
	}
	if got := tk.Decode(append([]int{1}, want.IDs...)); got != "<s>"+want.Text {
		t.Errorf("%q", got)
	}
	if n := tk.CountChars(want.IDs); n != len(want.Text)+1 { // the space before the first word
		t.Errorf("%d characters of %d", n, len(want.Text))
	}
	stream := ""
	for _, id := range want.IDs {
		s, _ := tk.Token(id)
		stream += s
	}
	if stream != " "+want.Text {
		t.Errorf("%q", stream)
	}
}
