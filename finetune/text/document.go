package text

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// Document is a text, or a section of a long one.
type Document struct {
	Prompt string // of an instruction: what the loss does not count on
	Text   string
	// Begins and Ends are false of a section that is not a document's first or last.
	Begins, Ends bool
}

// Part is a share of the documents.
type Part int

// The parts.
const (
	Train Part = iota
	Dev
	Test
	parts = iota
)

func (p Part) String() string { return [...]string{"train", "dev", "test"}[p] }

// In says by a hash where a document belongs, so that what is there twice is not
// trained on and asked about. An instruction goes by its prompt: other answers to a
// question are in the same part.
func (d Document) In(f Fractions) Part {
	s := d.Text
	if d.Prompt != "" {
		s = d.Prompt
	}
	h := sha256.Sum256([]byte(strings.TrimSpace(s)))
	at := float64(binary.LittleEndian.Uint64(h[:])>>11) / (1 << 53) // uniform in 0 to 1
	switch {
	case at < f.Dev:
		return Dev
	case at < f.Dev+f.Test:
		return Test
	}
	return Train
}
