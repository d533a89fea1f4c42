// Package teacher keeps on disk what a teacher expects of rows of text, so that several
// students, and later epochs of one, need not ask it again.
//
// A row goes by its tokens, and not by its place: students with other batches and other
// orders share what is kept. What a teacher says of a row may differ in the last bit with
// the rows that stand beside it in a batch; what is kept is what it said first.
package teacher

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Teacher is what is asked of rows that are not kept.
type Teacher interface {
	// Expect writes, for each of ids, row by row, the likeliest tokens that follow and
	// their probabilities.
	Expect(ids, tokens []int64, probabilities []float32) error
}

// Key is what answers depend on, besides the row.
type Key struct {
	Weights     string // hash of the teacher's
	Temperature float64
	Top         int // tokens that are expected
	Sequence    int // tokens of a row
}

// ErrBusy marks a cache that another process has open.
var ErrBusy = errors.New("another process has it open")

// Cache is a teacher whose answers are kept. It is used by one goroutine at a time.
type Cache struct {
	of     Teacher
	key    Key
	file   *os.File
	unlock func() error
	places map[rowID]int64 // records by row
	count  int64           // records in the file
	record []byte          // buffer
	failed error
}

// rowID is of a row's tokens.
type rowID [16]byte

func identify(ids []int64) (r rowID) {
	h := sha256.New()
	buf := make([]byte, 0, 8*len(ids))
	for _, id := range ids {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(id))
	}
	h.Write(buf)
	copy(r[:], h.Sum(nil))
	return r
}

// Open opens the cache of a key in a folder, which is made if it is not there. A file
// that is no such cache, or is damaged, is an error; of one whose last record was not
// written to its end the others are taken.
func Open(dir string, key Key, of Teacher) (*Cache, error) {
	if key.Top < 1 || key.Sequence < 1 || key.Top > maxTop || key.Sequence > maxSequence {
		return nil, fmt.Errorf("teacher: %d tokens for each of a row of %d: want 1 to %d, and 1 to %d", key.Top, key.Sequence, maxTop, maxSequence)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("teacher: %w", err)
	}
	path := filepath.Join(dir, key.name())
	lock := flock.New(path+".lock", flock.SetPermissions(0o644))
	ok, err := lock.TryLock()
	if err == nil && !ok {
		err = ErrBusy
	}
	if err != nil {
		return nil, fmt.Errorf("teacher: %s: %w", path, err)
	}
	c := &Cache{of: of, key: key, unlock: lock.Unlock, places: map[rowID]int64{}, record: make([]byte, key.recordBytes())}
	if err := c.open(path); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return c, nil
}

func (c *Cache) open(path string) (err error) {
	if c.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	err = c.index()
	if errors.Is(err, errNew) {
		if _, err = c.file.WriteAt(c.key.header(), 0); err == nil {
			return nil
		}
		err = fmt.Errorf("teacher: %w", err)
	}
	if err != nil {
		c.file.Close()
		return fmt.Errorf("%w; remove %s", err, path)
	}
	return nil
}

// Rows is how many rows are kept.
func (c *Cache) Rows() int { return len(c.places) }

// Failed is why the last row could not be kept, or nil.
func (c *Cache) Failed() error { return c.failed }

// Close gives the file back. The teacher stays open.
func (c *Cache) Close() error {
	err := c.file.Close()
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return errors.Join(err, c.unlock())
}

// Expect implements [Teacher]. Where a row is missing, the teacher is asked about all of
// the batch, and what it says of missing ones is kept. That they cannot be is no error:
// see Failed.
func (c *Cache) Expect(ids, tokens []int64, probabilities []float32) error {
	n, k := c.key.Sequence, c.key.Top
	if len(ids)%n != 0 || len(tokens) != k*len(ids) || len(probabilities) != len(tokens) {
		return fmt.Errorf("teacher: %d tokens and %d probabilities for %d ids: want rows of %d, %d for each", len(tokens), len(probabilities), len(ids), n, k)
	}
	for at := 0; at < len(ids); at += n {
		place, ok := c.places[identify(ids[at:at+n])]
		if !ok {
			return c.ask(ids, tokens, probabilities)
		}
		if err := c.read(place, tokens[at*k:(at+n)*k], probabilities[at*k:(at+n)*k]); err != nil {
			return err
		}
	}
	return nil
}

// ask asks the teacher about a batch, and keeps what was missing.
func (c *Cache) ask(ids, tokens []int64, probabilities []float32) error {
	if err := c.of.Expect(ids, tokens, probabilities); err != nil {
		return err
	}
	n, k := c.key.Sequence, c.key.Top
	for at := 0; at < len(ids); at += n {
		row := identify(ids[at : at+n])
		place, kept := c.places[row]
		if kept { // it said so before
			if err := c.read(place, tokens[at*k:(at+n)*k], probabilities[at*k:(at+n)*k]); err != nil {
				return err
			}
			continue
		}
		if err := c.write(row, tokens[at*k:(at+n)*k], probabilities[at*k:(at+n)*k]); err != nil {
			c.failed = err
			return nil
		}
	}
	c.failed = nil
	return nil
}
