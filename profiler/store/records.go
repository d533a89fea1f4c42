package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"lathe/profiler/record"
)

// AddRecord stores a record and returns its ID. A record without an ID gets its
// ContentID. The same record once more is no error and changes nothing; another
// one under a known ID is ErrConflict.
func (t *Tx) AddRecord(r record.Record) (id string, err error) {
	id, _, err = t.addRecord(r)
	return id, err
}

// addRecord also says whether the record is new.
func (t *Tx) addRecord(r record.Record) (id string, added bool, err error) {
	if r.ID == "" {
		if r.ID, err = r.ContentID(); err != nil {
			return "", false, fmt.Errorf("store: %s: %w", t.s.path, err)
		}
	}
	body, err := record.Marshal(r)
	if err != nil {
		return "", false, err
	}
	var known string
	switch err := t.queryRow(`SELECT body FROM records WHERE id = ?`, []any{r.ID}, &known); {
	case err == nil && known == string(body):
		return r.ID, false, nil
	case err == nil:
		return "", false, fmt.Errorf("store: %s: record %s: %w", t.s.path, r.ID, ErrConflict)
	case !errors.Is(err, sql.ErrNoRows):
		return "", false, err
	}
	for _, c := range []record.Subject{r.Candidate, r.Baseline} {
		b, err := json.Marshal(c)
		if err != nil {
			return "", false, fmt.Errorf("store: %s: candidate %s: %w", t.s.path, c.Name(), err)
		}
		if _, err := t.exec(`INSERT INTO candidates (hash, name, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			c.Hash(), c.Name(), string(b)); err != nil {
			return "", false, err
		}
	}
	_, err = t.exec(`INSERT INTO records (id, kind, candidate_hash, baseline_hash, graph_hash, build_hash, weights_hash, workload_hash, host_hash, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, int(r.Kind()), r.Candidate.Hash(), r.Baseline.Hash(), r.GraphHash, r.BuildHash, r.WeightsHash,
		r.Workload.Hash(), r.Host.Hash(), string(body))
	return r.ID, err == nil, err
}

// AddRecord is Tx.AddRecord in a transaction of its own.
func (s *Store) AddRecord(ctx context.Context, r record.Record) (id string, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		id, err = tx.AddRecord(r)
		return err
	})
	return id, err
}

// Query selects records. A field that is empty selects all; Kind selects records
// that hold at least those kinds of samples. Hashes are those of
// record.Subject.Hash, record.Host.Hash and so on.
type Query struct {
	Candidate, Baseline   string
	Graph, Build, Weights string
	Workload, Host        string
	Kind                  record.Kind
}

// where returns the query's condition and its arguments.
func (q Query) where() (string, []any) {
	var terms []string
	var args []any
	for _, c := range []struct{ column, value string }{
		{"candidate_hash", q.Candidate}, {"baseline_hash", q.Baseline},
		{"graph_hash", q.Graph}, {"build_hash", q.Build}, {"weights_hash", q.Weights},
		{"workload_hash", q.Workload}, {"host_hash", q.Host},
	} {
		if c.value != "" {
			terms, args = append(terms, c.column+" = ?"), append(args, c.value)
		}
	}
	if q.Kind != 0 {
		terms, args = append(terms, "(kind & ?) = ?"), append(args, int(q.Kind), int(q.Kind))
	}
	if len(terms) == 0 {
		return "TRUE", nil
	}
	return strings.Join(terms, " AND "), args
}

// recordsPage is how many records RecordSeq reads at a time.
const recordsPage = 64

// RecordSeq yields the selected records in the order in which they were stored,
// up to the first error, which it yields last. Between records nothing is locked:
// the loop may use the store, and records stored meanwhile come along.
func (s *Store) RecordSeq(ctx context.Context, q Query) iter.Seq2[record.Record, error] {
	return func(yield func(record.Record, error) bool) {
		where, args := q.where()
		query := `SELECT seq, body FROM records WHERE ` + where + ` AND seq > ? ORDER BY seq LIMIT ?`
		last := int64(0)
		for {
			var page []record.Record
			err := s.each(ctx, s.db, func(rows *sql.Rows) error {
				var body []byte
				if err := rows.Scan(&last, &body); err != nil {
					return s.fail(err)
				}
				r, err := s.decode(body)
				page = append(page, r)
				return err
			}, query, append(append([]any{}, args...), last, recordsPage)...)
			if err != nil {
				yield(record.Record{}, err)
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			if len(page) < recordsPage {
				return
			}
		}
	}
}

// Records returns the selected records in the order in which they were stored.
func (s *Store) Records(ctx context.Context, q Query) ([]record.Record, error) {
	var all []record.Record
	for r, err := range s.RecordSeq(ctx, q) {
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// Record returns the record of an ID, or ErrNotFound.
func (s *Store) Record(ctx context.Context, id string) (record.Record, error) {
	r, ok, err := s.one(ctx, `SELECT body FROM records WHERE id = ?`, id)
	if err == nil && !ok {
		err = fmt.Errorf("store: %s: record %s: %w", s.path, id, ErrNotFound)
	}
	return r, err
}

// FindMeasured returns the newest of the selected records; ok is false where there
// is none, and the measurement is still to be made.
func (s *Store) FindMeasured(ctx context.Context, q Query) (r record.Record, ok bool, err error) {
	where, args := q.where()
	return s.one(ctx, `SELECT body FROM records WHERE `+where+` ORDER BY seq DESC LIMIT 1`, args...)
}

// Count returns how many records are selected.
func (s *Store) Count(ctx context.Context, q Query) (int, error) {
	where, args := q.where()
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM records WHERE `+where, args...).Scan(&n)
	return n, s.fail(err)
}

func (s *Store) one(ctx context.Context, query string, args ...any) (r record.Record, ok bool, err error) {
	var body []byte
	err = s.db.QueryRowContext(ctx, query, args...).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	if err != nil {
		return r, false, s.fail(err)
	}
	r, err = s.decode(body)
	return r, err == nil, err
}

// decode reads what record.Marshal wrote.
//
// Note: record.Unmarshal also looks for unknown fields, which takes twice as long
// and cannot find any in what this package stored.
func (s *Store) decode(body []byte) (r record.Record, err error) {
	if err = json.Unmarshal(body, &r); err == nil {
		err = r.Validate()
	}
	if err != nil {
		err = fmt.Errorf("store: %s: %w: %w", s.path, ErrCorrupt, err)
	}
	return r, err
}

// Subject returns what has a hash, measured or a baseline, or ErrNotFound.
func (s *Store) Subject(ctx context.Context, hash string) (record.Subject, error) {
	var c record.Subject
	var body []byte
	err := s.db.QueryRowContext(ctx, `SELECT body FROM candidates WHERE hash = ?`, hash).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return c, fmt.Errorf("store: %s: candidate %s: %w", s.path, hash, ErrNotFound)
	}
	if err != nil {
		return c, s.fail(err)
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return c, fmt.Errorf("store: %s: %w: candidate %s: %w", s.path, ErrCorrupt, hash, err)
	}
	return c, nil
}
