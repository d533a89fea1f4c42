package lineedit

import (
	"bytes"
	"context"
	"io"
	"unicode"
	"unicode/utf8"
)

// what a key does.
type what int

const (
	ignored what = iota
	character
	enter
	tab
	escape
	interrupt // Ctrl-C
	endOfText // Ctrl-D
	backspace
	deleteKey
	left
	right
	home
	end
	eraseLine // before the cursor
	eraseRest // behind it
	eraseWord
)

type key struct {
	what what
	r    rune // of a character
}

// input is keys that came together, and why no more will.
type input struct {
	keys []key
	err  error
}

// controls are the keys that are one byte, as terminals and readline have them.
var controls = map[byte]what{
	0x01: home, 0x02: left, 0x03: interrupt, 0x04: endOfText, 0x05: end, 0x06: right, 0x08: backspace, '\t': tab, '\n': enter, '\r': enter,
	0x0b: eraseRest, 0x15: eraseLine, 0x17: eraseWord, 0x7f: backspace,
}

// sequences are those that follow an escape byte.
var sequences = map[string]what{
	"[C": right, "[D": left, "[H": home, "[F": end, "OC": right, "OD": left, "OH": home, "OF": end,
	"[1~": home, "[4~": end, "[7~": home, "[8~": end, "[3~": deleteKey,
}

// readKeys sends keys as they come, until in ends.
func readKeys(ctx context.Context, in io.Reader, out chan<- input) {
	var rest []byte
	buf := make([]byte, 4096)
	for {
		n, err := in.Read(buf)
		var keys []key
		keys, rest = parseKeys(append(rest, buf[:n]...))
		select {
		case out <- input{keys, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// parseKeys is the keys in what was read; rest is the beginning of a character that is
// not whole.
//
// Note: an escape byte is the key if nothing comes with it, since terminals send the bytes
// of another key together. Waiting for what may follow would take a clock, and Escape
// would be late.
func parseKeys(b []byte) (keys []key, rest []byte) {
	for len(b) > 0 {
		switch c := b[0]; {
		case c == 0x1b:
			n := sequence(b[1:])
			if n == 0 {
				keys = append(keys, key{what: escape})
			} else if w := sequences[string(b[1:1+n])]; w != ignored {
				keys = append(keys, key{what: w})
			}
			b = b[1+n:]
		case c < ' ' || c == 0x7f:
			if w := controls[c]; w != ignored {
				keys = append(keys, key{what: w})
			}
			b = b[1:]
		case !utf8.FullRune(b):
			return keys, bytes.Clone(b)
		default:
			r, size := utf8.DecodeRune(b)
			if !unicode.IsControl(r) {
				keys = append(keys, key{character, r})
			}
			b = b[size:]
		}
	}
	return keys, nil
}

// sequence is the length of the control sequence at the beginning of b, behind an escape
// byte: "[" or "O", parameters, and a byte that ends it (ECMA-48, 5.4). 0: there is none.
func sequence(b []byte) int {
	if len(b) == 0 || b[0] != '[' && b[0] != 'O' {
		return 0
	}
	for i, c := range b[1:] {
		if c >= 0x40 && c <= 0x7e {
			return i + 2
		}
		if c < 0x20 || c > 0x7e {
			return i + 1
		}
	}
	return len(b)
}
