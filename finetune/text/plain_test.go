package text

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func plainDocuments(t interface{ Fatal(...any) }, r io.Reader, o Options) (all []Document) {
	if err := readPlain(r, "a.txt", o.withDefaults(), func(d Document) bool { all = append(all, d); return true }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPlainDocuments(t *testing.T) {
	one := func(s ...string) (all []Document) {
		for _, x := range s {
			all = append(all, Document{Text: x, Begins: true, Ends: true})
		}
		return all
	}
	for _, c := range []struct {
		text string
		o    Options
		want []Document
	}{
		{"", Options{}, nil},
		{" \n\n", Options{}, nil},
		{"\ufeffa\r\nb\rc\n", Options{}, one("a\nb\nc")},
		{"\n\n  a \n<|endoftext|>\n b<|endoftext|><|endoftext|>\r\n", Options{}, one("  a", " b")},
		{"a###b\n\nc#", Options{Separator: "###"}, one("a", "b\n\nc#")},
		{"a\nb\n\nc\n \t\n\n\n  d\n\n", Options{BlankLines: true}, one("a\nb", "c", "  d")},
		{"\n \nc", Options{BlankLines: true}, one("c")},
		{"a\n\nb<|endoftext|>c\n", Options{Whole: true}, one("a\n\nb<|endoftext|>c")},
	} {
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(c.text), "bytes": iotest.OneByteReader(strings.NewReader(c.text)),
			"with the end": iotest.DataErrReader(strings.NewReader(c.text)),
		} {
			if got := plainDocuments(t, r, c.o); !slices.Equal(got, c.want) {
				t.Errorf("%q, %s:\n got %+v\nwant %+v", c.text, name, got, c.want)
			}
		}
	}
}

// Sections behind one another are the document, each of them is as long as it should
// be, and they begin where white space does; whatever pieces the text is read in.
func TestSections(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "word", "é語", "\n", "\n\n", " ", "\r\n", "longerwordthananything", strings.Repeat("x", 100), "###"}), 0, 300).Draw(t, "words")
		text := strings.Join(words, "")
		o := Options{Separator: "###", Section: 64}
		got := plainDocuments(t, strings.NewReader(text), o)
		if slow := plainDocuments(t, iotest.HalfReader(strings.NewReader(text)), o); !slices.Equal(got, slow) {
			t.Fatalf("read by halves:\n%+v\n%+v", slow, got)
		}
		var want, joined []string
		for _, d := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "###") {
			if d = strings.TrimRight(strings.TrimLeft(d, "\n"), " \t\n"); strings.TrimSpace(d) != "" {
				want = append(want, strings.Join(strings.Fields(d), " "))
			}
		}
		for i, d := range got {
			long := len(d.Text)
			if !(d.Begins && d.Ends) && long > 128 || long >= 4*64 {
				t.Fatalf("section %d has %d bytes", i, long)
			}
			if d.Begins {
				joined = append(joined, "")
			}
			joined[len(joined)-1] += d.Text
		}
		for i := range joined {
			joined[i] = strings.Join(strings.Fields(joined[i]), " ")
		}
		if !slices.Equal(joined, want) {
			t.Fatalf("%q:\n got %q\nwant %q", text, joined, want)
		}
	})
}

// The tokens of sections, one behind the other, are those of the whole.
func TestSectionsTokens(t *testing.T) {
	var b strings.Builder
	for i := range uint64(3000) {
		b.WriteString([]string{"one", "two,", "three!", "don't", "4567"}[mix(i)%5])
		b.WriteString([]string{" ", " ", "  ", "\n", "\n\n"}[mix(i+1e6)%5])
	}
	text := strings.TrimSpace(b.String())
	tk := bpe(t, text)
	path := writeFile(t, t.TempDir(), "long.txt", text)
	c := open(t, Options{Paths: []string{path}, Tokenizer: tk, EndOfText: 0, Section: 100, Split: &Fractions{}})
	s := c.Split(Train)
	if n := s.Stats().Documents; n < int64(len(text)/200) {
		t.Errorf("%d sections of %d bytes", n, len(text))
	}
	ids := make([]int64, s.Len())
	if err := s.Read(0, ids); err != nil {
		t.Fatal(err)
	}
	want := append(tk.Encode(text), 0)
	if !slices.EqualFunc(ids, want, func(a int64, b int) bool { return a == int64(b) }) {
		t.Errorf("%d tokens, encoded whole there are %d, or others", len(ids), len(want))
	}
	if n := s.Stats().Characters; n != int64(len(text)) {
		t.Errorf("%d characters, want %d", n, len(text))
	}
}
