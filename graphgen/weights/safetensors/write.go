package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
)

// headerAlign is what headers are filled up to with spaces, as the format's own
// library does, so that tensors are aligned when the file is mapped.
const headerAlign = 8

// Write writes a file of tensors in the given order. data is called for each in
// turn and writes exactly its bytes; nothing is held.
func Write(w io.Writer, metadata map[string]string, tensors []Tensor, data func(w io.Writer, t Tensor) error) error {
	header, err := header(metadata, tensors)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	at := int64(len(header))
	for _, t := range tensors {
		t.Offset = at
		c := counter{w: w}
		if err := data(&c, t); err != nil {
			return fmt.Errorf("safetensors: tensor %s: %w", t.Name, err)
		}
		if c.n != t.Bytes() {
			return fmt.Errorf("safetensors: tensor %s of shape %s takes %d bytes, %d were written", t.Name, Dims(t.Shape), t.Bytes(), c.n)
		}
		at += c.n
	}
	return nil
}

func header(metadata map[string]string, tensors []Tensor) ([]byte, error) {
	b := make([]byte, lengthBytes, 1<<12)
	quoted := func(s string) {
		text, _ := json.Marshal(s) // a string always marshals
		b = append(b, text...)
	}
	b = append(b, '{')
	if len(metadata) > 0 {
		quoted(metadataKey)
		b = append(b, ":{"...)
		for i, k := range slices.Sorted(maps.Keys(metadata)) {
			if i > 0 {
				b = append(b, ',')
			}
			quoted(k)
			b = append(b, ':')
			quoted(metadata[k])
		}
		b = append(b, '}')
	}
	seen := map[string]bool{metadataKey: true}
	var at int64
	for i, t := range tensors {
		size := t.Bytes()
		if size < 0 || seen[t.Name] {
			return nil, fmt.Errorf("safetensors: tensor %q of type %s and shape %s cannot be written, or is given twice", t.Name, t.Type, Dims(t.Shape))
		}
		seen[t.Name] = true
		if i > 0 || len(metadata) > 0 {
			b = append(b, ',')
		}
		quoted(t.Name)
		b = fmt.Appendf(b, `:{"dtype":"%s","shape":[`, t.Type)
		for j, d := range t.Shape {
			if j > 0 {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, "%d", d)
		}
		b = fmt.Appendf(b, `],"data_offsets":[%d,%d]}`, at, at+size)
		at += size
	}
	b = append(b, '}')
	for len(b)%headerAlign != 0 {
		b = append(b, ' ')
	}
	binary.LittleEndian.PutUint64(b, uint64(len(b)-lengthBytes))
	if len(b)-lengthBytes > MaxHeader {
		return nil, fmt.Errorf("safetensors: a header of %d bytes for %d tensors; readers take %d", len(b)-lengthBytes, len(tensors), MaxHeader)
	}
	return b, nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
