package text

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func fill(t interface{ Fatal(...any) }, b *Batches, k int) (ids, labels []int64) {
	n := b.o.Batch * b.o.Sequence
	ids, labels = make([]int64, n), make([]int64, n)
	if err := b.Fill(k, ids, labels); err != nil {
		t.Fatal(err)
	}
	return ids, labels
}

func TestPermutation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(1, 3000).Draw(t, "n")
		p := newPermutation(n, rapid.Uint64().Draw(t, "seed"), rapid.Uint64().Draw(t, "epoch"))
		seen := make([]bool, n)
		for i := range n {
			if at := p.at(i); seen[at] {
				t.Fatalf("%d is there twice", at)
			} else {
				seen[at] = true
			}
		}
	})
	// Places are about evenly filled: over many keys each of 12 values comes to each
	// of 12 places as often, by Pearson's chi squared with 11·11 degrees of freedom,
	// whose mean is 121 and deviation 15.6.
	const n, keys = 12, 12000
	var count [n][n]float64
	for seed := range uint64(keys) {
		p := newPermutation(n, seed, 3)
		for i := range uint64(n) {
			count[i][p.at(i)]++
		}
	}
	chi := 0.0
	for _, row := range count {
		for _, c := range row {
			chi += (c - keys/n) * (c - keys/n) / (keys / n)
		}
	}
	if math.Abs(chi-121) > 5*15.6 {
		t.Errorf("chi squared %g, want about 121", chi)
	}
}

