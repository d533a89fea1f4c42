package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// ParseBin reads a tokenizer of llama2.c: the length of its longest token, and of
// each token its score, length and bytes. The first three are the unknown token and
// those that begin and end a sequence, which are <unk>, <s> and </s> here, whatever
// the file calls them. Unlike the model that it was made from, it has real spaces in
// its tokens, so U+2581 is encoded as itself. name is for errors.
func ParseBin(data []byte, name string) (*Tokenizer, error) {
	t, err := parseBin(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	t.fingerprint = fingerprint("llama2c", data)
	return t, nil
}

func parseBin(data []byte) (*Tokenizer, error) {
	f, err := piecesOfBin(data)
	if err != nil {
		return nil, err
	}
	return buildPieces(*f)
}

func piecesOfBin(data []byte) (*piecesFile, error) {
	if len(data) < 4 {
		return nil, fmt.Errorf("%d bytes: want a llama2.c tokenizer", len(data))
	}
	longest := binary.LittleEndian.Uint32(data)
	if longest == 0 || longest > maxToken {
		return nil, fmt.Errorf("its longest token has %d bytes: want 1 to %d in a llama2.c tokenizer", longest, maxToken)
	}
	f := piecesFile{fallback: true, cut: cutWords, lead: lead{where: leadStretches}}
	seen := map[string]int{}
	for at := 4; at < len(data); {
		id := len(f.pieces)
		if len(data)-at < 8 {
			return nil, fmt.Errorf("byte %d: the file ends inside token %d: is it whole?", at, id)
		}
		score := math.Float32frombits(binary.LittleEndian.Uint32(data[at:]))
		size := binary.LittleEndian.Uint32(data[at+4:])
		if size > longest {
			return nil, fmt.Errorf("byte %d: token %d has %d bytes: the longest is said to have %d", at+4, id, size, longest)
		}
		if uint64(size) > uint64(len(data)-at-8) {
			return nil, fmt.Errorf("byte %d: token %d has %d bytes, %d are left: is the file whole?", at+4, id, size, len(data)-at-8)
		}
		p := piece{text: string(data[at+8 : at+8+int(size)]), score: score}
		switch {
		case p.text == "":
			return nil, fmt.Errorf("byte %d: token %d is empty", at+4, id)
		case !utf8.ValidString(p.text):
			return nil, fmt.Errorf("byte %d: token %d, %q, is not UTF-8", at+8, id, p.text)
		case score != score || math.IsInf(float64(score), 0):
			return nil, fmt.Errorf("byte %d: token %d, %q, has the score %g: want a number", at, id, p.text, score)
		case id > maxID:
			return nil, fmt.Errorf("more than %d tokens", maxID+1)
		}
		if id < len(binNames) {
			p.text, p.kind = binNames[id], control
			f.extra = append(f.extra, added{content: p.text, id: id, special: true})
		} else if _, ok := byteName(p.text); ok {
			p.kind = byteOf1
		}
		if before, ok := seen[p.text]; ok {
			return nil, fmt.Errorf("byte %d: tokens %d and %d are both %q: want each once", at, before, id, p.text)
		}
		seen[p.text] = id
		f.pieces = append(f.pieces, p)
		at += 8 + int(size)
	}
	if len(f.pieces) < len(binNames)+256 {
		return nil, fmt.Errorf("%d tokens: want %d and one for each byte, at least", len(f.pieces), len(binNames))
	}
	for b := range 256 {
		if p := f.pieces[len(binNames)+b]; p.text != fmt.Sprintf("<0x%02X>", b) {
			return nil, fmt.Errorf("token %d is %q: want the byte <0x%02X>, as llama2.c takes it for", len(binNames)+b, p.text, b)
		}
	}
	if _, ok := seen[" "]; !ok {
		return nil, errors.New("it has no token for a space, which a text begins with")
	}
	f.pieces[0].kind = unknown
	return &f, nil
}

var binNames = [...]string{"<unk>", "<s>", "</s>"}
