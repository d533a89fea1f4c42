package text

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lathe/runtime/provision/provisiontest"
)

// Every document is in one part, the same for what says the same, in the order of the
// text; and the shares are about as asked for.
func TestSplitsAreAPartition(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		docs := rapid.SliceOfN(rapid.StringMatching(`[a-f]{1,2}`), 1, 60).Draw(rt, "documents")
		f := Fractions{rapid.Float64Range(0, 0.5).Draw(rt, "dev"), rapid.Float64Range(0, 0.5).Draw(rt, "test")}
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		path := writeFile(t, dir, "a.txt", strings.Join(docs, "<|endoftext|>"))
		c, err := Open(context.Background(), Options{Paths: []string{path}, Tokenizer: byteEncoder{}, EndOfText: byteEnd, Split: &f, Workers: 2})
		if err != nil {
			rt.Fatal(err)
		}
		defer c.Close()
		left := slices.Clone(docs)
		home := map[string]Part{}
		for p := range Part(parts) {
			last := -1
			for _, d := range documentsOf(t, c.Split(p)) {
				at := slices.Index(left, d[1])
				if q, ok := home[d[1]]; at <= last || ok && q != p {
					rt.Fatalf("%q of %s is not in the text, out of order, or in another part", d, p)
				}
				left[at], last, home[d[1]] = "", at, p
			}
		}
		if n := slices.IndexFunc(left, func(s string) bool { return s != "" }); n >= 0 {
			rt.Fatalf("document %d, %q, is in no part", n, left[n])
		}
	})
	var b strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&b, "document %d\n\n", i)
	}
	path := writeFile(t, t.TempDir(), "a.txt", b.String())
	c := open(t, Options{Paths: []string{path}, BlankLines: true, Tokenizer: byteEncoder{}, EndOfText: -1, Split: &Fractions{0.1, 0.05}})
	for p, want := range map[Part]float64{Train: 17000, Dev: 2000, Test: 1000} {
		if n := float64(c.Split(p).Stats().Documents); n < want-150 || n > want+150 {
			t.Errorf("%s has %g documents of 20000, want about %g", p, n, want)
		}
	}
}

