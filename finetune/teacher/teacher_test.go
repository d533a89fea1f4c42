package teacher

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// counting is a teacher whose answers follow from the row, and that counts rows.
type counting struct {
	sequence, top int
	asked         int
	err           error
}

func (c *counting) Expect(ids, tokens []int64, probabilities []float32) error {
	c.asked += len(ids) / c.sequence
	for i, id := range ids {
		for k := range c.top {
			tokens[i*c.top+k] = id*7 + int64(k)
			probabilities[i*c.top+k] = 1 / float32(id+int64(k)+1)
		}
	}
	return c.err
}

func open(t testing.TB, dir string, key Key, of Teacher) *Cache {
	t.Helper()
	c, err := Open(dir, key, of)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// batch is rows by number.
func batch(key Key, rows ...int) (ids []int64) {
	for _, r := range rows {
		rng := rand.New(rand.NewPCG(uint64(r), 1))
		for range key.Sequence {
			ids = append(ids, rng.Int64N(1000))
		}
	}
	return ids
}

// Whatever batches come in whatever order, with the cache closed and opened between, the
// answers are the teacher's; it is asked once about each row, but for those that stand
// beside one that is missing.
func TestSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		key := Key{Weights: "w", Temperature: 2, Top: rapid.IntRange(1, 5).Draw(rt, "top"), Sequence: rapid.IntRange(1, 6).Draw(rt, "sequence")}
		of := &counting{sequence: key.Sequence, top: key.Top}
		c := open(t, dir, key, of)
		seen := map[int]bool{}
		for range rapid.IntRange(1, 12).Draw(rt, "batches") {
			rows := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 4).Draw(rt, "rows")
			ids := batch(key, rows...)
			missing := false
			for _, r := range rows {
				missing = missing || !seen[r]
				seen[r] = true
			}
			tokens, probabilities := make([]int64, key.Top*len(ids)), make([]float32, key.Top*len(ids))
			before := of.asked
			if err := c.Expect(ids, tokens, probabilities); err != nil {
				t.Fatal(err)
			}
			if (of.asked > before) != missing {
				rt.Fatalf("rows %v: the teacher was asked: %t, want %t", rows, of.asked > before, missing)
			}
			wantTokens, want := make([]int64, len(tokens)), make([]float32, len(probabilities))
			other := counting{sequence: key.Sequence, top: key.Top}
			other.Expect(ids, wantTokens, want) //nolint:errcheck // it has none
			if !slices.Equal(tokens, wantTokens) || !slices.Equal(probabilities, want) {
				rt.Fatalf("rows %v: not what the teacher says", rows)
			}
			if c.Rows() != len(seen) {
				rt.Fatalf("%d rows are kept of %d", c.Rows(), len(seen))
			}
			if rapid.Bool().Draw(rt, "again") {
				c.Close()
				c = open(t, dir, key, of)
			}
		}
	})
}

// A file that was cut off anywhere, or in which a byte is another, gives what the teacher
// says, or is refused.
func TestDamage(t *testing.T) {
	key := Key{Weights: "w", Temperature: 1, Top: 2, Sequence: 3}
	of := &counting{sequence: 3, top: 2}
	dir := t.TempDir()
	c := open(t, dir, key, of)
	ids := batch(key, 1, 2, 3)
	tokens, probabilities := make([]int64, 18), make([]float32, 18)
	if err := c.Expect(ids, tokens, probabilities); err != nil {
		t.Fatal(err)
	}
	c.Close()
	path := filepath.Join(dir, key.name())
	good, err := os.ReadFile(path)
	if err != nil || int64(len(good)) != key.Bytes(3) {
		t.Fatalf("%d bytes, want %d: %v", len(good), key.Bytes(3), err)
	}
	try := func(what string, at int, b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := Open(dir, key, of)
		if err != nil {
			if at >= headerBytes {
				t.Errorf("%s at %d: %v", what, at, err)
			}
			return
		}
		defer c.Close()
		for range 2 {
			got, ps := make([]int64, 18), make([]float32, 18)
			if err := c.Expect(ids, got, ps); err != nil || !slices.Equal(got, tokens) || !slices.Equal(ps, probabilities) {
				t.Fatalf("%s at %d: %v, or not what the teacher says", what, at, err)
			}
		}
		if c.Rows() != 3 {
			t.Errorf("%s at %d: %d rows are kept", what, at, c.Rows())
		}
	}
	for at := range good {
		try("cut off", at, good[:at])
		b := slices.Clone(good)
		b[at] ^= 0x10
		try("another byte", at, b)
	}
}

func TestRefuses(t *testing.T) {
	key := Key{Weights: "w", Temperature: 1, Top: 2, Sequence: 3}
	dir := t.TempDir()
	of := &counting{sequence: 3, top: 2}
	c := open(t, dir, key, of)
	if _, err := Open(dir, key, of); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	if err := c.Expect(make([]int64, 4), make([]int64, 8), make([]float32, 8)); err == nil {
		t.Error("a row and a third")
	}
	of.err = errors.New("no")
	if err := c.Expect(make([]int64, 3), make([]int64, 6), make([]float32, 6)); !errors.Is(err, of.err) || c.Rows() != 0 {
		t.Errorf("a teacher that fails: %v, %d rows", err, c.Rows())
	}
	of.err = nil
	c.file.Close() // as a disk that fails
	if err := c.Expect(make([]int64, 3), make([]int64, 6), make([]float32, 6)); err != nil || c.Failed() == nil || c.Rows() != 0 {
		t.Errorf("a file that fails: %v, %v", err, c.Failed())
	}
	if _, err := Open(dir, Key{Top: 1}, of); err == nil {
		t.Error("rows of no token")
	}
	other := key
	other.Temperature = 2
	if other.name() == key.name() {
		t.Error("another temperature has the same file")
	}
}

// FuzzOpen: any bytes are refused, or give what the teacher says.
func FuzzOpen(f *testing.F) {
	key := Key{Weights: "w", Temperature: 1, Top: 1, Sequence: 2}
	f.Add(key.header())
	f.Add(append(key.header(), make([]byte, key.recordBytes())...))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, key.name()), b, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := Open(dir, key, &counting{sequence: 2, top: 1})
		if err != nil {
			return
		}
		defer c.Close()
		tokens, probabilities := make([]int64, 2), make([]float32, 2)
		if err := c.Expect([]int64{4, 5}, tokens, probabilities); err != nil || tokens[0] != 28 {
			t.Fatalf("%v, %v", tokens, err)
		}
	})
}
