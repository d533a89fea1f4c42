package teacher

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// The file: a header, and records of one size, little-endian.
//
//	header  magic, 8 bytes; sequence and top, uint32; hash of the key, 32 bytes
//	record  row, 16 bytes; tokens, uint32 [sequence*top]; probabilities, float32 of as
//	        many; CRC-32 (IEEE) of what stands before
const magic = "lathesf1"

const headerBytes = len(magic) + 4 + 4 + sha256.Size

// Bounds of what is believed.
const (
	maxTop      = 1 << 20
	maxSequence = 1 << 20
)

// errNew marks a file with nothing in it.
var errNew = errors.New("new")

func (k Key) hash() [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%s\n%v\n%d\n%d", k.Weights, k.Temperature, k.Top, k.Sequence))
}

func (k Key) name() string {
	h := k.hash()
	return hex.EncodeToString(h[:12]) + ".expected"
}

func (k Key) header() []byte {
	h := k.hash()
	out := binary.LittleEndian.AppendUint32([]byte(magic), uint32(k.Sequence))
	return append(binary.LittleEndian.AppendUint32(out, uint32(k.Top)), h[:]...)
}

func (k Key) recordBytes() int64 {
	return int64(len(rowID{})) + 8*int64(k.Sequence)*int64(k.Top) + 4
}

// Bytes is what rows of a key take on disk.
func (k Key) Bytes(rows int64) int64 { return int64(headerBytes) + rows*k.recordBytes() }

// index finds the records of the file, and cuts off one that was not finished. Records
// whose sum is wrong are not found, and asked for anew.
func (c *Cache) index() error {
	info, err := c.file.Stat()
	if err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	if info.Size() < int64(headerBytes) { // of one that was not begun
		return errNew
	}
	r := bufio.NewReaderSize(io.NewSectionReader(c.file, 0, info.Size()), 1<<20)
	head := make([]byte, headerBytes)
	if _, err := io.ReadFull(r, head); err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	if !bytes.Equal(head, c.key.header()) {
		return fmt.Errorf("teacher: %s is not what is kept of this teacher", c.file.Name())
	}
	c.count = (info.Size() - int64(headerBytes)) / c.key.recordBytes()
	for i := range c.count {
		if _, err := io.ReadFull(r, c.record); err != nil {
			return fmt.Errorf("teacher: record %d: %w", i, err)
		}
		if whole(c.record) {
			c.places[rowID(c.record[:len(rowID{})])] = i
		}
	}
	return nil
}

func whole(record []byte) bool {
	body := record[:len(record)-4]
	return crc32.ChecksumIEEE(body) == binary.LittleEndian.Uint32(record[len(body):])
}

func (c *Cache) place(i int64) int64 { return int64(headerBytes) + i*c.key.recordBytes() }

// write appends a row.
func (c *Cache) write(row rowID, tokens []int64, probabilities []float32) error {
	b := append(c.record[:0], row[:]...)
	for _, id := range tokens {
		if id < 0 || id > math.MaxUint32 {
			return fmt.Errorf("teacher: token %d cannot be kept", id)
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	for _, p := range probabilities {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(p))
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	if _, err := c.file.WriteAt(b, c.place(c.count)); err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	c.places[row] = c.count
	c.count++
	return nil
}

// read reads record i.
func (c *Cache) read(i int64, tokens []int64, probabilities []float32) error {
	if _, err := c.file.ReadAt(c.record, c.place(i)); err != nil {
		return fmt.Errorf("teacher: record %d of %s: %w", i, c.file.Name(), err)
	}
	if !whole(c.record) {
		return fmt.Errorf("teacher: record %d of %s is damaged since it was opened", i, c.file.Name())
	}
	b := c.record[len(rowID{}):]
	for k := range tokens {
		tokens[k] = int64(binary.LittleEndian.Uint32(b[4*k:]))
	}
	b = b[4*len(tokens):]
	for k := range probabilities {
		probabilities[k] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*k:]))
	}
	return nil
}
