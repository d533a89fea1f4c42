package tokenizer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"lathe/runtime/provision/provisiontest"

	"pgregory.net/rapid"
)

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func gunzip(t testing.TB, data []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var loadGPT2 = sync.OnceValues(func() (*Tokenizer, error) { return Load(gpt2Path) })

var gpt2Path string

func gpt2(t testing.TB) *Tokenizer {
	t.Helper()
	gpt2Path = filepath.Dir(provisiontest.Shared(t, "gpt2-bpe/encoder.json"))
	tk, err := loadGPT2()
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

type vector struct {
	Text string `json:"text"`
	IDs  []int  `json:"ids"`
}

func vectors(t testing.TB) (out []vector) {
	t.Helper()
	s := bufio.NewScanner(bytes.NewReader(readFile(t, provisiontest.Shared(t, "gpt2-bpe/test_vectors.jsonl"))))
	for s.Scan() {
		var v vector
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if len(out) < 53 {
		t.Fatalf("%d vectors", len(out))
	}
	return out
}

// Vectors of others, from both forms of GPT-2's files.
func TestVectors(t *testing.T) {
	all := vectors(t)
	fromJSON, err := ParseJSON(gunzip(t, readFile(t, provisiontest.Shared(t, "gpt2-bpe/tokenizer.json.gz"))), "tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, tk := range map[string]*Tokenizer{"vocabulary and merges": gpt2(t), "tokenizer.json": fromJSON} {
		if n := tk.VocabSize(); n != 50257 {
			t.Errorf("%s: vocabulary of %d", name, n)
		}
		if id, ok := tk.Special("<|endoftext|>"); !ok || id != 50256 {
			t.Errorf("%s: <|endoftext|> is %d, %v", name, id, ok)
		}
		for _, v := range all {
			for range 2 { // anew, and as seen before
				if got := tk.Encode(v.Text); !slices.Equal(got, v.IDs) {
					t.Errorf("%s: %q\n got %v\nwant %v", name, v.Text, got, v.IDs)
				}
			}
			if got := tk.Decode(v.IDs); got != v.Text {
				t.Errorf("%s: %v is %q, want %q", name, v.IDs, got, v.Text)
			}
			if got, want := tk.CountChars(v.IDs), len([]rune(v.Text)); got != want {
				t.Errorf("%s: %q shows %d characters, want %d", name, v.Text, got, want)
			}
		}
	}
}

// The published count of nanoGPT: 301,966 and 36,059 tokens.
func TestTinyShakespeare(t *testing.T) {
	text := string(readFile(t, provisiontest.Shared(t, "small-lm/tinyshakespeare.txt")))
	ids := gpt2(t).Encode(text)
	if len(ids) != 338025 {
		t.Errorf("%d tokens, want 338,025", len(ids))
	}
	if gpt2(t).Decode(ids) != text {
		t.Error("decoding gives another text")
	}
}

func TestSpecialTokens(t *testing.T) {
	tk := gpt2(t)
	const text = "One.<|endoftext|>Two."
	special := tk.EncodeSpecial(text)
	if want := []int{3198, 13, 50256, 7571, 13}; !slices.Equal(special, want) {
		t.Errorf("%v, want %v", special, want)
	}
	plain := tk.Encode(text)
	if slices.Contains(plain, 50256) || tk.Decode(plain) != text || tk.Decode(special) != text {
		t.Errorf("%v, %v", plain, special)
	}
	if n := tk.CountChars(special); n != 8 {
		t.Errorf("%d characters: a special token shows nothing", n)
	}
	if n := tk.CountChars(plain); n != len(text) {
		t.Errorf("%d characters of text", n)
	}
	for _, id := range []int{-1, 50257, 1 << 40} {
		if s, ok := tk.Token(id); ok || s != "" {
			t.Errorf("id %d is %q", id, s)
		}
		if tk.Decode([]int{id}) != "" || tk.CountChars([]int{id}) != 0 {
			t.Errorf("id %d shows something", id)
		}
	}
}

// A character that is spread over tokens is shown with its last byte.
func TestCountCharsWithinACharacter(t *testing.T) {
	tk := tiny(t)
	ids := tk.Encode("a€b")
	if len(ids) != 5 { // the sign is three bytes, and tiny has no merge of them
		t.Fatal(ids)
	}
	for n, want := range []int{0, 1, 1, 1, 2, 3} {
		if got := tk.CountChars(ids[:n]); got != want {
			t.Errorf("%d tokens show %d characters, want %d", n, got, want)
		}
	}
	if got := tk.CountChars(ids[2:]); got != 3 { // two stray bytes, shown as two signs, and b
		t.Errorf("%d", got)
	}
	if s, ok := tk.Token(ids[1]); !ok || s != "\xe2" {
		t.Errorf("%q, %v", s, ok)
	}
}

// Encoding in segments gives what encoding everything at once does, with every
// pattern that segments are known of.
func TestSegments(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and minutes under the race detector")
	}
	// Kinds of signs that the patterns tell apart, and spaces of all sorts.
	alphabet := []rune("abZé漢9½٣'’sdtmlrev.,-€😀 \u00a0\u2028\t\n\r\u0085\u200b\u0301ſ")
	for name, expr := range map[string]string{"GPT-2": pattern, "Llama 3": llama3Pattern, "Qwen2": qwen2Pattern} {
		t.Run(name, func(t *testing.T) {
			from := gpt2(t).model.(*byteLevel)
			ranks := map[string]int{}
			for rank, id := range from.ids {
				ranks[gpt2(t).bytes[id]] = rank
			}
			m, err := newByteLevel(ranks, from.ids, []part{{expr, name}})
			if err != nil {
				t.Fatal(err)
			}
			check := func(t interface{ Fatalf(string, ...any) }, text string) {
				var want []int
				for _, rank := range m.core.EncodeOrdinary(text) {
					want = append(want, m.ids[rank])
				}
				if got := m.encode(nil, text); !slices.Equal(got, want) {
					t.Fatalf("%q\n got %v\nwant %v", text, got, want)
				}
			}
			rapid.Check(t, func(t *rapid.T) {
				check(t, string(rapid.SliceOfN(rapid.SampledFrom(alphabet), 0, 40).Draw(t, "text")))
			})
			// Longer than a segment, without white space.
			check(t, strings.Repeat("ab9c,漢d'sé", 900))
			check(t, strings.Repeat("x", 9)+strings.Repeat("12345,", 2000))
		})
	}
}

// A run of one kind that is longer than a segment is cut, and nothing is lost.
func TestLongRun(t *testing.T) {
	tk := tiny(t)
	for _, text := range []string{strings.Repeat("a", 10*maxSegment), strings.Repeat(" ", 3*maxSegment), strings.Repeat("漢", maxSegment)} {
		if got := tk.Decode(tk.Encode(text)); got != text {
			t.Errorf("%d bytes become %d", len(text), len(got))
		}
	}
}

func TestConcurrent(t *testing.T) {
	tk := tiny(t)
	want := tk.Encode("the theme then")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if !slices.Equal(tk.Encode("the theme then"), want) {
					t.Error("another result")
				}
			}
		})
	}
	wg.Wait()
}

