package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lathe/graphgen/arch"
	"lathe/profiler/record"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var when = time.Date(2026, 3, 1, 12, 0, 0, 7, time.UTC)

func candidate(name string) arch.Candidate {
	c, err := arch.ParseCandidate(name)
	if err != nil {
		panic(err)
	}
	return c
}

// steps returns a record of n step pairs; i tells records apart.
func steps(i, n int) record.Record {
	r := record.Record{
		Time: when.Add(time.Duration(i) * time.Second), Seed: uint64(i),
		Candidate: record.Of(candidate(fmt.Sprintf("gpt2-l%d-d64-f256-h4", 1+i%5))), Baseline: record.Of(candidate("gpt2-l6-d64-f256-h4")),
		GraphHash: fmt.Sprint("g", i%5), BuildHash: "b", WeightsHash: "w",
		Host: record.Host{CPUModel: "cpu", OS: "linux", Cores: 2}, Binding: record.Shared,
	}
	for j := range n {
		p := record.StepPair{Len: 64, NS: int64(1000 + i + j), PartnerNS: 2000}
		r.PL, r.TL = append(r.PL, p), append(r.TL, p)
	}
	return r
}

func withRequests(r record.Record) record.Record {
	r.Workload = record.Workload{Name: "w", Requests: []record.WorkloadRequest{{PromptTokens: 5, GeneratedTokens: 1, Chars: 4}}}
	q := record.Request{PromptTokens: 5, GeneratedTokens: 1, Chars: 4, PL: 77}
	r.Requests = []record.RequestPair{{Own: q, Partner: q}}
	return r
}

