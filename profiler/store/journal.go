package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Running is the status of a search that was created and has not been finished:
// it runs, or was killed and can be resumed.
const Running = "running"

// Search is the head of a search's journal.
type Search struct {
	ID       string          `json:"id"`
	Created  time.Time       `json:"created"`
	Config   json.RawMessage `json:"config"`            // all that is needed to resume it
	Status   string          `json:"status"`            // Running, or why it stopped
	Finished time.Time       `json:"finished,omitzero"` // zero while it may be resumed
}

// Entry is one line of a search's journal, opaque to the store.
type Entry struct {
	Seq  int64           `json:"seq"` // 1, 2, ... for each search
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body"`
}

// CreateSearch opens the journal of a new search and returns its ID: sr.ID, or
// one made of the time and the configuration where that is empty. Its status is
// Running. A known ID is ErrConflict.
func (t *Tx) CreateSearch(sr Search) (id string, err error) {
	sr.Status, sr.Finished = Running, time.Time{}
	if sr.ID == "" {
		sum := sha256.Sum256(append([]byte(formatTime(sr.Created)+"\n"), sr.Config...))
		sr.ID = hex.EncodeToString(sum[:6])
	}
	var n int
	if err := t.queryRow(`SELECT count(*) FROM searches WHERE id = ?`, []any{sr.ID}, &n); err != nil {
		return "", err
	}
	if n > 0 {
		return "", fmt.Errorf("store: %s: search %s: %w", t.s.path, sr.ID, ErrConflict)
	}
	return sr.ID, t.insertSearch(sr)
}

func (t *Tx) insertSearch(sr Search) error {
	config, err := t.s.compact("the configuration of search "+sr.ID, sr.Config)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO searches (id, created, config, status, finished) VALUES (?, ?, ?, ?, ?)`,
		sr.ID, formatTime(sr.Created), config, sr.Status, formatTime(sr.Finished))
	return err
}

// FinishSearch says why and when a search stopped. A zero time leaves it open to
// be resumed.
func (t *Tx) FinishSearch(id, status string, at time.Time) error {
	res, err := t.exec(`UPDATE searches SET status = ?, finished = ? WHERE id = ?`, status, formatTime(at), id)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, t.s.noSearch(id))
	}
	return nil
}

// AppendEntry adds a line to the journal of a search and returns its number.
func (t *Tx) AppendEntry(searchID, kind string, body json.RawMessage) (seq int64, err error) {
	var known int
	err = t.queryRow(`SELECT (SELECT count(*) FROM searches WHERE id = ?1), (SELECT coalesce(max(seq), 0) + 1 FROM entries WHERE search_id = ?1)`,
		[]any{searchID}, &known, &seq)
	if err != nil {
		return 0, err
	}
	if known == 0 {
		return 0, t.s.noSearch(searchID)
	}
	return seq, t.insertEntry(searchID, Entry{seq, kind, body})
}

func (t *Tx) insertEntry(searchID string, e Entry) error {
	body, err := t.s.compact("an entry of search "+searchID, e.Body)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO entries (search_id, seq, kind, body) VALUES (?, ?, ?, ?)`, searchID, e.Seq, e.Kind, body)
	return err
}

func (s *Store) noSearch(id string) error {
	return fmt.Errorf("store: %s: search %s: %w", s.path, id, ErrNotFound)
}

// CreateSearch is Tx.CreateSearch in a transaction of its own.
func (s *Store) CreateSearch(ctx context.Context, sr Search) (id string, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		id, err = tx.CreateSearch(sr)
		return err
	})
	return id, err
}

// FinishSearch is Tx.FinishSearch in a transaction of its own.
func (s *Store) FinishSearch(ctx context.Context, id, status string, at time.Time) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.FinishSearch(id, status, at) })
}

// AppendEntry is Tx.AppendEntry in a transaction of its own.
func (s *Store) AppendEntry(ctx context.Context, searchID, kind string, body json.RawMessage) (seq int64, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		seq, err = tx.AppendEntry(searchID, kind, body)
		return err
	})
	return seq, err
}

// Search returns the search of an ID, or ErrNotFound.
func (s *Store) Search(ctx context.Context, id string) (Search, error) {
	all, err := s.searches(ctx, s.db, `WHERE id = ?`, id)
	if err != nil || len(all) == 0 {
		return Search{}, errors.Join(err, s.noSearch(id))
	}
	return all[0], nil
}

// LatestSearch returns the search that was created last, or ErrNotFound.
func (s *Store) LatestSearch(ctx context.Context) (Search, error) {
	all, err := s.searches(ctx, s.db, `WHERE seq = (SELECT max(seq) FROM searches)`)
	switch {
	case err != nil:
		return Search{}, err
	case len(all) == 0:
		return Search{}, fmt.Errorf("store: %s: no search has been made: %w", s.path, ErrNotFound)
	}
	return all[0], nil
}

// Searches returns every search in the order in which they were created.
func (s *Store) Searches(ctx context.Context) ([]Search, error) { return s.searches(ctx, s.db, ``) }

func (s *Store) searches(ctx context.Context, q queryer, where string, args ...any) (all []Search, err error) {
	err = s.each(ctx, q, func(rows *sql.Rows) error {
		var sr Search
		var created, finished string
		var config []byte
		if err := rows.Scan(&sr.ID, &created, &config, &sr.Status, &finished); err != nil {
			return s.fail(err)
		}
		sr.Config = config
		var err1, err2 error
		sr.Created, err1 = s.parseTime(created)
		sr.Finished, err2 = s.parseTime(finished)
		all = append(all, sr)
		return errors.Join(err1, err2)
	}, `SELECT id, created, config, status, finished FROM searches `+where+` ORDER BY seq`, args...)
	return all, err
}

// Entries returns the journal of a search in order; none, for a search that is not
// there.
func (s *Store) Entries(ctx context.Context, searchID string) ([]Entry, error) {
	return s.entries(ctx, s.db, searchID)
}

func (s *Store) entries(ctx context.Context, q queryer, searchID string) (all []Entry, err error) {
	err = s.each(ctx, q, func(rows *sql.Rows) error {
		var e Entry
		var body []byte
		if err := rows.Scan(&e.Seq, &e.Kind, &body); err != nil {
			return s.fail(err)
		}
		e.Body = body
		all = append(all, e)
		return nil
	}, `SELECT seq, kind, body FROM entries WHERE search_id = ? ORDER BY seq`, searchID)
	return all, err
}
