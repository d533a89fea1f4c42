package store

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Nights are ordered by their places, whatever the clock said; those of one machine are
// found apart, and a night that comes twice is one.
func TestNights(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	s := mustOpen(t, filepath.Join(dir, "n.db"), Options{})
	for i, machine := range []string{"a", "b", "a", "a"} {
		night := Night{Created: when.Add(-time.Duration(i) * time.Hour), Machine: machine, Body: json.RawMessage(`{"n": 1}`)}
		seq, err := s.AddNight(ctx, night)
		if again, err2 := s.AddNight(ctx, night); err != nil || err2 != nil || seq != int64(i+1) || again != seq {
			t.Fatalf("night %d is at %d and %d, %v, %v", i, seq, again, err, err2)
		}
	}
	if _, err := s.AddNight(ctx, Night{Created: when, Body: json.RawMessage(`{}`)}); err == nil {
		t.Error("a night of no machine")
	}
	places := func(all []Night, err error) (out []int64) {
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range all {
			out = append(out, n.Seq)
		}
		return out
	}
	if got := places(s.Nights(ctx, "a")); !slices.Equal(got, []int64{1, 3, 4}) {
		t.Errorf("nights of a: %v", got)
	}
	all, err := s.Nights(ctx, "")
	if err != nil || len(all) != 4 || !all[3].Created.Equal(when.Add(-3*time.Hour)) || string(all[0].Body) != `{"n":1}` {
		t.Fatalf("all nights: %+v, %v", all, err)
	}

	// By themselves they go to another store, once.
	var lines bytes.Buffer
	if err := ExportNights(&lines, all); err != nil {
		t.Fatal(err)
	}
	other := mustOpen(t, filepath.Join(dir, "o.db"), Options{})
	for _, want := range []int{4, 0} {
		if n, err := other.Import(ctx, bytes.NewReader(lines.Bytes())); err != nil || n != (Counts{Nights: want}) {
			t.Errorf("imported %+v, %v; want %d nights", n, err, want)
		}
	}

	id := add(t, s, steps(1, 1))
	if err := s.Update(ctx, func(tx *Tx) error {
		if err := tx.DeleteNights([]int64{1, 2, 99}); err != nil {
			return err
		}
		return tx.DeleteRecords([]string{id, "unknown"})
	}); err != nil {
		t.Fatal(err)
	}
	if got := places(s.Nights(ctx, "")); !slices.Equal(got, []int64{3, 4}) {
		t.Errorf("left are %v", got)
	}
	if n, err := s.Count(ctx, Query{}); n != 0 || err != nil {
		t.Errorf("%d records are left, %v", n, err)
	}
	// A place is not given twice.
	if seq, err := s.AddNight(ctx, Night{Created: when, Machine: "a", Body: json.RawMessage(`{"n":9}`)}); seq != 5 || err != nil {
		t.Errorf("the next is at %d, %v", seq, err)
	}
}
