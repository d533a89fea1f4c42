package weights

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestBehind: what is written in pieces of any size is in the file once it is closed,
// more of it than is ever held.
func TestBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	b := newBehind(f)
	rng := rand.New(rand.NewPCG(1, 1))
	var want []byte
	for len(want) < syncBytes+3*behindBytes {
		p := make([]byte, rng.IntN(3*behindBytes))
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		if n, err := b.Write(p); n != len(p) || err != nil {
			t.Fatalf("%d of %d bytes: %v", n, len(p), err)
		}
		want = append(want, p...)
		clear(p) // the caller's again
	}
	if b.n != int64(len(want)) {
		t.Errorf("%d bytes counted of %d", b.n, len(want))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes are not the %d written; %v", len(got), len(want), err)
	}
}

// TestBehindTellsOfFailures: however much is written to a file that takes nothing, the
// writer neither waits for ever nor keeps the failure to itself.
func TestBehindTellsOfFailures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, size := range []int{1, 3 * behindBuffers * behindBytes} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path) // to be read
		if err != nil {
			t.Fatal(err)
		}
		b := newBehind(f)
		_, first := b.Write(make([]byte, size))
		var failed *os.PathError
		if err := b.Close(); !errors.As(err, &failed) {
			t.Errorf("%d bytes: Close says %v", size, err)
		}
		if _, again := b.Write([]byte{1}); first != nil && !errors.As(first, &failed) || !errors.As(again, &failed) {
			t.Errorf("%d bytes: Write says %v, and then %v", size, first, again)
		}
	}
}
