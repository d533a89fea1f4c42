package tokenizer

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// word is a token of one algorithm: its id and what of the text it is.
type word struct {
	id int32
	of string
}

func all(tokens func(string, func(int32, string)), text string) (words []word) {
	if text != "" {
		tokens(text, func(id int32, of string) { words = append(words, word{id, of}) })
	}
	return words
}

// drawPieces draws a vocabulary of short strings of few letters; some letters are
// in longer tokens only.
func drawPieces(t *rapid.T) []piece {
	texts := rapid.SliceOfNDistinct(rapid.StringOfN(rapid.SampledFrom([]rune("ab漢▁")), 1, 4, -1), 1, 25, rapid.ID[string]).Draw(t, "pieces")
	pieces := make([]piece, len(texts))
	for i, text := range texts {
		pieces[i] = piece{text: text, score: float32(-rapid.IntRange(0, 6).Draw(t, "score"))}
	}
	return pieces
}

var fewLetters = rapid.StringOfN(rapid.SampledFrom([]rune("aab漢▁c")), 0, 24, -1)

// Merging with a heap is merging the best pair that there is, the leftmost of several,
// until there is none.
func TestBPEIsSlowBPE(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := drawPieces(t)
		b, err := newBPE(pieces, nil)
		if err != nil {
			t.Fatal(err)
		}
		score := map[string]float32{}
		id := map[string]int32{}
		for i, p := range pieces {
			score[p.text], id[p.text] = p.score, int32(i)
		}
		text := fewLetters.Draw(t, "text")
		parts := strings.Split(text, "")
		for {
			best, at := float32(math.Inf(-1)), -1
			for i := range len(parts) - 1 {
				if s, ok := score[parts[i]+parts[i+1]]; ok && s > best {
					best, at = s, i
				}
			}
			if at < 0 {
				break
			}
			parts[at] += parts[at+1]
			parts = slices.Delete(parts, at+1, at+2)
		}
		var want []word
		for _, p := range parts {
			w := word{none, p}
			if i, ok := id[p]; ok {
				w.id = i
			}
			want = append(want, w)
		}
		if got := all(b.tokens, text); !slices.Equal(got, want) {
			t.Fatalf("%q\n got %v\nwant %v", text, got, want)
		}
	})
}

// No way to part a text has a better score than Unigram's, and its parts are the text.
func TestUnigramIsBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := drawPieces(t)
		u := newUnigram(pieces)
		text := rapid.StringOfN(rapid.SampledFrom([]rune("aab漢▁c")), 0, 12, -1).Draw(t, "text")
		score := map[string]float32{}
		least := float32(0)
		for i, p := range pieces {
			score[p.text] = p.score
			if i == 0 || p.score < least {
				least = p.score
			}
		}
		var best func(string) float32
		best = func(s string) float32 {
			if s == "" {
				return 0
			}
			top := float32(math.Inf(-1))
			for i := 1; i <= len(s); i++ {
				if v, ok := score[s[:i]]; ok {
					top = max(top, v+best(s[i:]))
				}
			}
			_, n := utf8.DecodeRuneInString(s)
			if _, ok := score[s[:n]]; !ok {
				top = max(top, least-lackPenalty+best(s[n:]))
			}
			return top
		}
		sum, whole := float32(0), ""
		for _, w := range all(u.tokens, text) {
			whole += w.of
			if w.id == none {
				sum += least - lackPenalty
			} else if sum += pieces[w.id].score; pieces[w.id].text != w.of {
				t.Fatalf("token %d is %q, not %q", w.id, pieces[w.id].text, w.of)
			}
		}
		if whole != text || math.Abs(float64(sum-best(text))) > 1e-3 {
			t.Fatalf("%q: %g, best is %g", whole, sum, best(text))
		}
	})
}

// anyText has characters of all kinds, and pieces of words.
func anyText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{
			" ", " ", " the", "ing", "a", "b", "é", "漢", "9", ".", "\n", "\t", "\u00a0", "😀", "<s>", "▁", "'s", "\x00", "\u0301",
		}), 0, 30).Draw(t, "parts"), "")
	})
}

