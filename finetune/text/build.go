package text

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
)

// build tokenizes files into the folder dir.
func build(ctx context.Context, dir, key string, files []file, o Options, progress func(int)) (header, error) {
	h := header{Format: keptFormat, Key: key, Width: 2}
	if o.Tokenizer.VocabSize() > math.MaxUint16+1 {
		h.Width = 4
	}
	var out [parts]*partWriter
	var err error
	defer func() {
		for _, w := range out {
			if w != nil {
				w.close()
			}
		}
	}()
	for p := range out {
		if out[p], err = newPartWriter(dir, Part(p), h.Width); err != nil {
			return h, fmt.Errorf("text: %w", err)
		}
	}
	err = tokenize(ctx, files, o, progress, func(e encoded) error {
		for _, id := range e.ids {
			h.MaxID = max(h.MaxID, int64(id))
		}
		return out[e.part].write(e)
	})
	if err != nil {
		return h, err
	}
	total := int64(0)
	for p, w := range out {
		if err := w.close(); err != nil {
			return h, fmt.Errorf("text: %w", err)
		}
		h.Parts[p] = keptStats{w.stats, w.tokens.crc, w.index.crc}
		total += w.stats.Documents
	}
	if total == 0 {
		return h, fmt.Errorf("text: no document in %s: there is nothing but white space", names(files))
	}
	if err := h.write(dir); err != nil {
		return h, fmt.Errorf("text: %w", err)
	}
	return h, nil
}

func names(files []file) string {
	if len(files) == 1 {
		return files[0].path
	}
	return fmt.Sprintf("%s and %d more files", files[0].path, len(files)-1)
}

// partWriter writes the files of one part.
type partWriter struct {
	tokens, index *sumWriter
	width         int
	buf           []byte
	stats         Stats
}

func newPartWriter(dir string, p Part, width int) (*partWriter, error) {
	tokens, err := newSumWriter(tokensFile(dir, p))
	if err != nil {
		return nil, err
	}
	index, err := newSumWriter(indexFile(dir, p))
	if err != nil {
		tokens.close()
		return nil, err
	}
	return &partWriter{tokens: tokens, index: index, width: width}, nil
}

func (w *partWriter) write(e encoded) error {
	if len(e.ids) == 0 {
		return nil // text that the tokenizer makes nothing of
	}
	w.buf = w.buf[:0]
	for _, id := range e.ids {
		if w.width == 2 {
			w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(id))
		} else {
			w.buf = binary.LittleEndian.AppendUint32(w.buf, id)
		}
	}
	if _, err := w.tokens.Write(w.buf); err != nil {
		return fmt.Errorf("text: %w", err)
	}
	w.stats.Documents++
	w.stats.Tokens += int64(len(e.ids))
	w.stats.Targets += int64(len(e.ids) - e.prompt)
	w.stats.Characters += int64(e.chars)
	w.buf = binary.LittleEndian.AppendUint64(w.buf[:0], uint64(w.stats.Tokens))
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(e.prompt))
	if _, err := w.index.Write(w.buf); err != nil {
		return fmt.Errorf("text: %w", err)
	}
	return nil
}

func (w *partWriter) close() error { return errors.Join(w.tokens.close(), w.index.close()) }

// sumWriter writes a file and sums it up.
type sumWriter struct {
	f   *os.File
	b   *bufio.Writer
	crc uint32
}

func newSumWriter(path string) (*sumWriter, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &sumWriter{f: f, b: bufio.NewWriterSize(f, chunk)}, nil
}

func (w *sumWriter) Write(p []byte) (int, error) {
	w.crc = crc32.Update(w.crc, castagnoli, p)
	return w.b.Write(p)
}

// close ends the file; again, it does nothing.
func (w *sumWriter) close() error {
	if w.f == nil {
		return nil
	}
	err := errors.Join(w.b.Flush(), w.f.Close())
	w.f = nil
	return err
}

var _ io.Writer = (*sumWriter)(nil)
