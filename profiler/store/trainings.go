package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// Training is what came of training an architecture, opaque to the store.
type Training struct {
	Spec    string          `json:"spec"`   // hash of the arch.Spec
	Recipe  string          `json:"recipe"` // hash of all else that decides the result
	Created time.Time       `json:"created"`
	Body    json.RawMessage `json:"body"`
}

// SaveTraining stores a training. Where there is one of that Spec and recipe, that one
// stays.
func (t *Tx) SaveTraining(tr Training) error {
	if tr.Spec == "" || tr.Recipe == "" {
		return fmt.Errorf("store: %s: a training without a spec or a recipe", t.s.path)
	}
	body, err := t.s.compact("a training", tr.Body)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO trainings (spec, recipe, created, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		tr.Spec, tr.Recipe, formatTime(tr.Created), body)
	return err
}

// SaveTraining is Tx.SaveTraining in a transaction of its own.
func (s *Store) SaveTraining(ctx context.Context, tr Training) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.SaveTraining(tr) })
}

// Training returns the training of a Spec by a recipe, or ErrNotFound.
func (s *Store) Training(ctx context.Context, spec, recipe string) (Training, error) {
	all, err := s.trainings(ctx, s.db, `WHERE spec = ? AND recipe = ?`, spec, recipe)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("store: %s: training of %.12s by %.12s: %w", s.path, spec, recipe, ErrNotFound)
	}
	if err != nil {
		return Training{}, err
	}
	return all[0], nil
}

func (s *Store) trainings(ctx context.Context, q queryer, where string, args ...any) (all []Training, err error) {
	err = s.each(ctx, q, func(rows *sql.Rows) error {
		var t Training
		var created string
		var body []byte
		if err := rows.Scan(&t.Spec, &t.Recipe, &created, &body); err != nil {
			return s.fail(err)
		}
		t.Body = body
		t.Created, err = s.parseTime(created)
		all = append(all, t)
		return err
	}, `SELECT spec, recipe, created, body FROM trainings `+where+` ORDER BY seq`, args...)
	return all, err
}