// Cutting text before words changes nothing; decoding gives it back; what is
// encoded behind other text continues it.
func TestPiecesProperties(t *testing.T) {
	whole := llama2(t)
	whole.model.(*pieces).cut = cutNowhere
	cut := llama2(t)
	if c := cut.model.(*pieces).cut; c != cutWords {
		t.Fatalf("Llama 2's text is cut as %d", c)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := anyText().Draw(t, "text")
		ids := cut.Encode(text)
		if want := whole.Encode(text); !slices.Equal(ids, want) {
			t.Fatalf("%q\n got %v\nwant %v", text, ids, want)
		}
		plain := strings.ReplaceAll(text, mark, " ")
		if got := cut.Decode(ids); got != plain {
			t.Fatalf("%q became %q", text, got)
		}
		n := utf8.RuneCountInString(text)
		if text != "" {
			n++
		}
		if got := cut.CountChars(ids); got != n {
			t.Fatalf("%q shows %d characters", text, got)
		}
		word := false
		for i, r := range plain {
			if r == ' ' && word {
				if both := append(cut.Encode(plain[:i]), cut.Continue(plain[i:])...); !slices.Equal(both, cut.Encode(plain)) {
					t.Fatalf("%q and %q: %v", plain[:i], plain[i:], both)
				}
			}
			word = !unicode.IsSpace(r)
		}
	})
}

// Every way in which a file may put a space before text is undone by Decode.
func TestLeads(t *testing.T) {
	for _, name := range []string{"metaspace-first.json", "metaspace-always.json", "metaspace-never.json", "bytes.model"} {
		tk := load(t, filepath.Join("testdata", name))
		trim := tk.lead.unlessSpace
		rapid.Check(t, func(t *rapid.T) {
			text := strings.ReplaceAll(anyText().Draw(t, "text"), mark, "")
			want := text
			if trim {
				want = strings.TrimPrefix(want, " ")
			}
			if got := tk.Decode(tk.Encode(text)); got != want {
				t.Fatalf("%q became %q", text, got)
			}
			if trim && tk.lead.where == leadStretches {
				want = strings.ReplaceAll(want, "<s> ", "<s>")
			}
			if got := tk.Decode(tk.EncodeSpecial(text)); got != want {
				t.Fatalf("%q became %q", text, got)
			}
			if got := tk.CountChars(tk.Continue(text)); got != utf8.RuneCountInString(text) {
				t.Fatalf("%q shows %d characters", text, got)
			}
		})
	}
}

func TestBytesBeforeUnknown(t *testing.T) {
	for _, c := range []struct {
		change func(*piecesFile)
		want   string
	}{
		{func(f *piecesFile) { f.pieces[1] = piece{text: "<0x0A>x", kind: byteOf1} }, `token 1, "<0x0A>x", is a byte's: want a name like <0x0A>`},
		{func(f *piecesFile) { f.pieces[1].kind = unknown }, "tokens 0 and 1 are both the unknown token: want one"},
		{func(f *piecesFile) { f.pieces[0].kind = control }, "there is neither an unknown token nor one for the byte 0x00"},
		{func(f *piecesFile) { f.pieces[1].score = float32(math.NaN()) }, `token 1, "a", has the score NaN`},
	} {
		f := piecesFile{pieces: []piece{{text: "<unk>", kind: unknown}, {text: "a"}, {text: "b"}}}
		c.change(&f)
		if _, err := buildPieces(f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q\n got %v", c.want, err)
		}
	}
	tk, err := buildPieces(piecesFile{pieces: []piece{{text: "<unk>", kind: unknown}, {text: "a"}, {text: "<0xC3>", kind: byteOf1}, {text: "<0xA9>", kind: byteOf1}}, fallback: true, fuse: true})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tk.Encode("aé漢字aé"), []int{1, 2, 3, 0, 1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := tk.CountChars([]int{2, 3, 0, 1}); got != 2 {
		t.Errorf("%d characters", got)
	}
}

// A text that is too long for Unigram at once is cut before a word, and its words have
// the ids that they have in a short one.
func TestLongUnigram(t *testing.T) {
	tk := load(t, filepath.Join("testdata", "bytes.model"))
	for _, text := range []string{strings.Repeat("the king  ", 20000), strings.Repeat("x", 3*maxWhole) + " the king", "x" + strings.Repeat(" ", 3*maxWhole) + "x"} {
		if got := tk.Decode(tk.Encode(text)); got != text {
			t.Errorf("%d bytes become %d", len(text), len(got))
		}
	}
	text := strings.Repeat("the king", 1000) // 8,000 bytes, of one word
	one := tk.Encode(text)
	if got := tk.Encode(strings.Repeat(" "+text, 40)[1:]); !slices.Equal(got, slices.Repeat(one, 40)) {
		t.Error("ids of a long text differ")
	}
}

// A long text without spaces takes no more than its length times a logarithm.
func TestLongPiece(t *testing.T) {
	tk := llama2(t)
	text := strings.Repeat("ab漢", 100000)
	if got := tk.Decode(tk.Encode(text)); got != text {
		t.Errorf("%d bytes become %d", len(text), len(got))
	}
}

func BenchmarkLlama2(b *testing.B) {
	tk := llama2(b)
	benchmarkEncode(b, tk, tk.model.(*pieces).words.empty)
}
