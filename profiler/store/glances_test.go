package store

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lathe/profiler/record"
)

// Glances are of the records that RecordSeq yields, in their order.
func TestGlances(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"), Options{})
	const n = 5*recordsPage + 3
	err := s.Update(t.Context(), func(tx *Tx) error {
		for i := range n {
			r := steps(i, 2+i%3)
			if i%7 == 0 {
				r = withRequests(r)
			}
			if _, err := tx.AddRecord(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []Query{{}, {Kind: record.Requests}, {Candidate: record.Of(candidate("gpt2-l3-d64-f256-h4")).Hash()}, {Host: "none"}} {
		want, err := s.Records(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for g, err := range s.Glances(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			r := want[at]
			at++
			got := []any{g.ID, g.Kind, g.CandidateHash, g.BaselineHash, g.WorkloadHash, g.HostHash, g.Time, g.PLPairs, g.RequestPairs}
			if diff := cmp.Diff([]any{r.ID, r.Kind(), r.Candidate.Hash(), r.Baseline.Hash(), r.Workload.Hash(), r.Host.Hash(), r.Time, len(r.PL), len(r.Requests)}, got); diff != "" {
				t.Fatal(diff)
			}
		}
		if at != len(want) {
			t.Errorf("%+v: %d glances, %d records", q, at, len(want))
		}
	}
	seen := 0
	for range s.Glances(t.Context(), Query{}) { // who stops early leaves nothing behind
		if seen++; seen == 2 {
			break
		}
	}
	subjects, err := s.Subjects(t.Context())
	if err != nil || len(subjects) != 6 {
		t.Fatalf("%d subjects, error %v", len(subjects), err)
	}
	for _, n := range subjects {
		if c, err := n.Subject(); err != nil || c.Hash() != n.Hash || c.Name() != n.Name {
			t.Errorf("%s: %v, %v", n.Name, c.Name(), err)
		}
	}
}

// A record that is damaged is said, behind those before it.
func TestGlancesOfDamage(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"), Options{})
	for i := range 3 {
		add(t, s, steps(i, 2))
	}
	if _, err := s.db.Exec(`UPDATE records SET body = substr(body, 1, 400) WHERE seq = 3`); err != nil {
		t.Fatal(err)
	}
	whole, err := 0, error(nil)
	for _, e := range s.Glances(t.Context(), Query{}) {
		if err = e; e == nil {
			whole++
		}
	}
	if whole != 2 || !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "record ") {
		t.Errorf("%d records, then %v", whole, err)
	}
}

// BenchmarkGlances looks at 200 records of 2 x 200 pairs.
func BenchmarkGlances(b *testing.B) {
	s := mustOpen(b, filepath.Join(b.TempDir(), "l.db"), Options{})
	for i := range 200 {
		add(b, s, steps(i, 200))
	}
	for b.Loop() {
		for _, err := range s.Glances(b.Context(), Query{}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
