package text

import (
	"fmt"
	"math"
)

// Ignored is the label of what the loss does not count.
const Ignored = -100

// BatchOptions say how rows are cut and in which order they come.
type BatchOptions struct {
	Batch, Sequence int // rows, and tokens that are predicted in each
	Seed            uint64
	// Shuffle orders rows anew for each time through the text; otherwise they come in
	// the text's order.
	Shuffle bool
	// Padded gives every document a row of its own, cut off at its end or filled up
	// with Pad. Otherwise rows are packed: the documents behind one another, cut
	// anywhere.
	Padded bool
	Pad    int64
	// Once ends with the text's last row, and fills the last batch up with rows of Pad
	// that do not count; otherwise the text begins again.
	Once bool
}

// Batches are rows of a part. They are safe for concurrent use.
type Batches struct {
	t    *Tokens
	o    BatchOptions
	rows int64
	cut  int64
}

// Batches cuts rows of the tokens. Packed, row r predicts tokens r·S+1 to r·S+S of S =
// Sequence: each token but the very first is predicted once, but for those at the end
// that fill no row.
func (t *Tokens) Batches(o BatchOptions) (*Batches, error) {
	if o.Batch < 1 || o.Sequence < 1 || o.Batch > math.MaxInt32 || o.Sequence > math.MaxInt32 {
		return nil, fmt.Errorf("text: batches of %d rows of %d tokens: want 1 or more", o.Batch, o.Sequence)
	}
	b := &Batches{t: t, o: o, rows: (t.stats.Tokens - 1) / int64(o.Sequence)}
	if t.stats.Documents == 0 {
		return nil, fmt.Errorf("text: no document fell to %s: give more text, or %s a larger share; a text file that is one long document is parted into more by smaller sections or at blank lines", t.part, t.part)
	}
	if o.Padded {
		return b, b.countPadded()
	}
	if b.rows < 1 {
		return nil, fmt.Errorf("text: %s has %d tokens, and one row of %d takes %d: give more text, or take shorter rows", t.part, t.stats.Tokens, o.Sequence, o.Sequence+1)
	}
	return b, nil
}

// countPadded counts the documents that are longer than a row.
func (b *Batches) countPadded() error {
	b.rows = b.t.stats.Documents
	silent, begin := int64(0), int64(0)
	err := records(b.t.index.Name(), entryBytes, b.rows, b.t.indexCRC, func(raw []byte) error {
		e := readEntry(raw)
		if e.end-begin > int64(b.o.Sequence)+1 {
			b.cut++
		}
		if max(e.prompt, 1) > int64(b.o.Sequence) {
			silent++
		}
		begin = e.end
		return nil
	})
	if err != nil {
		return fmt.Errorf("text: kept tokens: %w", err)
	}
	if silent == b.rows {
		return fmt.Errorf("text: all %d prompts of %s fill a row of %d: want longer rows", b.rows, b.t.part, b.o.Sequence)
	}
	return nil
}

// Rows is the number of rows of the text.
func (b *Batches) Rows() int64 { return b.rows }

// Len is the number of batches that see the text once; the last may be filled up, with
// rows of the next time or, if Once, with none.
func (b *Batches) Len() int { return int((b.rows + int64(b.o.Batch) - 1) / int64(b.o.Batch)) }

// Cut is the number of documents that are longer than a row and lose their end; packed,
// there are none.
func (b *Batches) Cut() int64 { return b.cut }

// Fill writes batch k, 0 or more, and less than Len if Once: the ids that are read and
// the labels that they are to predict, Batch rows of Sequence each. Labels are the ids
// that follow, or Ignored for prompts and for what is filled up.
func (b *Batches) Fill(k int, ids, labels []int64) error {
	size := b.o.Batch * b.o.Sequence
	switch {
	case k < 0 || b.o.Once && k >= b.Len():
		panic(fmt.Sprintf("text: batch %d of %d", k, b.Len()))
	case len(ids) != size || len(labels) != size:
		panic(fmt.Sprintf("text: room for %d ids and %d labels: want %d", len(ids), len(labels), size))
	}
	for i := range b.o.Batch {
		at := int64(k)*int64(b.o.Batch) + int64(i)
		row := i * b.o.Sequence
		if err := b.row(at, ids[row:row+b.o.Sequence], labels[row:row+b.o.Sequence]); err != nil {
			return err
		}
	}
	return nil
}

// row writes the row at a place of the endless sequence of rows.
func (b *Batches) row(at int64, ids, labels []int64) error {
	if b.o.Once && at >= b.rows {
		b.pad(ids, labels)
		return nil
	}
	epoch, row := at/b.rows, at%b.rows
	if b.o.Shuffle {
		row = int64(newPermutation(uint64(b.rows), b.o.Seed, uint64(epoch)).at(uint64(row)))
	}
	if b.o.Padded {
		return b.padded(row, ids, labels)
	}
	return b.packed(row, ids, labels)
}

func (b *Batches) pad(ids, labels []int64) {
	for i := range ids {
		ids[i], labels[i] = b.o.Pad, Ignored
	}
}

// packed writes a row that is cut anywhere.
func (b *Batches) packed(row int64, ids, labels []int64) error {
	begin := row * int64(b.o.Sequence)
	if err := b.read(begin, ids, labels); err != nil || b.t.stats.Targets == b.t.stats.Tokens {
		return err
	}
	last := begin + int64(len(ids))
	doc, err := b.t.documentOf(begin + 1)
	for ; err == nil; doc++ {
		var from, answer, end int64
		if from, answer, end, err = b.t.Document(doc); err != nil {
			break
		}
		for at := max(from, begin+1); at < min(answer, last+1); at++ {
			labels[at-begin-1] = Ignored
		}
		if end > last {
			break
		}
	}
	return err
}

// padded writes a document's row.
func (b *Batches) padded(row int64, ids, labels []int64) error {
	begin, answer, end, err := b.t.Document(row)
	if err != nil {
		return err
	}
	b.pad(ids, labels)
	n := min(end-begin-1, int64(len(ids)))
	if n < 1 {
		return nil // one token, which nothing predicts
	}
	if err := b.read(begin, ids[:n], labels[:n]); err != nil {
		return err
	}
	for i := range min(max(answer-begin-1, 0), n) {
		labels[i] = Ignored
	}
	return nil
}

// read reads ids from begin on, and as labels those that follow.
func (b *Batches) read(begin int64, ids, labels []int64) error {
	if err := b.t.Read(begin, ids); err != nil {
		return err
	}
	copy(labels, ids[1:])
	return b.t.Read(begin+int64(len(ids)), labels[len(ids)-1:])
}