// Whatever the text, decoding gives it back, its bytes that are no UTF-8 replaced.
func FuzzEncode(f *testing.F) {
	tk := tiny(f)
	for _, s := range []string{"", "the cat", "\xff\xfe", "it's\n\n  fine ", "<s>the", "漢字\u00a0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want := string([]rune(text))
		for _, ids := range [][]int{tk.Encode(text), tk.EncodeSpecial(text)} {
			if got := tk.Decode(ids); got != want {
				t.Fatalf("%q became %q", text, got)
			}
			if len(ids) > len(want) {
				t.Fatalf("%d tokens of %d bytes", len(ids), len(want))
			}
		}
		if n, want := tk.CountChars(tk.Encode(text)), len([]rune(text)); n != want {
			t.Fatalf("%q shows %d characters, want %d", text, n, want)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	tk := gpt2(b)
	benchmarkEncode(b, tk, tk.model.(*byteLevel).words.empty)
}

// benchmarkEncode encodes text with words that were met before, and with none. The
// goal is 4 MB/s.
func benchmarkEncode(b *testing.B, tk *Tokenizer, forget func()) {
	for _, name := range []string{"small-lm/tinyshakespeare.txt", "wikitext-2/wiki.test.raw"} {
		text := string(readFile(b, provisiontest.Shared(b, name)))
		b.Run(filepath.Base(name), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tk.Encode(text)
			}
		})
		b.Run("fresh/"+filepath.Base(name), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				forget()
				tk.Encode(text)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	dir := filepath.Dir(provisiontest.Shared(b, "gpt2-bpe/encoder.json"))
	for b.Loop() {
		if _, err := Load(dir); err != nil {
			b.Fatal(err)
		}
	}
}
