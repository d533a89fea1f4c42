package tokenizer

import "fmt"

// Byte-level vocabularies are written with one printable character for each byte:
// the printable ones of Latin-1 stand for themselves, and the rest, in order, are
// U+0100 and on. A space is U+0120, for one.
var (
	runeOf [256]rune
	byteOf = map[rune]byte{}
)

func init() {
	next := rune(0x100)
	for b := range 256 {
		r := rune(b)
		if !('!' <= r && r <= '~' || 0xA1 <= r && r <= 0xAC || 0xAE <= r && r <= 0xFF) {
			r = next
			next++
		}
		runeOf[b], byteOf[r] = r, byte(b)
	}
}

// unwrite returns the bytes that a token of a vocabulary stands for.
func unwrite(token string) (string, error) {
	out := make([]byte, 0, len(token))
	for _, r := range token {
		b, ok := byteOf[r]
		if !ok {
			return "", fmt.Errorf("token %q holds %U, which stands for no byte: this is no byte-level vocabulary", token, r)
		}
		out = append(out, b)
	}
	return string(out), nil
}
