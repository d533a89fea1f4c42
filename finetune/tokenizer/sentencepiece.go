package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of fields and values in sentencepiece_model.proto, as SentencePiece has
// documented them there.
const (
	modelPieces, modelTrainer, modelNormalizer = 1, 2, 3

	pieceText, pieceScore, pieceKind = 1, 2, 3

	trainerType, trainerSuffix, trainerFallback = 3, 24, 35

	normalizerMap, normalizerLead, normalizerTrim, normalizerEscape = 2, 3, 4, 5

	typeUnigram, typeBPE = 1, 2
)

// spModel is what we read of a SentencePiece model. Its zero value is not the
// default: those of the format are true.
type spModel struct {
	pieces             []piece
	algorithm          uint64
	suffix, fallback   bool
	charsMap           []byte
	lead, trim, escape bool
}

// ParseModel reads a SentencePiece model, tokenizer.model by its usual name. name is
// for errors.
func ParseModel(data []byte, name string) (*Tokenizer, error) {
	t, err := parseModel(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	t.fingerprint = fingerprint("sentencepiece", data)
	return t, nil
}

func parseModel(data []byte) (*Tokenizer, error) {
	f, err := piecesOfModel(data)
	if err != nil {
		return nil, err
	}
	return buildPieces(*f)
}

func piecesOfModel(data []byte) (*piecesFile, error) {
	m := spModel{algorithm: typeUnigram, lead: true, trim: true, escape: true}
	if err := m.read(data); err != nil {
		return nil, err
	}
	f := piecesFile{
		pieces: m.pieces, unigram: m.algorithm == typeUnigram, fallback: m.fallback, fuse: true, escape: m.escape, cut: cutWords,
	}
	if m.lead {
		f.lead.where = leadText
	}
	literals := 0
	for id, p := range m.pieces {
		switch p.kind {
		case unknown, control:
			f.extra = append(f.extra, added{content: p.text, id: id, special: true})
		case literal:
			text := p.text
			if m.escape {
				text = strings.ReplaceAll(text, mark, " ")
			}
			f.extra = append(f.extra, added{content: text, id: id})
			literals++
		}
	}
	if len(m.charsMap) > 0 || m.trim {
		if literals > 0 {
			return nil, fmt.Errorf("it normalizes its text and has %d user-defined symbols, which are left as they are: supported is one of both", literals)
		}
		chars, err := newCharsMap(m.charsMap)
		if err != nil {
			return nil, fmt.Errorf("normalizer_spec.precompiled_charsmap: %w", err)
		}
		f.normalize = chars.normalizer(m.trim)
		f.chars, f.trim = m.charsMap, m.trim
	}
	return &f, nil
}

// read reads the file and reports what is not supported of it.
func (m *spModel) read(data []byte) error {
	if len(data) == 0 {
		return errors.New("the file is empty: want a SentencePiece model")
	}
	err := fields(data, 0, func(f field) error {
		switch f.num {
		case modelPieces:
			p, err := readPiece(f)
			if err != nil {
				return fmt.Errorf("piece %d: %w", len(m.pieces), err)
			}
			if len(m.pieces) > maxID {
				return fmt.Errorf("more than %d pieces", maxID+1)
			}
			m.pieces = append(m.pieces, p)
		case modelTrainer:
			return f.inner(m.readTrainer)
		case modelNormalizer:
			return f.inner(m.readNormalizer)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: want a SentencePiece model", err)
	}
	if len(m.pieces) == 0 {
		return errors.New("it has no pieces: want a SentencePiece model")
	}
	switch {
	case m.algorithm != typeBPE && m.algorithm != typeUnigram:
		names := map[uint64]string{3: "WORD", 4: "CHAR"}
		return fmt.Errorf("trainer_spec.model_type is %d %s: supported are 1, UNIGRAM, and 2, BPE", m.algorithm, names[m.algorithm])
	case m.suffix:
		return errors.New("trainer_spec.treat_whitespace_as_suffix is true: supported is false, spaces before words")
	}
	seen := make(map[string]int, len(m.pieces))
	for id, p := range m.pieces {
		if before, ok := seen[p.text]; ok {
			return fmt.Errorf("pieces %d and %d are both %q: want each once", before, id, p.text)
		}
		seen[p.text] = id
	}
	return nil
}

func (m *spModel) readTrainer(f field) error {
	switch f.num {
	case trainerType:
		return f.uint(&m.algorithm)
	case trainerSuffix:
		return f.bool(&m.suffix)
	case trainerFallback:
		return f.bool(&m.fallback)
	}
	return nil
}

func (m *spModel) readNormalizer(f field) error {
	switch f.num {
	case normalizerMap:
		m.charsMap = f.bytes
	case normalizerLead:
		return f.bool(&m.lead)
	case normalizerTrim:
		return f.bool(&m.trim)
	case normalizerEscape:
		return f.bool(&m.escape)
	}
	return nil
}

func readPiece(f field) (piece, error) {
	var p piece
	typ := uint64(1)
	err := f.inner(func(f field) error {
		switch f.num {
		case pieceText:
			p.text = string(f.bytes)
		case pieceScore:
			if f.typ != protowire.Fixed32Type {
				return fmt.Errorf("byte %d: its score is no float", f.at)
			}
			p.score = math.Float32frombits(uint32(f.value))
		case pieceKind:
			return f.uint(&typ)
		}
		return nil
	})
	switch {
	case err != nil:
		return p, err
	case p.text == "":
		return p, fmt.Errorf("byte %d: it is empty", f.at)
	case len(p.text) > maxToken:
		return p, fmt.Errorf("byte %d: %.60q has %d bytes: want %d at most", f.at, p.text, len(p.text), maxToken)
	case !utf8.ValidString(p.text):
		return p, fmt.Errorf("byte %d: %q is not UTF-8", f.at, p.text)
	case p.score != p.score || math.IsInf(float64(p.score), 0):
		return p, fmt.Errorf("byte %d: %q has the score %g: want a number", f.at, p.text, p.score)
	}
	kinds := map[uint64]kind{1: normal, 2: unknown, 3: control, 4: literal, 6: byteOf1}
	k, ok := kinds[typ]
	if !ok {
		return p, fmt.Errorf("byte %d: %q is of type %d: supported are 1 to 4 and 6", f.at, p.text, typ)
	}
	p.kind = k
	return p, nil
}
