package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"lathe/profiler/record"
)

// Import reads what Export or ExportRecords wrote, in one transaction: it takes
// all or, after any error, nothing. What the store already holds is passed over;
// the counts are of what was new. A record, model, search or entry that is known
// with other contents is ErrConflict, a file that ends early record.ErrTruncated.
// Errors name the line.
//
// A search that is known as running takes the status of the same one finished.
func (s *Store) Import(ctx context.Context, r io.Reader) (n Counts, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		n, err = tx.importLines(r)
		return err
	})
	if err != nil {
		return Counts{}, err
	}
	return n, nil
}

func (t *Tx) importLines(r io.Reader) (n Counts, err error) {
	lines := record.NewLineReader(r)
	fail := func(err error) error { return fmt.Errorf("store: import: line %d: %w", lines.Line(), err) }
	var seen Counts
	whole, bare, ended := false, false, false
	for {
		line, err := lines.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return n, fmt.Errorf("store: import: %w", err)
		}
		if ended {
			return n, fail(errors.New("a line behind the end line"))
		}
		if !whole && !bare { // the first line says which form it is
			whole = bytes.Contains(line, []byte(`"lathe_store"`))
			bare = !whole
			if whole {
				if err := checkHeader(line); err != nil {
					return n, fail(err)
				}
				continue
			}
		}
		if bare {
			if err := t.importRecord(line, &n); err != nil {
				return n, fail(err)
			}
			continue
		}
		l, err := parseLine(line)
		if err != nil {
			return n, fail(err)
		}
		if l.End != nil {
			if *l.End != seen {
				return n, fail(fmt.Errorf("the file had %+v, and the end line says %+v", seen, *l.End))
			}
			ended = true
			continue
		}
		if err := t.importLine(l, &n, &seen); err != nil {
			return n, fail(err)
		}
	}
	if whole && !ended {
		return n, fail(fmt.Errorf("%w of a store: there is no end line", record.ErrTruncated))
	}
	return n, nil
}

// parseLine reads one line of an export, which must have exactly one known key.
func parseLine(line []byte) (l exportLine, err error) {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return l, fmt.Errorf("%w: want one of the keys record, model, search, entry, front, training, night, end", err)
	}
	if dec.More() {
		return l, errors.New("more than one object")
	}
	keys := 0
	for _, set := range []bool{l.Record != nil, l.Model != nil, l.Search != nil, l.Entry != nil, l.Front != nil, l.Trained != nil, l.Night != nil, l.End != nil} {
		if set {
			keys++
		}
	}
	if keys != 1 || l.Header != nil {
		return l, errors.New("want exactly one of the keys record, model, search, entry, front, training, night, end")
	}
	return l, nil
}

func checkHeader(line []byte) error {
	var l exportLine
	if err := json.Unmarshal(line, &l); err != nil {
		return err
	}
	switch {
	case l.Header == nil || l.Header.Version < 1:
		return fmt.Errorf(`the header is %.60s: want {"lathe_store":{"version":%d}}`, line, exportVersion)
	case l.Header.Version > exportVersion:
		return fmt.Errorf("%w: export version %d, this version of lathe knows up to %d", ErrNewer, l.Header.Version, exportVersion)
	}
	return nil
}

func (t *Tx) importLine(l exportLine, n, seen *Counts) error {
	switch {
	case l.Record != nil:
		seen.Records++
		return t.importRecord(l.Record, n)
	case l.Model != nil:
		seen.Models++
		return t.importModel(*l.Model, n)
	case l.Search != nil:
		seen.Searches++
		return t.importSearch(*l.Search, n)
	case l.Entry != nil:
		seen.Entries++
		return t.importEntry(*l.Entry, n)
	case l.Trained != nil:
		seen.Trainings++
		return t.importTraining(*l.Trained, n)
	case l.Night != nil:
		seen.Nights++
		_, added, err := t.AddNight(*l.Night)
		if added {
			n.Nights++
		}
		return err
	}
	seen.Fronts++
	return t.importFront(*l.Front, n)
}

