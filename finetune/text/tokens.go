package text

import (
	"errors"
	"fmt"
	"os"
	"sort"
)

// Tokens are those of one part, on disk. They are safe for concurrent use.
type Tokens struct {
	part          Part
	stats         Stats
	width         int
	indexCRC      uint32
	tokens, index *os.File
}

func openTokens(dir string, p Part, h header) (*Tokens, error) {
	t := &Tokens{part: p, stats: h.Parts[p].Stats, width: h.Width, indexCRC: h.Parts[p].IndexCRC}
	var err error
	if t.tokens, err = os.Open(tokensFile(dir, p)); err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	if t.index, err = os.Open(indexFile(dir, p)); err != nil {
		t.tokens.Close()
		return nil, fmt.Errorf("text: %w", err)
	}
	return t, nil
}

func (t *Tokens) close() error { return errors.Join(t.tokens.Close(), t.index.Close()) }

// Stats are what is in the part.
func (t *Tokens) Stats() Stats { return t.stats }

// Len is the number of tokens.
func (t *Tokens) Len() int64 { return t.stats.Tokens }

// Read reads the tokens from at on into ids. All of them have to be there.
func (t *Tokens) Read(at int64, ids []int64) error {
	if at < 0 || at > t.stats.Tokens-int64(len(ids)) {
		panic(fmt.Sprintf("text: tokens %d to %d of %d", at, at+int64(len(ids)), t.stats.Tokens))
	}
	buf := make([]byte, len(ids)*t.width)
	if _, err := t.tokens.ReadAt(buf, at*int64(t.width)); err != nil {
		return fmt.Errorf("text: kept tokens: %w", err)
	}
	for i := range ids {
		ids[i] = token(buf[i*t.width : (i+1)*t.width])
	}
	return nil
}

// Document is where the i-th document begins, where its prompt ends, and where it ends
// itself.
func (t *Tokens) Document(i int64) (begin, answer, end int64, err error) {
	if i < 0 || i >= t.stats.Documents {
		panic(fmt.Sprintf("text: document %d of %d", i, t.stats.Documents))
	}
	e, err := t.entry(i)
	if err != nil {
		return 0, 0, 0, err
	}
	if i > 0 {
		before, err := t.entry(i - 1)
		if err != nil {
			return 0, 0, 0, err
		}
		begin = before.end
	}
	return begin, begin + e.prompt, e.end, nil
}

func (t *Tokens) entry(i int64) (entry, error) {
	var b [entryBytes]byte
	if _, err := t.index.ReadAt(b[:], i*entryBytes); err != nil {
		return entry{}, fmt.Errorf("text: kept tokens: %w", err)
	}
	return readEntry(b[:]), nil
}

// documentOf is the document that has the token at. It reads the logarithm of the
// number of documents.
func (t *Tokens) documentOf(at int64) (int64, error) {
	var failed error
	i := sort.Search(int(t.stats.Documents), func(i int) bool {
		e, err := t.entry(int64(i))
		if err != nil && failed == nil {
			failed = err
		}
		return e.end > at
	})
	return int64(i), failed
}