func mustOpen(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func add(t testing.TB, s *Store, r record.Record) string {
	t.Helper()
	id, err := s.AddRecord(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// fill stores some of everything.
func fill(t testing.TB, s *Store) {
	t.Helper()
	ctx := t.Context()
	for i := range 7 {
		add(t, s, steps(i, 3))
	}
	add(t, s, withRequests(steps(7, 3)))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, target := range []string{"here", "here", "there"} {
		_, err := s.SaveModel(ctx, Model{Target: target, Created: when, Body: json.RawMessage(fmt.Sprintf(`{"coef": [%d]}`, i))})
		must(err)
	}
	for i := range 2 {
		id, err := s.CreateSearch(ctx, Search{ID: fmt.Sprint("s", i), Created: when, Config: json.RawMessage(`{"method": "lts"}`)})
		must(err)
		for j := range 3 {
			_, err = s.AppendEntry(ctx, id, "evaluated", json.RawMessage(fmt.Sprintf(`{"x":%d}`, j)))
			must(err)
		}
		_, err = s.SaveFront(ctx, Front{SearchID: id, Created: when, Body: json.RawMessage(`[1, 2]`)})
		must(err)
	}
	must(s.FinishSearch(ctx, "s0", "budget spent", when.Add(time.Minute)))
	for i := range 2 {
		must(s.SaveTraining(ctx, Training{fmt.Sprint("spec", i), "recipe", when, json.RawMessage(fmt.Sprintf(`{"loss": %d}`, i))}))
		_, err := s.AddNight(ctx, Night{Created: when, Machine: fmt.Sprint("m", i), Body: json.RawMessage(`{"verdict": "same"}`)})
		must(err)
	}
}

func TestRecords(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, filepath.Join(t.TempDir(), "a b?c#d%41.db"), Options{}) // a path that is no URI
	if _, err := os.Stat(s.Path()); err != nil {
		t.Fatal(err)
	}
	var want []record.Record
	for i := range 2*recordsPage + 3 {
		r := steps(i, 2)
		if i%10 == 9 {
			r = withRequests(r)
		}
		r.ID = add(t, s, r)
		want = append(want, r)
	}
	got, err := s.Records(ctx, Query{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatal("not what was stored, in that order:", diff)
	}
	key := Query{Candidate: want[3].Candidate.Hash(), Baseline: want[3].Baseline.Hash(), Host: want[3].Host.Hash(), Kind: record.Steps}
	newest, ok, err := s.FindMeasured(ctx, key)
	if err != nil || !ok || newest.ID != want[128].ID {
		t.Errorf("newest of candidate 3: %s, %t, %v; want %s", newest.ID, ok, err, want[128].ID)
	}
	for _, c := range []struct {
		name string
		q    Query
		want int
	}{
		{"all", Query{}, 131},
		{"one candidate", key, 26},
		{"with requests", Query{Kind: record.Requests}, 13},
		{"with both", Query{Kind: record.Steps | record.Requests}, 13},
		{"of a workload", Query{Workload: want[9].Workload.Hash()}, 13},
		{"of a graph", Query{Graph: "g3", Build: "b", Weights: "w"}, 26},
		{"another host", Query{Host: record.Host{}.Hash()}, 0},
		{"as baseline", Query{Candidate: want[0].Baseline.Hash()}, 0},
	} {
		n, err := s.Count(ctx, c.q)
		if err != nil || n != c.want {
			t.Errorf("%s: %d records, %v; want %d", c.name, n, err, c.want)
		}
		found, err := s.Records(ctx, c.q)
		if err != nil || len(found) != n {
			t.Errorf("%s: Count says %d, Records gives %d, %v", c.name, n, len(found), err)
		}
		if _, ok, err := s.FindMeasured(ctx, c.q); err != nil || ok != (n > 0) {
			t.Errorf("%s: found %t, %v", c.name, ok, err)
		}
	}
	if r, err := s.Record(ctx, want[5].ID); err != nil || r.Seed != 5 {
		t.Errorf("by ID: %v, %v", r.Seed, err)
	}
	if _, err := s.Record(ctx, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown ID: %v", err)
	}
	for _, c := range []record.Subject{want[2].Candidate, want[2].Baseline} {
		if back, err := s.Subject(ctx, c.Hash()); err != nil || back.Name() != c.Name() {
			t.Errorf("candidate %s: %s, %v", c.Name(), back.Name(), err)
		}
	}
	if _, err := s.Subject(ctx, "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown candidate: %v", err)
	}
	// The loop may use the store, and may be left.
	for r, err := range s.RecordSeq(ctx, Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Record(ctx, r.ID); err != nil {
			t.Fatal(err)
		}
		break
	}
}

func TestAddRecordTwice(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"), Options{})
	r := steps(1, 2)
	r.ID = "mine"
	add(t, s, r)
	add(t, s, r)
	if n, _ := s.Count(ctx, Query{}); n != 1 {
		t.Errorf("%d records of one", n)
	}
	r.PL[0].NS++
	if _, err := s.AddRecord(ctx, r); !errors.Is(err, ErrConflict) {
		t.Errorf("other samples under the same ID: %v", err)
	}
	r.ID, r.Binding = "", "x"
	if _, err := s.AddRecord(ctx, r); err == nil || !strings.Contains(err.Error(), "binding") {
		t.Errorf("an invalid record: %v", err)
	}
	if n, _ := s.Count(ctx, Query{}); n != 1 {
		t.Errorf("%d records after refusals", n)
	}
}

func TestModelsFrontsJournals(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "l.db")
	s := mustOpen(t, path, Options{})
	if _, err := s.LatestSearch(ctx); !errors.Is(err, ErrNotFound) {
		t.Errorf("no search yet: %v", err)
	}
	fill(t, s)
	s.Close()
	s = mustOpen(t, path, Options{ReadOnly: true})

	m, err := s.LatestModel(ctx, "here")
	if diff := cmp.Diff(Model{"here", 2, when, json.RawMessage(`{"coef":[1]}`)}, m); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := s.LatestModel(ctx, "nowhere"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if all, err := s.Models(ctx); err != nil || len(all) != 3 {
		t.Errorf("%d models, %v", len(all), err)
	}
	sr, err := s.Search(ctx, "s0")
	if diff := cmp.Diff(Search{"s0", when, json.RawMessage(`{"method":"lts"}`), "budget spent", when.Add(time.Minute)}, sr); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if sr, err = s.LatestSearch(ctx); err != nil || sr.ID != "s1" || sr.Status != Running || !sr.Finished.IsZero() {
		t.Errorf("%+v, %v", sr, err)
	}
	if _, err := s.Search(ctx, "s9"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	entries, err := s.Entries(ctx, "s1")
	want := []Entry{{1, "evaluated", json.RawMessage(`{"x":0}`)}, {2, "evaluated", json.RawMessage(`{"x":1}`)}, {3, "evaluated", json.RawMessage(`{"x":2}`)}}
	if diff := cmp.Diff(want, entries); diff != "" || err != nil {
		t.Error(err, diff)
	}
	fronts, err := s.Fronts(ctx, "s1")
	if diff := cmp.Diff([]Front{{2, "s1", when, json.RawMessage(`[1,2]`)}}, fronts); diff != "" || err != nil {
		t.Error(err, diff)
	}

	tr, err := s.Training(ctx, "spec1", "recipe")
	if diff := cmp.Diff(Training{"spec1", "recipe", when, json.RawMessage(`{"loss":1}`)}, tr); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := s.Training(ctx, "spec1", "another"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}

	for name, write := range map[string]func() error{
		"AddRecord":    func() error { _, err := s.AddRecord(ctx, steps(1, 1)); return err },
		"SaveModel":    func() error { _, err := s.SaveModel(ctx, m); return err },
		"FinishSearch": func() error { return s.FinishSearch(ctx, "s1", "x", when) },
		"SaveTraining": func() error { return s.SaveTraining(ctx, tr) },
		"LockSearch":   func() error { _, err := s.LockSearch(); return err },
		"Import":       func() error { _, err := s.Import(ctx, strings.NewReader("")); return err },
	} {
		if err := write(); !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s on a store opened to be read: %v", name, err)
		}
	}
	s = mustOpen(t, path, Options{})
	for name, err := range map[string]error{
		"entry of no search": second(s.AppendEntry(ctx, "s9", "x", json.RawMessage(`1`))),
		"finish no search":   s.FinishSearch(ctx, "s9", "x", when),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := second(s.CreateSearch(ctx, Search{ID: "s0", Config: json.RawMessage(`1`)})); !errors.Is(err, ErrConflict) {
		t.Errorf("a search twice: %v", err)
	}
	for _, err := range []error{
		second(s.AppendEntry(ctx, "s0", "x", json.RawMessage(`{`))),
		second(s.SaveFront(ctx, Front{Body: nil})),
		second(s.SaveModel(ctx, Model{Target: "t", Body: json.RawMessage("nope")})),
		second(s.SaveModel(ctx, Model{Body: json.RawMessage("1")})),
		s.SaveTraining(ctx, Training{Recipe: "recipe", Body: json.RawMessage("1")}),
		s.SaveTraining(ctx, Training{Spec: "spec", Recipe: "recipe", Body: json.RawMessage("nope")}),
	} {
		if err == nil {
			t.Error("bad contents were stored")
		}
	}
	tr.Body = json.RawMessage(`{"loss":9}`)
	if err := s.SaveTraining(ctx, tr); err != nil {
		t.Error(err)
	}
	if kept, err := s.Training(ctx, "spec1", "recipe"); err != nil || string(kept.Body) != `{"loss":1}` {
		t.Errorf("a training twice: %s, %v", kept.Body, err)
	}
	if id, err := s.CreateSearch(ctx, Search{Created: when, Config: json.RawMessage(`{}`)}); err != nil || len(id) != 12 {
		t.Errorf("ID %q, %v", id, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestUpdateIsAllOrNothing(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, filepath.Join(t.TempDir(), "l.db"), Options{})
	fill(t, s)
	before, _ := s.Count(ctx, Query{})
	stop := errors.New("stop")
	cancelled, cancel := context.WithCancel(ctx)
	for name, c := range map[string]struct {
		ctx  context.Context
		last func() error
		want error
	}{
		"error":  {ctx, func() error { return stop }, stop},
		"cancel": {cancelled, func() error { cancel(); return nil }, context.Canceled},
	} {
		err := s.Update(c.ctx, func(tx *Tx) error {
			if _, err := tx.AddRecord(steps(100, 1)); err != nil {
				return err
			}
			if _, err := tx.AppendEntry("s1", "measured", json.RawMessage(`{}`)); err != nil {
				return err
			}
			return c.last()
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		after, _ := s.Count(ctx, Query{})
		entries, _ := s.Entries(ctx, "s1")
		if after != before || len(entries) != 3 {
			t.Errorf("%s left %d records of %d and %d entries", name, after, before, len(entries))
		}
	}
	if _, err := s.AddRecord(cancelled, steps(100, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("with a ctx that has ended: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	database := func(name, statements string) string {
		path := filepath.Join(dir, name)
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(statements); err != nil {
			t.Fatal(err)
		}
		return path
	}
	newer := filepath.Join(dir, "newer.db")
	s := mustOpen(t, newer, Options{})
	fill(t, s)
	s.Close()
	database("newer.db", `PRAGMA user_version = 99`)

	for _, c := range []struct {
		name, path string
		want       error
		text       string
	}{
		{"newer", newer, ErrNewer, newer + ": written by a newer version of lathe: it has schema version 99, this version of lathe knows up to 3"},
		{"empty", file("empty.db", ""), ErrCorrupt, "0 bytes"},
		{"text", file("text.db", strings.Repeat("the quick brown fox ", 300)), ErrNotStore, "no SQLite file"},
		{"other database", database("other.db", `CREATE TABLE a (b)`), ErrNotStore, "something else"},
		{"folder", dir, ErrNotStore, "no regular file"},
		{"version 0", database("zero.db", fmt.Sprintf(`CREATE TABLE a (b); PRAGMA application_id = %d`, applicationID)), ErrCorrupt, "schema version 0"},
		{"no folder", filepath.Join(dir, "none", "l.db"), fs.ErrNotExist, "make it first"},
	} {
		before, _ := os.ReadFile(c.path)
		for _, o := range []Options{{}, {ReadOnly: true}} {
			_, err := Open(ctx, c.path, o)
			if !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), "store: ") || !o.ReadOnly && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s (%+v): %v", c.name, o, err)
			}
		}
		if after, _ := os.ReadFile(c.path); string(before) != string(after) {
			t.Errorf("%s: the refused file has changed", c.name)
		}
	}
	if _, err := Open(ctx, filepath.Join(dir, "absent.db"), Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A store of the first version keeps what it has, and gets what it lacks.
func TestMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.db")
	s := mustOpen(t, path, Options{})
	add(t, s, steps(1, 1))
	s.Close()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`DROP TABLE trainings; DROP TABLE nights; PRAGMA user_version = 1`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := Open(t.Context(), path, Options{ReadOnly: true}); !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), "it has the older schema version 1, and is read with version 3: any command that writes it brings it up to date") {
		t.Error(err)
	}
	s = mustOpen(t, path, Options{})
	if err := s.SaveTraining(t.Context(), Training{"spec", "recipe", when, json.RawMessage(`1`)}); err != nil {
		t.Error(err)
	}
	if n, err := s.Count(t.Context(), Query{}); n != 1 || err != nil {
		t.Errorf("%d records, %v", n, err)
	}
}

// A store cut at any length is refused, and left as it is for its owner.
func TestTruncated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whole.db")
	s := mustOpen(t, path, Options{})
	fill(t, s)
	s.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := len(whole)
	for _, size := range []int{0, 1, 16, 99, 100, 511, 512, 1000, 4095, 4096, 8192, 10000, n / 2, n - 4096, n - 512, n - 1} {
		cut := filepath.Join(t.TempDir(), "cut.db")
		if err := os.WriteFile(cut, whole[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		for _, o := range []Options{{}, {ReadOnly: true}} {
			if s, err := Open(t.Context(), cut, o); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%d of %d bytes, %+v: %v", size, n, o, err)
				if err == nil {
					s.Close()
				}
			}
		}
		if after, _ := os.ReadFile(cut); string(after) != string(whole[:size]) {
			t.Errorf("%d bytes: the refused file has changed", size)
		}
	}
	// Damage in the middle that keeps the length.
	spoilt := append([]byte{}, whole...)
	for i := 4096 * 2; i < 4096*4 && i < n; i++ {
		spoilt[i] ^= 0x5a
	}
	if err := os.WriteFile(path, spoilt, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("two pages spoilt: %v", err)
	}
}

func TestDiskFull(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "l.db")
	s := mustOpen(t, path, Options{maxPages: 60})
	stored := 0
	var err error
	for err == nil && stored < 1000 {
		if _, err = s.AddRecord(ctx, steps(stored, 40)); err == nil {
			stored++
		}
	}
	if !errors.Is(err, ErrFull) || stored == 0 {
		t.Fatalf("after %d records: %v", stored, err)
	}
	if n, err := s.Count(ctx, Query{}); err != nil || n != stored {
		t.Errorf("%d records of %d, %v", n, stored, err)
	}
	// An import that does not fit leaves nothing of itself.
	var lines strings.Builder
	for i := range 50 {
		if err := record.NewEncoder(&lines).Encode(steps(1000+i, 40)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Import(ctx, strings.NewReader(lines.String())); !errors.Is(err, ErrFull) {
		t.Errorf("import: %v", err)
	}
	s.Close()
	s = mustOpen(t, path, Options{})
	if n, err := s.Count(ctx, Query{}); err != nil || n != stored {
		t.Errorf("opened again: %d records of %d, %v", n, stored, err)
	}
	add(t, s, steps(stored, 40)) // with space, it goes on
}
