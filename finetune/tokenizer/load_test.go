package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tinyVocab is all bytes, some merges that make "the" and " the", and a special
// token.
func tinyVocab() (vocab map[string]int, merges []string) {
	vocab = map[string]int{"<s>": 0}
	for _, r := range runeOf {
		vocab[string(r)] = len(vocab)
	}
	merges = []string{"t h", "th e", "Ġ the", "a a"}
	for _, m := range merges {
		vocab[strings.Replace(m, " ", "", 1)] = len(vocab)
	}
	return vocab, merges
}

func tinyFiles() (vocab, merges []byte) {
	v, m := tinyVocab()
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b, []byte("#version: 0.2\n" + strings.Join(m, "\n") + "\n")
}

// tinyJSON is the same as a tokenizer.json, changed by change.
func tinyJSON(change func(file, model map[string]any)) []byte {
	v, m := tinyVocab()
	model := map[string]any{"type": "BPE", "vocab": v, "merges": m, "dropout": nil, "continuing_subword_prefix": ""}
	file := map[string]any{
		"version": "1.0", "normalizer": nil, "truncation": nil, "model": model,
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
		"added_tokens":  []any{map[string]any{"id": 0, "content": "<s>", "special": true}},
	}
	if change != nil {
		change(file, model)
	}
	b, err := json.Marshal(file)
	if err != nil {
		panic(err)
	}
	return b
}

