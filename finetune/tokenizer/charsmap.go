package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// charsMap is a SentencePiece model's normaliser: what some strings of characters
// are replaced by. The zero value replaces none.
//
// It is stored as the length of a trie, the trie, and the replacements, each ended
// by a zero byte. The trie is a double array (Aoe, "An efficient digital search
// algorithm by using a double-array structure", 1989) as the Darts-clone library lays
// it out: 32 bits a node, of which the low 8 are the byte that leads there, bit 8
// says that a string ends here, the high 22 (with bit 9, times 256) are the offset to
// its children; of a child that is an end, the low 31 are the value.
type charsMap struct {
	units []uint32
	texts string
}

func newCharsMap(data []byte) (*charsMap, error) {
	c := &charsMap{}
	if len(data) == 0 {
		return c, nil
	}
	if len(data) < 4 {
		return nil, fmt.Errorf("%d bytes: want a length and a trie", len(data))
	}
	size := binary.LittleEndian.Uint32(data)
	if uint64(size) > uint64(len(data)-4) || size%4 != 0 {
		return nil, fmt.Errorf("a trie of %d bytes in %d: want a multiple of 4, no more than there are", size, len(data)-4)
	}
	for at := 4; at < 4+int(size); at += 4 {
		c.units = append(c.units, binary.LittleEndian.Uint32(data[at:]))
	}
	c.texts = string(data[4+size:])
	if !utf8.ValidString(c.texts) {
		return nil, errors.New("its replacements are not UTF-8")
	}
	return c, nil
}

// offset is how far from a node its children are.
func offset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

// longest returns the longest string that text begins with and that is replaced, and
// by what; n is 0 if there is none.
func (c *charsMap) longest(text string) (n int, by string) {
	if len(c.units) == 0 {
		return 0, ""
	}
	node := offset(c.units[0])
	for i := range len(text) {
		node ^= uint32(text[i])
		if node >= uint32(len(c.units)) {
			break
		}
		unit := c.units[node]
		if unit&(1<<31|0xFF) != uint32(text[i]) {
			break
		}
		node ^= offset(unit)
		if unit>>8&1 == 0 {
			continue
		}
		if node >= uint32(len(c.units)) {
			break
		}
		if value := c.units[node] & (1<<31 - 1); value < uint32(len(c.texts)) {
			by = c.texts[value:]
			if end := strings.IndexByte(by, 0); end >= 0 {
				by = by[:end]
			}
			n = i + 1
		}
	}
	// A broken trie may end inside of a character.
	if n < len(text) && !utf8.RuneStart(text[n]) {
		return 0, ""
	}
	return n, by
}

// normalizer is the function on text that c is. With trim, spaces at both ends are
// left out, and of several only the first is kept.
func (c *charsMap) normalizer(trim bool) func(string) string {
	return func(text string) string {
		var out strings.Builder
		spaced := trim // the last was a space
		for len(text) > 0 {
			n, by := c.longest(text)
			if n == 0 {
				_, n = utf8.DecodeRuneInString(text)
				by = text[:n]
			}
			text = text[n:]
			if trim && spaced {
				by = strings.TrimLeft(by, " ")
			}
			out.WriteString(by)
			if by != "" {
				spaced = strings.HasSuffix(by, " ")
			}
		}
		if trim {
			return strings.TrimRight(out.String(), " "+mark)
		}
		return out.String()
	}
}