func (t *Tx) importRecord(body []byte, n *Counts) error {
	r, err := record.Unmarshal(body)
	if err != nil {
		return err
	}
	_, added, err := t.addRecord(r)
	if added {
		n.Records++
	}
	return err
}

// same compares what is known with what comes in: nil to insert, errKnown to pass
// it over, ErrConflict.
func (t *Tx) same(what, query string, args []any, want string) error {
	var have string
	switch err := t.queryRow(query, args, &have); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case have != want:
		return fmt.Errorf("%s: %w", what, ErrConflict)
	}
	return errKnown
}

var errKnown = errors.New("known")

// insertNew inserts what same says is new and counts it.
func insertNew(verdict error, count *int, insert func() error) error {
	if verdict == errKnown {
		return nil
	}
	if verdict != nil {
		return verdict
	}
	if err := insert(); err != nil {
		return err
	}
	*count++
	return nil
}

func (t *Tx) importModel(m Model, n *Counts) error {
	if m.Version < 1 {
		return fmt.Errorf("model %s has version %d: want 1 or more", m.Target, m.Version)
	}
	body, err := t.s.compact("a model", m.Body)
	if err != nil {
		return err
	}
	verdict := t.same(fmt.Sprintf("version %d of model %s", m.Version, m.Target),
		`SELECT body FROM models WHERE target = ? AND version = ?`, []any{m.Target, m.Version}, body)
	return insertNew(verdict, &n.Models, func() error { return t.insertModel(m) })
}

func (t *Tx) importSearch(sr Search, n *Counts) error {
	if sr.ID == "" {
		return errors.New("a search without an id")
	}
	config, err := t.s.compact("a search", sr.Config)
	if err != nil {
		return err
	}
	verdict := t.same("search "+sr.ID, `SELECT created || ' ' || config FROM searches WHERE id = ?`,
		[]any{sr.ID}, formatTime(sr.Created)+" "+config)
	if verdict == errKnown && !sr.Finished.IsZero() {
		_, err := t.exec(`UPDATE searches SET status = ?, finished = ? WHERE id = ? AND finished = ''`,
			sr.Status, formatTime(sr.Finished), sr.ID)
		return err
	}
	return insertNew(verdict, &n.Searches, func() error { return t.insertSearch(sr) })
}

func (t *Tx) importEntry(e exportEntry, n *Counts) error {
	body, err := t.s.compact("an entry", e.Body)
	if err != nil {
		return err
	}
	verdict := t.same(fmt.Sprintf("entry %d of search %s", e.Seq, e.SearchID),
		`SELECT kind || ' ' || body FROM entries WHERE search_id = ? AND seq = ?`, []any{e.SearchID, e.Seq}, e.Kind+" "+body)
	return insertNew(verdict, &n.Entries, func() error {
		// Entries come in order behind their search, so a gap is a damaged file.
		seq, err := t.AppendEntry(e.SearchID, e.Kind, e.Body)
		if err == nil && seq != e.Seq {
			err = fmt.Errorf("entry %d of search %s: want number %d next", e.Seq, e.SearchID, seq)
		}
		return err
	})
}

func (t *Tx) importFront(f Front, n *Counts) error {
	body, err := t.s.compact("a front", f.Body)
	if err != nil {
		return err
	}
	verdict := t.same("a front", `SELECT body FROM fronts WHERE search_id = ? AND created = ? AND body = ?`,
		[]any{f.SearchID, formatTime(f.Created), body}, body)
	return insertNew(verdict, &n.Fronts, func() error {
		_, err := t.SaveFront(f)
		return err
	})
}

func (t *Tx) importTraining(tr Training, n *Counts) error {
	body, err := t.s.compact("a training", tr.Body)
	if err != nil {
		return err
	}
	// The same training on another machine took other seconds: the first counts.
	verdict := t.same("", `SELECT 'same' FROM trainings WHERE spec = ? AND recipe = ?`, []any{tr.Spec, tr.Recipe}, "same")
	tr.Body = json.RawMessage(body)
	return insertNew(verdict, &n.Trainings, func() error { return t.SaveTraining(tr) })
}
