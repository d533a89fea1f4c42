package tokenizer

import (
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lathe/runtime/provision/provisiontest"
)

// texts are lines as people write them, and tokens thrown together.
func texts(t *testing.T, tk *Tokenizer) []string {
	lines := strings.Split(string(readFile(t, provisiontest.Shared(t, "wikitext-2/wiki.test.raw"))), "\n")
	out := append(slices.Clone(lines[:400]), "", " ", "  two  spaces ", "\n\n", "naïve façade — „quoted“ 日本語 🙂 \x00\x01", "\t\ttabs", "12345 1,000.50")
	rng := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		var b strings.Builder
		for range 1 + rng.IntN(12) {
			s, _ := tk.Token(rng.IntN(tk.VocabSize()))
			b.WriteString(s)
		}
		out = append(out, b.String())
	}
	return out
}

// TestConvert: a tokenizer that is written as a tokenizer.json gives the ids that it
// gave, and is read as having the tokens that it had.
func TestConvert(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and minutes under the race detector")
	}
	for _, c := range []struct{ file, begin string }{
		{"gpt2-bpe/encoder.json", ""}, {"llama2c/tokenizer.model", "<s>"}, {"llama2c/tok512.bin", "<s>"}, {"llama2c/tokenizer.bin", ""},
	} {
		path := provisiontest.Shared(t, c.file)
		tk := load(t, path)
		text, err := Convert(path, c.begin)
		if err != nil {
			t.Fatal(err)
		}
		written := filepath.Join(t.TempDir(), "tokenizer.json")
		if err := os.WriteFile(written, text, 0o644); err != nil {
			t.Fatal(err)
		}
		again := load(t, written)
		if again.VocabSize() != tk.VocabSize() {
			t.Errorf("%s: %d tokens, and had %d", c.file, again.VocabSize(), tk.VocabSize())
		}
		for id := range tk.VocabSize() {
			a, _ := tk.Token(id)
			b, _ := again.Token(id)
			if a != b {
				t.Fatalf("%s: token %d is %q, and was %q", c.file, id, b, a)
			}
		}
		for _, s := range texts(t, tk) {
			if got, want := again.Encode(s), tk.Encode(s); !slices.Equal(got, want) {
				t.Fatalf("%s: %q is %v, and was %v", c.file, s, got, want)
			}
		}
		if got := Begins(text); got != c.begin {
			t.Errorf("%s: %q begins texts, want %q", c.file, got, c.begin)
		}
		// Its own form is left as it is.
		if same, err := Convert(written, "<none>"); err != nil || !slices.Equal(same, text) {
			t.Errorf("%s: converted again it differs: %v", c.file, err)
		}
	}
}

// TestConvertAsOthers: the merges of Llama 2's model are those that Hugging Face's own
// conversion found, in that order.
func TestConvertAsOthers(t *testing.T) {
	merges := func(text []byte) []string {
		var doc struct {
			Model struct{ Merges []string }
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		return doc.Model.Merges
	}
	text, err := Convert(provisiontest.Shared(t, "llama2c/tokenizer.model"), "<s>")
	if err != nil {
		t.Fatal(err)
	}
	got, want := merges(text), merges(gunzip(t, readFile(t, provisiontest.Shared(t, "llama2c/phi3-llama-tokenizer.json.gz"))))
	if len(got) != len(want) {
		t.Fatalf("%d merges, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("merge %d is %q, want %q", i, got[i], want[i])
		}
	}
}

// mapOf is a map of single bytes to texts, in the form of SentencePiece's.
func mapOf(by map[byte]string) []byte {
	const root, leaves = 256, 512 // where nodes and their values begin
	units, texts := make([]uint32, 1024), ""
	units[0] = root << 10
	for b, text := range by {
		node := root ^ uint32(b)
		units[node] = uint32(b) | 1<<8 | leaves<<10
		units[node^leaves] = 1<<31 | uint32(len(texts))
		texts += text + "\x00"
	}
	out := binary.LittleEndian.AppendUint32(nil, uint32(4*len(units)))
	for _, u := range units {
		out = binary.LittleEndian.AppendUint32(out, u)
	}
	return append(out, texts...)
}

// TestConvertUnigram: a Unigram model comes back as it was, map of characters, trimmed
// spaces and all.
func TestConvertUnigram(t *testing.T) {
	for name, data := range map[string][]byte{
		"as it is": tinyModel(modelTrainer, message(trainerType, typeUnigram)),
		"mapped":   tinyModel(modelTrainer, message(trainerType, typeUnigram), modelNormalizer, message(normalizerMap, mapOf(map[byte]string{'T': "t", '\n': " ", '\t': " "}))),
	} {
		path := filepath.Join(t.TempDir(), "tokenizer.model")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		tk := load(t, path)
		text, err := Convert(path, "")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := ParseJSON(text, name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again.VocabSize() != tk.VocabSize() || tk.UnigramBytes() {
			t.Errorf("%s: %d tokens, and had %d", name, again.VocabSize(), tk.VocabSize())
		}
		for _, s := range []string{"the", "the  the", "  the the ", "", "   ", "The\tthe\n", "éthe", "t h e", "\n", "the\n the"} {
			if got, want := again.Encode(s), tk.Encode(s); !slices.Equal(got, want) {
				t.Errorf("%s: %q is %v, and was %v", name, s, got, want)
			}
		}
	}
}

func TestBegins(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "", `[`: "", `{"post_processor":null}`: "", `{"post_processor":{"type":"ByteLevel"}}`: "",
		`{"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"</s>"}}]}}`:                                              "",
		`{"post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|begin_of_text|>"}}]}]}}`: "<|begin_of_text|>",
	} {
		if got := Begins([]byte(text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestNotConverted: what a tokenizer.json would say otherwise is refused.
func TestNotConverted(t *testing.T) {
	dir := t.TempDir()
	for says, c := range map[string]struct {
		data  []byte
		begin string
	}{
		"holds a space inside":                       {tinyModel(modelPieces, message(pieceText, "▁t▁t", pieceScore, -9.0), modelTrainer, message(trainerType, typeUnigram)), ""},
		"its words have no mark before them":         {tinyModel(modelTrainer, message(trainerType, typeUnigram), modelNormalizer, message(normalizerLead, 0)), ""},
		"it normalizes its text":                     {tinyModel(modelTrainer, message(trainerType, typeBPE), modelNormalizer, message(normalizerTrim, 1)), ""},
		"which is no token":                          {tinyModel(modelPieces, message(pieceText, "▁qt", pieceScore, -9.0), modelTrainer, message(trainerType, typeBPE), modelNormalizer, message(normalizerTrim, 0)), ""},
		`there is no special token "<bos>" to begin`: {tinyModel(modelTrainer, message(trainerType, typeBPE), modelNormalizer, message(normalizerTrim, 0)), "<bos>"},
		"want a SentencePiece model":                 {[]byte("nothing of the kind"), ""},
	} {
		path := filepath.Join(dir, "tokenizer.model")
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Convert(path, c.begin); err == nil || !strings.HasPrefix(err.Error(), "tokenizer: "+path) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	if _, err := Convert(filepath.Join(dir, "none"), ""); err == nil {
		t.Error("there is no such tokenizer")
	}
}
