package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Model is one version of a latency model, opaque to the store.
type Model struct {
	Target  string          `json:"target"`  // what it predicts for: host, baseline, build; latmodel's to name
	Version int             `json:"version"` // 1, 2, ... for each target
	Created time.Time       `json:"created"`
	Body    json.RawMessage `json:"body"`
}

// SaveModel stores the next version of the model of m.Target and returns its
// number; m.Version is not looked at.
func (t *Tx) SaveModel(m Model) (version int, err error) {
	if err := t.queryRow(`SELECT coalesce(max(version), 0) + 1 FROM models WHERE target = ?`, []any{m.Target}, &m.Version); err != nil {
		return 0, err
	}
	return m.Version, t.insertModel(m)
}

func (t *Tx) insertModel(m Model) error {
	if m.Target == "" {
		return fmt.Errorf("store: %s: a model without a target", t.s.path)
	}
	body, err := t.s.compact("a model", m.Body)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO models (target, version, created, body) VALUES (?, ?, ?, ?)`,
		m.Target, m.Version, formatTime(m.Created), body)
	return err
}

// SaveModel is Tx.SaveModel in a transaction of its own.
func (s *Store) SaveModel(ctx context.Context, m Model) (version int, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		version, err = tx.SaveModel(m)
		return err
	})
	return version, err
}

// LatestModel returns the newest version of the model of a target, or
// ErrNotFound.
func (s *Store) LatestModel(ctx context.Context, target string) (Model, error) {
	m := Model{Target: target}
	var created string
	var body []byte
	err := s.db.QueryRowContext(ctx, `SELECT version, created, body FROM models WHERE target = ? ORDER BY version DESC LIMIT 1`, target).
		Scan(&m.Version, &created, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return m, fmt.Errorf("store: %s: model of %s: %w", s.path, target, ErrNotFound)
	}
	if err != nil {
		return m, s.fail(err)
	}
	m.Body = body
	m.Created, err = s.parseTime(created)
	return m, err
}

// Models returns every version of every model, by target and version.
func (s *Store) Models(ctx context.Context) ([]Model, error) { return s.models(ctx, s.db) }

func (s *Store) models(ctx context.Context, q queryer) (all []Model, err error) {
	err = s.each(ctx, q, func(rows *sql.Rows) error {
		var m Model
		var created string
		var body []byte
		if err := rows.Scan(&m.Target, &m.Version, &created, &body); err != nil {
			return s.fail(err)
		}
		m.Body = body
		m.Created, err = s.parseTime(created)
		all = append(all, m)
		return err
	}, `SELECT target, version, created, body FROM models ORDER BY target, version`)
	return all, err
}

// Front is a Pareto front, opaque to the store.
type Front struct {
	Seq      int64           `json:"-"`         // place in the store, set by it
	SearchID string          `json:"search_id"` // "" for a front that no search made
	Created  time.Time       `json:"created"`
	Body     json.RawMessage `json:"body"`
}

// SaveFront stores a front and returns its place.
func (t *Tx) SaveFront(f Front) (seq int64, err error) {
	body, err := t.s.compact("a front", f.Body)
	if err != nil {
		return 0, err
	}
	res, err := t.exec(`INSERT INTO fronts (search_id, created, body) VALUES (?, ?, ?)`, f.SearchID, formatTime(f.Created), body)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// SaveFront is Tx.SaveFront in a transaction of its own.
func (s *Store) SaveFront(ctx context.Context, f Front) (seq int64, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		seq, err = tx.SaveFront(f)
		return err
	})
	return seq, err
}

// Fronts returns the fronts of a search in the order in which they were stored.
func (s *Store) Fronts(ctx context.Context, searchID string) ([]Front, error) {
	return s.fronts(ctx, s.db, `WHERE search_id = ?`, searchID)
}

func (s *Store) fronts(ctx context.Context, q queryer, where string, args ...any) (all []Front, err error) {
	err = s.each(ctx, q, func(rows *sql.Rows) error {
		var f Front
		var created string
		var body []byte
		if err := rows.Scan(&f.Seq, &f.SearchID, &created, &body); err != nil {
			return s.fail(err)
		}
		f.Body = body
		f.Created, err = s.parseTime(created)
		all = append(all, f)
		return err
	}, `SELECT seq, search_id, created, body FROM fronts `+where+` ORDER BY seq`, args...)
	return all, err
}
