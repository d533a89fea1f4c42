// Package sample makes mail up: short office messages of a small grammar, for trying a
// training out and for tests, where no text is at hand or none may be shown. What it
// writes is ours, names nobody, and is the same for the same seed on every machine.
//
// A small model has something to learn from it for minutes: words and their spelling,
// then the order of a message, then what has to agree: he and she with a name, is and
// are with what is spoken of, a later day with an earlier one, the close of a message
// with what it asked for. It is no measure of quality: there is not much in it to know.
package sample

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
)

// Separator stands between messages that Write writes, as documents of a text have it.
const Separator = "\n<|endoftext|>\n"

// Mail makes one message of a few sentences, without a line end behind it. Of rng only
// Uint64 is used, which gives the same in every version of Go.
func Mail(rng *rand.Rand) string {
	m := message{d: dice{rng}, slots: map[string]string{}}
	m.fill()
	return m.write()
}

// Write writes messages until there are size bytes, and ends with a whole one.
func Write(w io.Writer, rng *rand.Rand, size int64) error {
	b := bufio.NewWriter(w)
	for n := int64(0); n < size; {
		k, err := b.WriteString(Mail(rng) + Separator)
		if err != nil {
			return fmt.Errorf("sample: %w", err)
		}
		n += int64(k)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("sample: %w", err)
	}
	return nil
}

// dice draws.
type dice struct{ rng *rand.Rand }

// below is 0 to n-1. The remainder favours low ones by n/2^64.
func (d dice) below(n int) int { return int(d.rng.Uint64() % uint64(n)) }

func one[T any](d dice, of []T) T { return of[d.below(len(of))] }