// What was tokenized is found again, whatever the files are called and however they
// are read, and made anew for anything that changes it.
func TestCache(t *testing.T) {
	dir := t.TempDir()
	a := writeFile(t, dir, "a.txt", "one<|endoftext|>two<|endoftext|>three")
	b := writeFile(t, dir, "b.jsonl", `{"body": "four", "more": "five"}`)
	copied := writeFile(t, dir, "copied.txt", "one<|endoftext|>two<|endoftext|>three")
	other := writeFile(t, dir, "other.txt", "one<|endoftext|>two<|endoftext|>thre")
	base := Options{Paths: []string{a, b}, Tokenizer: byteEncoder{}, EndOfText: byteEnd, Cache: filepath.Join(dir, "cache")}
	tokenized := func(change func(*Options)) bool {
		o := base
		change(&o)
		read := map[Stage]int64{}
		o.Progress = func(s Stage, done, of int64) {
			if done > of {
				t.Errorf("%s: %d of %d", s, done, of)
			}
			read[s] = done
		}
		c := open(t, o)
		if c.Rebuilt() != nil {
			t.Error(c.Rebuilt())
		}
		if read[Hashing] == 0 {
			t.Error("no hashing was told of")
		}
		return read[Tokenizing] > 0
	}
	for _, step := range []struct {
		what   string
		change func(*Options)
		anew   bool
	}{
		{"first", func(o *Options) {}, true},
		{"again", func(o *Options) {}, false},
		{"other name", func(o *Options) { o.Paths = []string{copied, b}; o.Workers = 3 }, false},
		{"defaults", func(o *Options) { o.Separator = "<|endoftext|>"; o.Fields = []string{"body"}; o.Section = 1 << 14 }, false},
		{"content", func(o *Options) { o.Paths = []string{other, b} }, true},
		{"order", func(o *Options) { o.Paths = []string{b, a} }, true},
		{"tokenizer", func(o *Options) { o.Tokenizer = byteEncoder{"another"} }, true},
		{"fields", func(o *Options) { o.Fields = []string{"more"} }, true},
		{"end", func(o *Options) { o.EndOfText = 0 }, true},
		{"shares", func(o *Options) { o.Split = &Fractions{0, 0.5} }, true},
		{"separator", func(o *Options) { o.Separator = "t" }, true},
		{"blank lines", func(o *Options) { o.BlankLines = true }, true},
		{"again at the end", func(o *Options) {}, false},
	} {
		if got := tokenized(step.change); got != step.anew {
			t.Errorf("%s: tokenized %v, want %v", step.what, got, step.anew)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "cache", "*.part")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// What is kept and damaged is noticed, wherever it is, and made anew.
func TestDamagedCache(t *testing.T) {
	dir := t.TempDir()
	path := writeFile(t, dir, "a.txt", strings.Repeat("some text<|endoftext|>other<|endoftext|>more of it<|endoftext|>", 20))
	o := Options{Paths: []string{path}, Tokenizer: byteEncoder{}, EndOfText: byteEnd, Cache: filepath.Join(dir, "cache")}
	want := open(t, o).Split(Train)
	kept, err := filepath.Glob(filepath.Join(dir, "cache", "*", "*"))
	if err != nil || len(kept) != 7 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	for _, file := range kept {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		damages := map[string]func() error{
			"is longer": func() error { return os.WriteFile(file, append(slices.Clone(whole), 'x'), 0o644) },
			"is gone":   func() error { return os.Remove(file) },
		}
		if len(whole) > 0 {
			damages["is shorter"] = func() error { return os.Truncate(file, int64(len(whole)-1)) }
			damages["has a bit flipped"] = func() error {
				b := slices.Clone(whole)
				b[len(b)/2] ^= 4
				return os.WriteFile(file, b, 0o644)
			}
		}
		for what, damage := range damages {
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			c := open(t, o)
			if c.Rebuilt() == nil {
				t.Errorf("%s %s: it was not noticed", filepath.Base(file), what)
			}
			if got := c.Split(Train); got.Stats() != want.Stats() || len(documentsOf(t, got)) == 0 {
				t.Errorf("%s %s: %+v, want %+v", filepath.Base(file), what, got.Stats(), want.Stats())
			}
		}
	}
}

// A kept corpus that is not as its checksums say, or lies, is refused; what is taken is
// read without harm.
func FuzzKept(f *testing.F) {
	f.Add([]byte("abcabc"), []byte{6, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, int64(3), int64(1), int64(2), 2, int64(30000))
	f.Add([]byte("abcdabcd"), []byte{1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0}, int64(2), int64(1), int64(2), 4, int64(1)<<32)
	f.Add([]byte{}, []byte{0xff}, int64(-1), int64(1)<<62, int64(0), 2, int64(-1))
	f.Fuzz(func(t *testing.T, tokens, index []byte, n, docs, targets int64, width int, maxID int64) {
		dir := t.TempDir()
		h := header{Format: keptFormat, Key: "k", Width: width, MaxID: maxID}
		for p := range Part(parts) {
			h.Parts[p] = keptStats{Stats{docs, n, targets, 0}, crc32.Checksum(tokens, castagnoli), crc32.Checksum(index, castagnoli)}
			if os.WriteFile(tokensFile(dir, p), tokens, 0o644) != nil || os.WriteFile(indexFile(dir, p), index, 0o644) != nil {
				t.Skip("no room")
			}
		}
		if err := h.write(dir); err != nil {
			t.Skip(err)
		}
		back, err := readHeader(dir, "k")
		if err != nil || back.verify(dir) != nil {
			return
		}
		s, err := openTokens(dir, Dev, back)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		for _, o := range []BatchOptions{{Batch: 2, Sequence: 1}, {Batch: 1, Sequence: 3, Padded: true, Shuffle: true}} {
			b, err := s.Batches(o)
			if err != nil {
				continue
			}
			ids, labels := make([]int64, o.Batch*o.Sequence), make([]int64, o.Batch*o.Sequence)
			for k := range 3 {
				if err := b.Fill(k, ids, labels); err != nil {
					t.Fatal(err)
				}
				if slices.Max(ids) > maxID && !o.Padded {
					t.Fatalf("ids %v, the highest is said to be %d", ids, maxID)
				}
			}
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte(`{"format":1,"key":"k","width":2,"parts":[{},{},{}],"sum":""}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, headerFile), data, 0o644); err != nil {
			t.Skip(err)
		}
		if h, err := readHeader(dir, "k"); err == nil && h.sum() != h.Sum {
			t.Errorf("taken: %+v", h)
		}
	})
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.txt", "a.jsonl.gz", "sub/deep/c.md", "sub/d.NDJSON", "notes", "e.csv", ".hidden.txt", ".git/f.txt"} {
		writeFile(t, dir, name, "{}")
	}
	got := func(paths ...string) (names []string) {
		for i, p := range paths {
			paths[i] = filepath.Join(dir, p)
		}
		all, err := find(paths)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			rel, _ := filepath.Rel(dir, f.path)
			names = append(names, rel+" "+string(f.format))
		}
		return names
	}
	for _, c := range []struct{ paths, want []string }{
		{[]string{"."}, []string{"a.jsonl.gz json", "b.txt text", "sub/d.NDJSON json", "sub/deep/c.md text"}},
		{[]string{"e.csv", "notes", "e.csv"}, []string{"e.csv text", "notes text"}},
		{[]string{"sub/*", "[ab].*", "b.txt"}, []string{"sub/d.NDJSON json", "sub/deep/c.md text", "a.jsonl.gz json", "b.txt text"}},
	} {
		if g := got(slices.Clone(c.paths)...); !slices.Equal(g, c.want) {
			t.Errorf("%v: %v, want %v", c.paths, g, c.want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	at := func(name, content string) string { return writeFile(t, dir, name, content) }
	cut := at("cut.txt.gz", strings.Repeat("some text that is compressed ", 100))
	whole, _ := os.ReadFile(cut)
	if err := os.WriteFile(cut, whole[:len(whole)-12], 0o644); err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(whole)
	flipped[len(whole)-6] ^= 1
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "text: no file, folder or pattern is named"},
		{Options{Paths: []string{filepath.Join(dir, "none.txt")}}, "text: stat " + filepath.Join(dir, "none.txt") + ": no such file"},
		{Options{Paths: []string{filepath.Join(dir, "*.none")}}, "text: no file is named like " + filepath.Join(dir, "*.none")},
		{Options{Paths: []string{filepath.Join(dir, "a[")}}, "text: the pattern"},
		{Options{Paths: []string{filepath.Dir(at("empty/a.csv", "x"))}}, "has no file that ends in .json, .jsonl, .md, .ndjson, .text, .txt, with or without .gz"},
		{Options{Paths: []string{at("blank.txt", " \n\n")}}, "text: no document in " + filepath.Join(dir, "blank.txt") + ": there is nothing but white space"},
		{Options{Paths: []string{at("bad.txt", "fine\nfine\nna\xefve")}}, "text: " + filepath.Join(dir, "bad.txt") + ":3: the byte 0xEF is not UTF-8"},
		{Options{Paths: []string{at("utf16.txt", "\xff\xfea\x00b\x00")}}, ":1: the byte 0xFF is not UTF-8, it may be UTF-16: want UTF-8 text"},
		{Options{Paths: []string{cut}}, "text: " + cut + ": damaged gzip: it ends too soon"},
		{Options{Paths: []string{at("flipped.txt.gz.raw", string(flipped))}}, "damaged gzip: gzip: invalid checksum"},
		{Options{Paths: []string{at("head.gz.txt", "\x1f\x8bnot gzip at all")}}, "damaged gzip: gzip: invalid header"},
		{Options{Paths: []string{at("a.txt", "x")}, Instruction: &Instruction{}}, "is read as text, which has no instructions: want JSON lines"},
		{Options{Paths: []string{"a"}, Instruction: &Instruction{Template: "x"}}, `the template is "x": want {instruction} in it`},
		{Options{Paths: []string{"a"}, Instruction: &Instruction{}, Fields: []string{"a"}}, "fields of documents and of instructions"},
		{Options{Paths: []string{"a"}, Instruction: &Instruction{Input: "output"}}, "want three"},
		{Options{Paths: []string{"a"}, BlankLines: true, Whole: true}, "want one of them"},
		{Options{Paths: []string{"a"}, Section: 5}, "sections of 5 bytes: want 64 to"},
		{Options{Paths: []string{"a"}, Split: &Fractions{0.7, 0.6}}, "shares of 0.7 for dev and 0.6 for test"},
		{Options{Paths: []string{"a"}, EndOfText: 999}, "documents end with id 999: the vocabulary has 257"},
		{Options{Paths: []string{os.DevNull}}, os.DevNull + " is no regular file"},
	} {
		c.o.Tokenizer = byteEncoder{}
		if c.o.EndOfText == 0 {
			c.o.EndOfText = -1
		}
		c.o.Cache = filepath.Join(dir, "cache")
		_, err := Open(context.Background(), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v\nwant %s", c.o.Paths, err, c.want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "cache", "*.part")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, Options{Paths: []string{at("b.txt", "x")}, Tokenizer: byteEncoder{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	c := open(t, Options{Paths: []string{at("c.txt", "abcz")}, Tokenizer: byteEncoder{}, EndOfText: -1})
	if err := c.Check('z'); err == nil || !strings.Contains(err.Error(), "the text has token 122 and the model 122 tokens, 0 to 121") {
		t.Errorf("Check: %v", err)
	}
	if err := c.Check('z' + 1); err != nil {
		t.Error(err)
	}
}

// Real mail, compressed: every document and token is there.
func TestMail(t *testing.T) {
	path := provisiontest.Shared(t, "aeslc/dev.jsonl.gz")
	all, err := texts(t, Options{Paths: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1960 {
		t.Errorf("%d documents, want 1960", len(all))
	}
	tk := bpe(t, all[0].Text, all[1].Text, all[2].Text)
	c := open(t, Options{Paths: []string{path}, Tokenizer: tk, EndOfText: 0, Workers: 2})
	want, got := 0, int64(0)
	for _, d := range all {
		want += len(tk.Encode(d.Text)) + 1
	}
	for p := range Part(parts) {
		got += c.Split(p).Len()
		t.Logf("%s: %+v, %.2f characters a token", p, c.Split(p).Stats(), c.Split(p).Stats().CharsPerToken())
	}
	if got != int64(want) {
		t.Errorf("%d tokens, want %d", got, want)
	}
}
