package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Encoder writes records as JSON lines.
type Encoder struct{ w io.Writer }

// NewEncoder returns an encoder that writes to w.
func NewEncoder(w io.Writer) *Encoder { return &Encoder{w} }

// Encode writes r as one line, in one call of Write. A record that is not valid
// is refused and nothing is written.
func (e *Encoder) Encode(r Record) error {
	b, err := Marshal(r)
	if err != nil {
		return err
	}
	_, err = e.w.Write(append(b, '\n'))
	return err
}

// Marshal returns the JSON of a valid record, without a line end.
func Marshal(r Record) ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return b, nil
}

// Unmarshal reads one record from JSON, as strictly as Decoder.
func Unmarshal(b []byte) (Record, error) {
	r, err := parse(b)
	if err != nil {
		return Record{}, fmt.Errorf("record: %w", err)
	}
	return r, nil
}

// Decoder reads records from JSON lines. It is strict: an unknown or repeated
// field, a value of the wrong type or a record that is not valid is an error that
// names the line and the field. Blank lines are passed over.
type Decoder struct{ lines *LineReader }

// NewDecoder returns a decoder that reads from r.
func NewDecoder(r io.Reader) *Decoder { return &Decoder{NewLineReader(r)} }

// Line returns the number of the line read last, from 1.
func (d *Decoder) Line() int { return d.lines.line }

// Decode returns the next record, or io.EOF after the last one. Every other error
// is a *LineError. Reading can go on behind a line that was in error.
func (d *Decoder) Decode() (Record, error) {
	line, err := d.lines.Next()
	if err != nil {
		return Record{}, err
	}
	r, err := parse(line)
	if err != nil {
		return Record{}, &LineError{d.lines.line, err}
	}
	return r, nil
}

// All yields every record until the first error, which it yields last.
func (d *Decoder) All() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			r, err := d.Decode()
			if err == io.EOF || !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// parse reads one record, without the package's prefix in its errors.
func parse(b []byte) (Record, error) {
	var r Record
	if err := Strict(b, &r); err != nil {
		return Record{}, err
	}
	if err := r.check(); err != nil {
		return Record{}, err
	}
	return r, nil
}

// explain says where in the line an error of encoding/json is.
func explain(err error) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("column %d: %w", syntax.Offset, err)
	case errors.As(err, &typ) && typ.Field != "":
		return fmt.Errorf("field %s is a %s: want %s", typ.Field, typ.Value, typ.Type)
	}
	return err
}
