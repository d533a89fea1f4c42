package store

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"lathe/profiler/record"
)

func export(t testing.TB, s *Store) string {
	t.Helper()
	var b bytes.Buffer
	n, err := s.Export(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Count(b.String(), "\n") - 2; n.Records+n.Models+n.Searches+n.Entries+n.Fronts+n.Trainings+n.Nights != want {
		t.Fatalf("counted %+v in %d lines", n, want)
	}
	return b.String()
}

func TestExportImport(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	a, b := mustOpen(t, filepath.Join(dir, "a.db"), Options{}), mustOpen(t, filepath.Join(dir, "b.db"), Options{})
	fill(t, a)
	text := export(t, a)
	n, err := b.Import(ctx, strings.NewReader(text))
	if want := (Counts{Records: 8, Models: 3, Searches: 2, Entries: 6, Fronts: 2, Trainings: 2, Nights: 2}); err != nil || n != want {
		t.Fatalf("imported %+v, %v; want %+v", n, err, want)
	}
	if export(t, b) != text {
		t.Error("what was imported is exported otherwise")
	}
	if n, err = b.Import(ctx, strings.NewReader(text)); err != nil || n != (Counts{}) {
		t.Errorf("once more: %+v, %v", n, err)
	}
	if export(t, b) != text {
		t.Error("a second import changed something")
	}
	// What happened on the other machine since comes over; what ran has ended.
	add(t, a, steps(50, 1))
	if err := a.FinishSearch(ctx, "s1", "done", when); err != nil {
		t.Fatal(err)
	}
	text = export(t, a)
	if n, err = b.Import(ctx, strings.NewReader(text)); err != nil || n != (Counts{Records: 1}) || export(t, b) != text {
		t.Errorf("the rest: %+v, %v", n, err)
	}

	// Records alone, in record's own form.
	var bare bytes.Buffer
	if n, err := a.ExportRecords(ctx, &bare, Query{Kind: record.Requests}); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	c := mustOpen(t, filepath.Join(dir, "c.db"), Options{})
	if n, err = c.Import(ctx, &bare); err != nil || n != (Counts{Records: 1}) {
		t.Errorf("bare records: %+v, %v", n, err)
	}
	if n, err = c.Import(ctx, strings.NewReader("\n")); err != nil || n != (Counts{}) {
		t.Errorf("an empty file: %+v, %v", n, err)
	}
}

func TestImportIsAllOrNothing(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	a := mustOpen(t, filepath.Join(dir, "a.db"), Options{})
	fill(t, a)
	text := export(t, a)
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	drop := func(i int) string { return strings.Join(lines[:i], "") + strings.Join(lines[i+1:], "") }
	last := len(lines) - 1
	record7 := lines[8]
	spoil := func(old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("%s is not in the export", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	b := mustOpen(t, filepath.Join(dir, "b.db"), Options{})
	empty := export(t, b)
	for _, c := range []struct {
		name, text, want string
		is               error
	}{
		{"cut in a line", text[:len(text)-9], "line 27: ", record.ErrTruncated},
		{"cut between lines", strings.Join(lines[:last], ""), "no end line", record.ErrTruncated},
		{"a line lost", drop(5), "end line says", nil},
		{"an entry lost", drop(14), "want number 2 next", nil},
		{"a search lost", drop(12), "line 13: store: ", ErrNotFound},
		{"behind the end", text + lines[1], "behind the end line", nil},
		{"newer", spoil(`{"version":3}`, `{"version":9}`), "line 1: ", ErrNewer},
		{"unknown key", spoil(`{"model":`, `{"modell":`), `line 10: json: unknown field "modell"`, nil},
		{"header within", text + lines[0], "behind the end line", nil},
		{"bad record", spoil(`"binding":"shared"`, `"binding":"x"`), `line 2: record: binding is "x"`, nil},
		{"bare bad record", strings.TrimSuffix(strings.TrimPrefix(record7, `{"record":`), "}\n") + "\n{}\n", "line 2: record: time is missing", nil},
		{"not JSON", "hello\n", "line 1: record: column 1", nil},
		{"two keys", spoil(`{"model":`, `{"end":{},"model":`), "exactly one of the keys", nil},
	} {
		n, err := b.Import(ctx, strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.name, err)
		}
		if n != (Counts{}) || export(t, b) != empty {
			t.Errorf("%s: something of it stayed", c.name)
		}
	}
	// Known under the same name with other contents.
	for _, old := range []string{`"coef":[1]`, `"method":"lts"`, `"x":2`} {
		new := strings.NewReplacer("1", "7", "lts", "mcts", ":2", ":5").Replace(old)
		if _, err := a.Import(ctx, strings.NewReader(spoil(old, new))); !errors.Is(err, ErrConflict) {
			t.Errorf("%s for %s: %v", new, old, err)
		}
	}
	if export(t, a) != text {
		t.Error("a refused import changed something")
	}
}

// FuzzImport: no input panics, and what is refused leaves nothing.
func FuzzImport(f *testing.F) {
	s := mustOpen(f, filepath.Join(f.TempDir(), "l.db"), Options{})
	fill(f, s)
	text := export(f, s)
	f.Add([]byte(text))
	f.Add([]byte(`{"lathe_store":{"version":1}}` + "\n" + `{"end":{}}`))
	f.Add([]byte(fmt.Sprintf("%s\n%s\n%s\n", `{"lathe_store":{"version":1}}`,
		`{"model":{"target":"a","version":1,"created":"2026-01-01T00:00:00Z","body":{}}}`, `{"front":{"search_id":"","created":"0001-01-01T00:00:00Z","body":1}}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		before, _ := s.Count(t.Context(), Query{})
		n, err := s.Import(t.Context(), bytes.NewReader(b))
		after, err2 := s.Count(t.Context(), Query{})
		if err2 != nil {
			t.Fatal(err2)
		}
		if after != before+n.Records || err != nil && n != (Counts{}) {
			t.Fatalf("%d records, then %d; counted %+v, %v", before, after, n, err)
		}
	})
}