func tiny(t testing.TB) *Tokenizer {
	t.Helper()
	vocab, merges := tinyFiles()
	tk, err := ParsePair(vocab, merges, "vocab.json", "merges.txt")
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	vocab, merges := tinyFiles()
	one, two, three, model := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	file := write(t, one, "tokenizer.json", tinyJSON(nil))
	write(t, two, "vocab.json", vocab)
	txt := write(t, two, "merges.txt", merges)
	write(t, three, "encoder.json", vocab)
	write(t, three, "vocab.bpe", merges)
	write(t, model, "tokenizer.model", nil)
	want := tiny(t).Encode("the theme, aaa")
	for _, path := range []string{one, file, two, txt, filepath.Join(two, "vocab.json"), three, filepath.Join(three, "vocab.bpe")} {
		tk, err := Load(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := tk.Encode("the theme, aaa"); !slices.Equal(got, want) || tk.VocabSize() != 261 {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	for path, want := range map[string]string{
		filepath.Join(one, "none"): "no such file",
		t.TempDir():                "has neither a tokenizer.json nor",
		model:                      "tokenizer.model: the file is empty: want a SentencePiece model",
	} {
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if err := os.Remove(txt); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(two); err == nil || !strings.Contains(err.Error(), "merges.txt") {
		t.Error(err)
	}
}

// Ids need not be in the order of the merges: ranks come from those.
func TestRanksAreTheMerges(t *testing.T) {
	v, m := tinyVocab()
	v["th"], v["aa"] = v["aa"], v["th"]
	vocab, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	tk, err := ParsePair(vocab, []byte(strings.Join(m, "\n")), "v", "m")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tk.Encode(" thaa"), []int{v["Ġ"], v["th"], v["aa"]}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Newer files have merges as pairs; tokens that are added and not special are
// found in any text.
func TestJSONForms(t *testing.T) {
	data := tinyJSON(func(file, model map[string]any) {
		var pairs [][]string
		for _, m := range model["merges"].([]string) {
			pairs = append(pairs, strings.Split(m, " "))
		}
		model["merges"] = pairs
		file["added_tokens"] = append(file["added_tokens"].([]any), map[string]any{"id": 300, "content": "aaaa", "special": false})
	})
	tk, err := ParseJSON(data, "f")
	if err != nil {
		t.Fatal(err)
	}
	v, _ := tinyVocab()
	if got, want := tk.Encode("<s>the aaaaa"), []int{v["<"], v["s"], v[">"], v["the"], v["Ġ"], 300, v["a"]}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := tk.EncodeSpecial("<s>the aaaaa"), []int{0, v["the"], v["Ġ"], 300, v["a"]}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if tk.VocabSize() != 301 || tk.CountChars([]int{0, 300, 299}) != 4 {
		t.Errorf("size %d, %d characters", tk.VocabSize(), tk.CountChars([]int{0, 300, 299}))
	}
	if _, ok := tk.Special("aaaa"); ok {
		t.Error("aaaa is special")
	}
}

func TestUnsupported(t *testing.T) {
	for want, change := range map[string]func(file, model map[string]any){
		`model.type is "WordLevel": supported is BPE over bytes`: func(_, m map[string]any) {
			m["type"], m["vocab"] = "WordLevel", []any{[]any{"<unk>", 0.0}}
			delete(m, "merges")
		},
		`model.type is "WordPiece": supported is`:                                 func(_, m map[string]any) { m["type"] = "WordPiece" },
		`model.byte_fallback is true, a SentencePiece vocabulary's: supported is`: func(_, m map[string]any) { m["byte_fallback"] = true },
		`it has no model: supported is`:                                           func(f, _ map[string]any) { delete(f, "model") },
		`model.vocab is missing`:                                                  func(_, m map[string]any) { delete(m, "vocab") },
		`it has no pre_tokenizer`:                                                 func(f, _ map[string]any) { f["pre_tokenizer"] = nil },
		`pre_tokenizer.type is "Whitespace", want ByteLevel`:                      func(f, _ map[string]any) { f["pre_tokenizer"] = map[string]any{"type": "Whitespace"} },
		`pre_tokenizer.use_regex is false, and nothing else`:                      func(f, _ map[string]any) { f["pre_tokenizer"].(map[string]any)["use_regex"] = false },
		`pre_tokenizer.add_prefix_space is true`:                                  func(f, _ map[string]any) { f["pre_tokenizer"].(map[string]any)["add_prefix_space"] = true },
		`it has a normalizer, "NFKC", which`:                                      func(f, _ map[string]any) { f["normalizer"] = map[string]any{"type": "NFKC"} },
		`model.continuing_subword_prefix is "##"`:                                 func(_, m map[string]any) { m["continuing_subword_prefix"] = "##" },
		`model.end_of_word_suffix is "</w>"`:                                      func(_, m map[string]any) { m["end_of_word_suffix"] = "</w>" },
		`model.dropout is 0.1, which`:                                             func(_, m map[string]any) { m["dropout"] = 0.1 },
		`model.vocab: line 1, column `:                                            func(_, m map[string]any) { m["vocab"].(map[string]int)["x"] = 0; m["vocab"] = []int{1} },
		`model.merges[1]: "th": want two tokens`:                                  func(_, m map[string]any) { m["merges"].([]string)[1] = "th" },
		`model.merges[1]: "q" and "u": the vocabulary has no "qu"`:                func(_, m map[string]any) { m["merges"].([]string)[1] = "q u" },
		`model.merges[3]: "t" and "h" make a token that merge 1 has made`:         func(_, m map[string]any) { m["merges"].([]string)[3] = "t h" },
		`model.merges[0]: the merges before it never leave "th" beside "e"`:       func(_, m map[string]any) { m["merges"] = []string{"th e", "t h", "Ġ the", "a a"} },
		`tokens "a" and "b" have one id`:                                          func(_, m map[string]any) { v := m["vocab"].(map[string]int); v["a"] = v["b"] },
		`token "a" has id -4: want 0 to`:                                          func(_, m map[string]any) { m["vocab"].(map[string]int)["a"] = -4 },
		`token "a" has id 99999999: want 0 to`:                                    func(_, m map[string]any) { m["vocab"].(map[string]int)["a"] = 99999999 },
		`has no token for the byte 0x61`:                                          func(_, m map[string]any) { delete(m["vocab"].(map[string]int), "a") },
		`token "▁a" holds U+2581, which stands for no byte`:                       func(_, m map[string]any) { m["vocab"].(map[string]int)["▁a"] = 400 },
		`tokens "a" and "<s>" have one id`:                                        func(f, m map[string]any) { v := m["vocab"].(map[string]int); v["a"] = 0; delete(v, "<s>") },
		`token "<s>" has id 0 in the vocabulary and 500 among the added tokens`:   func(f, _ map[string]any) { f["added_tokens"].([]any)[0].(map[string]any)["id"] = 500 },
		`, id 7, has 9000 bytes: want 4096 at most`:                               func(_, m map[string]any) { m["vocab"].(map[string]int)[strings.Repeat("x", 9000)] = 7 },
		`the token of id 7 is empty`:                                              func(_, m map[string]any) { m["vocab"].(map[string]int)[""] = 7 },
		`0 merges leave 40 tokens of the vocabulary that none of them makes, the fir`: func(_, m map[string]any) {
			v := m["vocab"].(map[string]int)
			for _, w := range []string{"th", "the", "Ġthe", "aa"} {
				delete(v, w)
			}
			for i := range 40 {
				v["word"+strings.Repeat("x", i)] = 1000 + i
			}
			m["merges"] = []string{}
		},
	} {
		_, err := ParseJSON(tinyJSON(change), "dir/tokenizer.json")
		if err == nil || !strings.HasPrefix(err.Error(), "tokenizer: dir/tokenizer.json: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q\n got %v", want, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	vocab, merges := tinyFiles()
	data := tinyJSON(nil)
	parse := func(v, m string) error {
		_, err := ParsePair([]byte(v), []byte(m), "v.json", "m.txt")
		return err
	}
	of := func(_ *Tokenizer, err error) error { return err }
	for _, c := range []struct {
		want string
		err  error
	}{
		{"t.json: line 1, column 900: the file ends here, inside its JSON", of(ParseJSON(data[:900], "t.json"))},
		{"t.json: line 1, column 0: the file ends here", of(ParseJSON(nil, "t.json"))},
		{"t.json: line 2, column 1: invalid character 'x'", of(ParseJSON([]byte("\nxyz"), "t.json"))},
		{"the file: a array, want an object", of(ParseJSON([]byte("[1]"), "t.json"))},
		{"added_tokens: a number, want a list", of(ParseJSON([]byte(`{"added_tokens": 3}`), "t.json"))},
		{"v.json: line 1, column 100: the file ends here", parse(string(vocab[:100]), string(merges))},
		{"v.json: no tokens", parse("{}", string(merges))},
		{"v.json: line 1, column ", parse(`{"a": 1.5}`, "")},
		{`m.txt:3: "t he r": want two tokens with a space between them`, parse(string(vocab), "#version: 0.2\nt h\nt he r\n")},
		{`m.txt:2: "the": want two tokens`, parse(string(vocab), "t h\nthe\n")},
		{`v.json and m.txt: line 2: "th" and "x": the vocabulary has no "thx"`, parse(string(vocab), "t h\nth x")},
	} {
		if c.err == nil || !strings.HasPrefix(c.err.Error(), "tokenizer: ") || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("want %q\n got %v", c.want, c.err)
		}
	}
	if err := parse(string(vocab), strings.ReplaceAll(string(merges), "\n", "\r\n")); err != nil {
		t.Error("line ends of another system:", err)
	}
}

func FuzzParseJSON(f *testing.F) {
	f.Add(tinyJSON(nil))
	f.Add(tinyJSON(func(_, m map[string]any) { m["merges"] = [][]string{{"t", "h"}} }))
	f.Add(tinyJSON(splitSteps(nil)))
	f.Add(metaJSON(nil))
	f.Add([]byte(`{"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["▁a",-1.5],["a",-2]]},"added_tokens":[{"id":9,"content":"<s>","special":true}],
		"normalizer":{"type":"Sequence","normalizers":[{"type":"Precompiled","precompiled_charsmap":"AAAAAA=="},{"type":"Strip","strip_right":true},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}]},
		"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}}`))
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{},"merges":[]},"pre_tokenizer":{"type":"ByteLevel"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tk, err := ParseJSON(data, "f")
		if err == nil && !isByteLevel(tk) {
			checkPieces(t, tk, err)
			return
		}
		checkParsed(t, tk, err)
	})
}

func FuzzParsePair(f *testing.F) {
	vocab, merges := tinyFiles()
	f.Add(vocab, merges)
	f.Add([]byte(`{"a":0}`), []byte("a b\n"))
	f.Fuzz(func(t *testing.T, vocab, merges []byte) {
		tk, err := ParsePair(vocab, merges, "v", "m")
		checkParsed(t, tk, err)
	})
}

func isByteLevel(tk *Tokenizer) bool {
	_, ok := tk.model.(*byteLevel)
	return ok
}

// swallows reports whether white space beside an added token is lost.
func swallows(tk *Tokenizer) bool {
	if tk.all == nil {
		return false
	}
	for _, a := range tk.all.by {
		if a.before || a.behind {
			return true
		}
	}
	return false
}

// A file is refused with its name, or it is a tokenizer that loses nothing but what
// it is told to.
func checkParsed(t *testing.T, tk *Tokenizer, err error) {
	if err != nil {
		if !strings.HasPrefix(err.Error(), "tokenizer: ") {
			t.Fatal(err)
		}
		return
	}
	const text = "the theme's 12 aaa\n<s> é漢"
	if got := tk.Decode(tk.Encode(text)); got != text && tk.normalize == nil && !swallows(tk) {
		t.Fatalf("%q", got)
	}
}