// Packed rows in the text's order, behind one another, are the text but for its tail;
// labels are the ids that follow, and each is predicted once. Shuffled rows are the same
// ones in each epoch, in other orders, and a corpus that is opened again gives the same.
func TestPackedRows(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		docs := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,12}`), 1, 15).Draw(rt, "documents")
		s := rapid.IntRange(1, 17).Draw(rt, "sequence")
		batch := rapid.IntRange(1, 5).Draw(rt, "batch")
		o := Options{Paths: []string{writeFile(t, dir, "a.txt", strings.Join(docs, "<|endoftext|>"))}, Tokenizer: byteEncoder{}, EndOfText: byteEnd, Split: &Fractions{}, Cache: dir}
		c, err := Open(context.Background(), o)
		if err != nil {
			rt.Fatal(err)
		}
		defer c.Close()
		var all []int64
		for _, d := range docs {
			for i := range len(d) {
				all = append(all, int64(d[i]))
			}
			all = append(all, byteEnd)
		}
		b, err := c.Split(Train).Batches(BatchOptions{Batch: batch, Sequence: s, Once: true, Pad: byteEnd})
		if len(all) < s+1 {
			if want := fmt.Sprintf("text: train has %d tokens, and one row of %d takes %d:", len(all), s, s+1); err == nil || !strings.HasPrefix(err.Error(), want) {
				rt.Fatalf("%v, want %s", err, want)
			}
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		var ids, labels []int64
		for k := range b.Len() {
			i, l := fill(rt, b, k)
			ids, labels = append(ids, i...), append(labels, l...)
		}
		n := int(b.Rows()) * s
		if len(all)-1-n >= s || !slices.Equal(ids[:n], all[:n]) || !slices.Equal(labels[:n], all[1:n+1]) {
			rt.Fatalf("%d tokens in rows of %d:\n%v\n%v\nof %v", len(all), s, ids, labels, all)
		}
		for i := n; i < len(ids); i++ {
			if ids[i] != byteEnd || labels[i] != Ignored {
				rt.Fatalf("behind the last row %v, %v", ids[n:], labels[n:])
			}
		}
		again, err := Open(context.Background(), o)
		if err != nil {
			rt.Fatal(err)
		}
		defer again.Close()
		so := BatchOptions{Batch: batch, Sequence: s, Seed: rapid.Uint64().Draw(rt, "seed"), Shuffle: true}
		b1, err1 := c.Split(Train).Batches(so)
		b2, err2 := again.Split(Train).Batches(so)
		if err1 != nil || err2 != nil {
			rt.Fatal(err1, err2)
		}
		rows := map[string]int{}
		total := 3 * int(b1.Rows()) // three epochs, if whole batches make them
		for k := range total {
			i1, l1 := fill(rt, b1, k)
			i2, l2 := fill(rt, b2, k)
			if !slices.Equal(i1, i2) || !slices.Equal(l1, l2) {
				rt.Fatalf("batch %d: opened again it has others", k)
			}
			for r := range batch {
				rows[fmt.Sprint(i1[r*s:(r+1)*s], l1[r*s:(r+1)*s])]++
			}
		}
		for k := range b.Rows() {
			rows[fmt.Sprint(all[int(k)*s:int(k+1)*s], all[int(k)*s+1:int(k+1)*s+1])] -= 3 * batch
		}
		for row, n := range rows {
			if n != 0 {
				rt.Fatalf("row %s is there %d times too often", row, n)
			}
		}
	})
}

func TestShuffleIsAnotherEachTime(t *testing.T) {
	c := open(t, Options{Paths: []string{writeFile(t, t.TempDir(), "a.txt", strings.Repeat("0123456789", 100))}, Tokenizer: byteEncoder{}, EndOfText: -1, Split: &Fractions{}})
	order := func(seed uint64, from int) (s string) {
		b, err := c.Split(Train).Batches(BatchOptions{Batch: 1, Sequence: 7, Shuffle: true, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		for k := range 20 {
			ids, _ := fill(t, b, from*int(b.Rows())+k)
			s += fmt.Sprint(ids[0])
		}
		return s
	}
	if a, b, c := order(1, 0), order(1, 1), order(2, 0); a == b || a == c || b == c {
		t.Errorf("orders %s, %s, %s", a, b, c)
	}
}

// The loss counts answers and what ends them, however rows are cut.
func TestInstructionRows(t *testing.T) {
	dir := t.TempDir()
	in := &Instruction{Template: "{instruction}?", WithInput: "{instruction}|{input}?"}
	rapid.Check(t, func(rt *rapid.T) {
		word := rapid.StringMatching(`[a-z]{1,6}`)
		n := rapid.IntRange(1, 20).Draw(rt, "records")
		s := rapid.IntRange(2, 12).Draw(rt, "sequence")
		padded := rapid.Bool().Draw(rt, "padded")
		var file strings.Builder
		var all, labels []int64 // of the text, packed
		var docs [][2][]int64
		for range n {
			q, a := word.Draw(rt, "request"), word.Draw(rt, "answer")
			fmt.Fprintf(&file, `{"instruction": %q, "output": %q}`+"\n", q, a)
			var ids, wants []int64
			for i, b := range []byte(q + "?" + a) {
				ids = append(ids, int64(b))
				if i <= len(q) {
					wants = append(wants, Ignored)
				} else {
					wants = append(wants, int64(b))
				}
			}
			ids, wants = append(ids, byteEnd), append(wants, byteEnd)
			all, labels = append(all, ids...), append(labels, wants...)
			docs = append(docs, [2][]int64{ids, wants})
		}
		c, err := Open(context.Background(), Options{Paths: []string{writeFile(t, dir, "a.jsonl", file.String())}, Instruction: in, Tokenizer: byteEncoder{}, EndOfText: byteEnd, Split: &Fractions{}})
		if err != nil {
			rt.Fatal(err)
		}
		defer c.Close()
		b, err := c.Split(Train).Batches(BatchOptions{Batch: 1, Sequence: s, Padded: padded, Pad: 7, Once: true})
		if !padded {
			if len(all) <= s {
				return
			}
			if err != nil {
				rt.Fatal(err)
			}
			for k := range b.Len() {
				i, l := fill(rt, b, k)
				if !slices.Equal(i, all[k*s:(k+1)*s]) || !slices.Equal(l, labels[k*s+1:(k+1)*s+1]) {
					rt.Fatalf("row %d\n%v\n%v\nwant\n%v\n%v", k, i, l, all[k*s:(k+1)*s], labels[k*s+1:(k+1)*s+1])
				}
			}
			return
		}
		cut, silent := 0, 0
		var rows [][2][]int64
		for _, d := range docs {
			ids, wants := d[0][:len(d[0])-1], d[1][1:]
			if len(ids) > s {
				cut++
				ids, wants = ids[:s], wants[:s]
			}
			if !slices.ContainsFunc(wants, func(l int64) bool { return l != Ignored }) {
				silent++
			}
			for len(ids) < s {
				ids, wants = append(slices.Clone(ids), 7), append(slices.Clone(wants), Ignored)
			}
			rows = append(rows, [2][]int64{ids, wants})
		}
		if silent == n {
			if err == nil || !strings.Contains(err.Error(), "prompts of train fill a row of") {
				rt.Fatalf("no answer has a place, but %v", err)
			}
			return
		}
		if err != nil || b.Cut() != int64(cut) || b.Rows() != int64(n) {
			rt.Fatalf("%v, %d of %d cut, want %d of %d", err, b.Cut(), b.Rows(), cut, n)
		}
		for k, row := range rows {
			if i, l := fill(rt, b, k); !slices.Equal(i, row[0]) || !slices.Equal(l, row[1]) {
				rt.Fatalf("row %d\n%v\n%v\nwant\n%v\n%v", k, i, l, row[0], row[1])
			}
		}
	})
}

func TestEmptyPart(t *testing.T) {
	c := open(t, Options{Paths: []string{writeFile(t, t.TempDir(), "a.txt", "one text alone")}, Tokenizer: byteEncoder{}, EndOfText: -1, Split: &Fractions{}})
	if _, err := c.Split(Dev).Batches(BatchOptions{Batch: 1, Sequence: 1}); err == nil || !strings.Contains(err.Error(), "no document fell to dev: give more text") {
		t.Error(err)
	}
	if _, err := c.Split(Train).Batches(BatchOptions{Batch: 0, Sequence: 1}); err == nil || !strings.Contains(err.Error(), "batches of 0 rows") {
		t.Error(err)
	}
}
