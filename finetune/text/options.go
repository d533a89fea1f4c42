package text

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Encoder is what is asked of a tokenizer. Encode and Continue add no tokens of their
// own; Continue is for text behind other text, and gives what Encode of both would
// have where the one ends with a word and the other begins with white space.
// Fingerprint is another for whatever gives other ids.
type Encoder interface {
	Encode(text string) []int
	Continue(text string) []int
	VocabSize() int
	Fingerprint() string
}

// Options says where text is, what a document is, and how it becomes tokens.
type Options struct {
	// Paths are files, folders and patterns such as mail/*.txt. In folders, and those
	// below, files are taken that end in .txt, .text or .md (text), .jsonl, .ndjson or
	// .json (JSON, an object a line), each also with .gz behind it; other files have to
	// be named, and are text. Files and folders that begin with a dot are left out.
	Paths []string

	// Separator stands between the documents of a text file; "": <|endoftext|>.
	// BlankLines parts them at blank lines instead, Whole takes a file for a document.
	Separator  string
	BlankLines bool
	Whole      bool
	// Section is the bytes of a section: documents of text files that are four times
	// as long, such as books and logs, are parted into sections at line ends, and each
	// goes to a split by itself. 0: 16384. Less than 0: documents stay whole, and 64 MiB
	// is the most that one may have.
	Section int

	// Fields are the names of JSON fields that are a document, a blank line between
	// two; nil: body.
	Fields []string
	// Instruction, if not nil, takes the JSON objects for requests and their answers:
	// the loss counts on answers alone. There may be no text files then.
	Instruction *Instruction

	Tokenizer Encoder
	// EndOfText is the id behind every document, which the model learns to end with;
	// less than 0: none.
	EndOfText int

	Split *Fractions // nil: 0.02 and 0.02
	// Cache is the folder of tokens; "": a temporary one, which Close removes.
	Cache   string
	Workers int // that tokenize at a time; 0: 1

	// Progress, if not nil, is told of the bytes of files that are read. Open reads them
	// twice: for the hash that tokens are kept under, and, where they are not there yet,
	// to tokenize.
	Progress func(stage Stage, done, of int64)
}

// Stage is what reading a text is at.
type Stage string

// The stages.
const (
	Reading    Stage = "reading" // Documents' only one
	Hashing    Stage = "hashing"
	Tokenizing Stage = "tokenizing"
)

// Fractions are the shares of documents, by number, that are not trained on.
type Fractions struct{ Dev, Test float64 }

func (o Options) withDefaults() Options {
	if o.Separator == "" {
		o.Separator = "<|endoftext|>"
	}
	if o.Section == 0 {
		o.Section = 1 << 14
	}
	if o.Fields == nil {
		o.Fields = []string{"body"}
	}
	if o.Split == nil {
		o.Split = &Fractions{0.02, 0.02}
	}
	if o.Instruction != nil {
		i := o.Instruction.withDefaults()
		o.Instruction = &i
	}
	o.Workers = max(o.Workers, 1)
	o.EndOfText = max(o.EndOfText, -1)
	return o
}

// Validate reports the first option that gives no corpus. Zeros are defaults.
func (o Options) Validate() error {
	if err := o.validateReading(); err != nil {
		return err
	}
	o = o.withDefaults()
	switch {
	case o.Tokenizer == nil:
		return errors.New("text: no tokenizer")
	case o.Tokenizer.VocabSize() > math.MaxInt32:
		return fmt.Errorf("text: a vocabulary of %d: want %d at most", o.Tokenizer.VocabSize(), math.MaxInt32)
	case o.EndOfText >= o.Tokenizer.VocabSize():
		return fmt.Errorf("text: documents end with id %d: the vocabulary has %d", o.EndOfText, o.Tokenizer.VocabSize())
	}
	for _, f := range []float64{o.Split.Dev, o.Split.Test, o.Split.Dev + o.Split.Test} {
		if !(f >= 0 && f <= 1) {
			return fmt.Errorf("text: shares of %g for dev and %g for test: want 0 or more each, 1 at most together", o.Split.Dev, o.Split.Test)
		}
	}
	return nil
}

// validateReading is Validate for what Documents takes.
func (o Options) validateReading() error {
	switch {
	case len(o.Paths) == 0:
		return errors.New("text: no file, folder or pattern is named")
	case o.BlankLines && o.Whole || o.Separator != "" && (o.BlankLines || o.Whole):
		return errors.New("text: documents end at a separator, at blank lines or with the file: want one of them")
	case o.Section > 0 && o.Section < 64 || o.Section > maxDocument/4:
		return fmt.Errorf("text: sections of %d bytes: want 64 to %d, or -1 for none", o.Section, maxDocument/4)
	case len(o.Separator) > 64:
		return fmt.Errorf("text: a separator of %d bytes: want 64 at most", len(o.Separator))
	case strings.Contains(o.Separator, "\r"):
		return fmt.Errorf("text: the separator %q has a carriage return: line ends are read as \\n", o.Separator)
	}
	for _, f := range o.Fields {
		if f == "" {
			return errors.New("text: a JSON field has no name")
		}
	}
	if o.Instruction != nil {
		if o.Fields != nil {
			return errors.New("text: fields of documents and of instructions: want one of them")
		}
		return o.Instruction.validate()
	}
	return nil
}

// maxDocument bounds the bytes of a document and of a line of JSON, which are held in
// memory.
const maxDocument = 1 << 26
