package text

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lathe/finetune/tokenizer"
)

// byteEncoder has a token for each byte, and one that ends texts, 256.
type byteEncoder struct{ name string }

func (byteEncoder) Encode(s string) []int {
	ids := make([]int, len(s))
	for i := range len(s) {
		ids[i] = int(s[i])
	}
	return ids
}
func (e byteEncoder) Continue(s string) []int { return e.Encode(s) }
func (byteEncoder) VocabSize() int            { return 257 }
func (e byteEncoder) Fingerprint() string     { return "bytes" + e.name }

const byteEnd = 256

// bpe is a small tokenizer of the text's own.
func bpe(t testing.TB, texts ...string) *tokenizer.Tokenizer {
	t.Helper()
	tr, err := tokenizer.Train(context.Background(), func(yield func(string, error) bool) {
		for _, s := range texts {
			if !yield(s, nil) {
				return
			}
		}
	}, tokenizer.Training{Vocab: 600})
	if err != nil {
		t.Fatal(err)
	}
	tk, err := tr.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

func writeFile(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write([]byte(content))
		z.Close()
		content = b.String()
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, o Options) *Corpus {
	t.Helper()
	c, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// documentsOf are a part's, each as text of a byteEncoder, prompt and answer.
func documentsOf(t testing.TB, s *Tokens) (all [][2]string) {
	t.Helper()
	for i := range s.Stats().Documents {
		begin, answer, end, err := s.Document(i)
		if err != nil {
			t.Fatal(err)
		}
		ids := make([]int64, end-begin)
		if err := s.Read(begin, ids); err != nil {
			t.Fatal(err)
		}
		var b []byte
		for _, id := range ids {
			if id != byteEnd {
				b = append(b, byte(id))
			}
		}
		all = append(all, [2]string{string(b[:answer-begin]), string(b[answer-begin:])})
	}
	return all
}

func texts(t testing.TB, o Options) (all []Document, err error) {
	t.Helper()
	for d, e := range Documents(context.Background(), o) {
		if e != nil {
			return all, e
		}
		all = append(all, d)
	}
	return all, nil
}
