package store

import (
	"path/filepath"
	"testing"
)

// BenchmarkAddRecord stores records of 2 x 200 pairs, each in a transaction that
// is on the disk when the call returns.
func BenchmarkAddRecord(b *testing.B) {
	s := mustOpen(b, filepath.Join(b.TempDir(), "l.db"), Options{})
	for i := 0; b.Loop(); i++ {
		add(b, s, steps(i, 200))
	}
}

// BenchmarkRecords reads 200 such records back.
func BenchmarkRecords(b *testing.B) {
	s := mustOpen(b, filepath.Join(b.TempDir(), "l.db"), Options{})
	for i := range 200 {
		add(b, s, steps(i, 200))
	}
	for b.Loop() {
		if _, err := s.Records(b.Context(), Query{}); err != nil {
			b.Fatal(err)
		}
	}
}
