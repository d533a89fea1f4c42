package text

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

// Documents reads the documents of files one after the other. It takes Paths, what
// parts documents, Fields, Instruction and Progress of o. An error is the last that it gives;
// one of a text names the file and the line.
func Documents(ctx context.Context, o Options) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		err := o.validateReading()
		var files []file
		if err == nil {
			files, err = find(o.Paths)
		}
		if err != nil {
			yield(Document{}, err)
			return
		}
		o = o.withDefaults()
		read := o.stage(Reading, totalSize(files))
		for _, f := range files {
			for d, err := range f.documents(ctx, o, read) {
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

// documents reads one file's. read is told of the file's bytes, before they are
// unpacked.
func (f file) documents(ctx context.Context, o Options, read func(n int)) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		in, err := os.Open(f.path)
		if err != nil {
			yield(Document{}, fmt.Errorf("text: %w", err))
			return
		}
		defer in.Close()
		r, err := unpack(&watched{ctx, in, read})
		if err != nil {
			yield(Document{}, fmt.Errorf("text: %s: %w", f.path, err))
			return
		}
		var failed error
		emit := func(d Document) bool { return yield(d, nil) }
		switch {
		case f.format == lines:
			failed = readLines(r, f.path, o, emit)
		case o.Instruction != nil:
			failed = fmt.Errorf("text: %s is read as text, which has no instructions: want JSON lines, in a file that ends in .jsonl", f.path)
		default:
			failed = readPlain(r, f.path, o, emit)
		}
		if failed != nil {
			yield(Document{}, failed)
		}
	}
}

// unpack reads gzip as what is in it, and leaves anything else as it is.
func unpack(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	if begin, _ := b.Peek(2); !bytes.Equal(begin, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, fmt.Errorf("damaged gzip: %w", err)
	}
	return damaged{z}, nil
}

// damaged says of a gzip's errors what they are of.
type damaged struct{ z *gzip.Reader }

func (d damaged) Read(p []byte) (int, error) {
	n, err := d.z.Read(p)
	var corrupt flate.CorruptInputError
	switch {
	case err == io.ErrUnexpectedEOF:
		return n, fmt.Errorf("damaged gzip: it ends too soon: %w", err)
	case err == gzip.ErrChecksum, err == gzip.ErrHeader, errors.As(err, &corrupt):
		return n, fmt.Errorf("damaged gzip: %w", err)
	}
	return n, err
}

// watched ends with ctx and tells of what is read.
type watched struct {
	ctx  context.Context
	r    io.Reader
	read func(n int)
}

func (w *watched) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.r.Read(p)
	w.read(n)
	return n, err
}
