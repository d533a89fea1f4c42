package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// metaJSON is a tokenizer.json over characters, changed by change.
func metaJSON(change func(file, model object)) []byte {
	vocab := map[string]int{"<unk>": 0, "<s>": 1}
	for i := range 256 {
		vocab[fmt.Sprintf("<0x%02X>", i)] = len(vocab)
	}
	for _, s := range []string{"▁", "t", "h", "e", "▁t", "he", "▁the"} {
		vocab[s] = len(vocab)
	}
	model := object{"type": "BPE", "vocab": vocab, "merges": []string{"▁ t", "h e", "▁t he"}, "unk_token": "<unk>", "byte_fallback": true, "fuse_unk": true}
	file := object{
		"model": model, "pre_tokenizer": nil,
		"normalizer": object{"type": "Sequence", "normalizers": []any{
			object{"type": "Prepend", "prepend": "▁"},
			object{"type": "Replace", "pattern": object{"String": " "}, "content": "▁"},
		}},
		"added_tokens": []any{object{"id": 0, "content": "<unk>", "special": true}, object{"id": 1, "content": "<s>", "special": true}},
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

func TestMetaJSON(t *testing.T) {
	tk, err := ParseJSON(metaJSON(nil), "f")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tk.EncodeSpecial("the<s>the é"), []int{264, 1, 264, 258, 2 + 0xC3, 2 + 0xA9}; !slices.Equal(got, want) || tk.Decode(got) != "the<s>the é" {
		t.Errorf("%v, want %v; %q", got, want, tk.Decode(got))
	}
	// Gemma's: no space before the text, and a step that has nothing left to do.
	tk, err = ParseJSON(metaJSON(func(f, _ object) {
		f["normalizer"] = f["normalizer"].(object)["normalizers"].([]any)[1]
		f["pre_tokenizer"] = object{"type": "Split", "pattern": object{"String": " "}, "behavior": "MergedWithPrevious"}
	}), "f")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tk.Encode("the the"), []int{259, 263, 264}; !slices.Equal(got, want) || tk.Decode(got) != "the the" {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestMetaUnsupported(t *testing.T) {
	meta := func(f object, with object) {
		f["normalizer"] = nil
		step := object{"type": "Metaspace", "replacement": "▁"}
		for k, v := range with {
			step[k] = v
		}
		f["pre_tokenizer"] = step
	}
	for want, change := range map[string]func(f, m object){
		"model.ignore_merges is true": func(_, m object) { m["ignore_merges"] = true },
		"normalizer.normalizers[2] is a Lowercase, which changes the text": func(f, _ object) {
			n := f["normalizer"].(object)
			n["normalizers"] = append(n["normalizers"].([]any), object{"type": "Lowercase"})
		},
		"normalizer.normalizers[0] is a Prepend": func(f, _ object) {
			f["normalizer"].(object)["normalizers"].([]any)[0].(object)["prepend"] = "x"
		},
		"pre_tokenizer is a Metaspace with what comes before it": func(f, _ object) {
			f["pre_tokenizer"] = object{"type": "Metaspace", "replacement": "▁"}
		},
		"pre_tokenizer is a Metaspace with":        func(f, _ object) { meta(f, object{"replacement": "_"}) },
		`pre_tokenizer.prepend_scheme is "second"`: func(f, _ object) { meta(f, object{"prepend_scheme": "second"}) },
		"pre_tokenizer is a Whitespace":            func(f, _ object) { f["pre_tokenizer"] = object{"type": "Whitespace"} },
		`model.unk_token is "x"`:                   func(_, m object) { m["unk_token"] = "x" },
		`model.merges[1]: "h" and "x"`:             func(_, m object) { m["merges"].([]string)[1] = "h x" },
		"neither an unknown token nor one for the byte 0x61": func(_, m object) {
			delete(m, "unk_token")
			delete(m["vocab"].(map[string]int), "<0x61>")
		},
		"more than 8 sequences inside one another": func(f, _ object) {
			for range 10 {
				f["normalizer"] = object{"type": "Sequence", "normalizers": []any{f["normalizer"]}}
			}
		},
	} {
		_, err := ParseJSON(metaJSON(change), "f.json")
		if err == nil || !strings.HasPrefix(err.Error(), "tokenizer: f.json: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q\n got %v", want, err)
		}
	}
}

// splitSteps are a byte-level file's: a Split, changed by with, and ByteLevel.
func splitSteps(with object) func(f, m object) {
	split := object{"type": "Split", "pattern": object{"Regex": `\S+`}, "behavior": "Isolated"}
	for k, v := range with {
		split[k] = v
	}
	return func(f, _ object) {
		f["pre_tokenizer"] = object{"type": "Sequence", "pretokenizers": []any{split, object{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}}}
	}
}

func TestSplitForms(t *testing.T) {
	v, _ := tinyVocab()
	for name, change := range map[string]func(f, m object){
		"regex":   splitSteps(nil),
		"removed": splitSteps(object{"behavior": "Removed", "invert": true, "pattern": object{"Regex": `\S+|\s+`}}),
		"string":  splitSteps(object{"pattern": object{"String": " "}}),
	} {
		tk, err := ParseJSON(tinyJSON(change), name)
		if err != nil {
			t.Fatal(err)
		}
		// No piece has a space and a word.
		if got, want := tk.Encode("a the  the"), []int{v["a"], v["Ġ"], v["the"], v["Ġ"], v["Ġ"], v["the"]}; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		long := strings.Repeat("漢", maxSegment)
		if got := tk.Decode(tk.Encode(long)); got != long {
			t.Errorf("%s: %d bytes become %d", name, len(long), len(got))
		}
	}
	// A pattern that matches nothing, everywhere, parts all characters.
	tk, err := ParseJSON(tinyJSON(splitSteps(object{"pattern": object{"Regex": "x*"}})), "f")
	if err != nil {
		t.Fatal(err)
	}
	if got := tk.Encode("thexx漢"); tk.Decode(got) != "thexx漢" || len(got) != 8 {
		t.Errorf("%v", got)
	}
	for want, with := range map[string]object{
		`pre_tokenizer.pretokenizers[0].behavior is "Removed" with invert false`: {"behavior": "Removed"},
		`pre_tokenizer.pretokenizers[0].pattern: want a String or a Regex`:       {"pattern": object{}},
		`pre_tokenizer.pretokenizers[0]: the pattern "(x": `:                     {"pattern": object{"Regex": "(x"}},
		`pre_tokenizer.pretokenizers[0] is a Bert: supported`:                    {"type": "Bert"},
		`pre_tokenizer.pretokenizers[0].type is "ByteLevel", want ByteLevel as`:  {"type": "ByteLevel"},
	} {
		_, err := ParseJSON(tinyJSON(splitSteps(with)), "f")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q\n got %v", want, err)
		}
	}
}

// With ignore_merges a piece that is a token is that token; a token may have all
// the merges that make it.
func TestIgnoreMerges(t *testing.T) {
	ignore := func(more ...string) func(f, m object) {
		return func(_, m object) {
			m["ignore_merges"] = true
			m["merges"] = append(m["merges"].([]string), more...)
		}
	}
	tk, err := ParseJSON(tinyJSON(func(f, m object) {
		ignore()(f, m)
		m["vocab"].(map[string]int)["xyz"] = 400
		m["merges"] = []string{"t h", "th e", "t he", "Ġ the", "a a", "h e"}
		m["vocab"].(map[string]int)["he"] = 401
	}), "f")
	if err != nil {
		t.Fatal(err)
	}
	v, _ := tinyVocab()
	if got, want := tk.Encode("xyz the xyz"), []int{400, v["Ġthe"], v["Ġ"], v["x"], v["y"], v["z"]}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for want, change := range map[string]func(f, m object){
		`token "theaa", id 400, has no merge, though "the" and "aa" make it`: func(f, m object) {
			ignore()(f, m)
			m["vocab"].(map[string]int)["theaa"] = 400
		},
		"make a token that merge 1 has made: want a token's merges behind one another": ignore("t h"),
		`model.merges[6]: the merges before it never leave "t" beside "hex"`: func(f, m object) {
			ignore()(f, m)
			m["vocab"].(map[string]int)["he"], m["vocab"].(map[string]int)["thex"] = 401, 402
			m["vocab"].(map[string]int)["hex"] = 403
			m["merges"] = []string{"t h", "th e", "Ġ the", "a a", "h e", "he x", "t hex"}
		},
	} {
		if _, err := ParseJSON(tinyJSON(change), "f"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q\n got %v", want, err)
		}
	}
}

func TestAddedForms(t *testing.T) {
	for _, c := range []struct {
		flags      string
		text, want string // tokens between bars
	}{
		{"", "a <x> a", "a|Ġ|<x>|Ġ|a"},
		{"lstrip", "a  <x> a", "a|<x>|Ġ|a"},
		{"rstrip", "a <x> \n a", "a|Ġ|<x>|a"},
		{"single_word", "a<x> <x>a <x>", "a|<|x|>|Ġ|<|x|>|a|Ġ|<x>"},
	} {
		tk, err := ParseJSON(tinyJSON(func(f, _ object) {
			a := object{"id": 300, "content": "<x>", "special": false}
			if c.flags != "" {
				a[c.flags] = true
			}
			f["added_tokens"] = []any{a}
		}), "f")
		if err != nil {
			t.Fatal(err)
		}
		v, _ := tinyVocab()
		v["<x>"] = 300
		var want []int
		for s := range strings.SplitSeq(c.want, "|") {
			want = append(want, v[s])
		}
		if got := tk.Encode(c.text); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", c.flags, got, want)
		}
	}
}
