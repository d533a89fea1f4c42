package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Tx is a transaction in progress, valid within the function that Update calls.
// Its methods are those of Store that change something.
type Tx struct {
	s   *Store
	ctx context.Context
	tx  *sql.Tx
}

// Update runs f in one transaction: all that f does through its Tx is stored when
// Update returns nil, and none of it otherwise. f must not use the Store itself,
// which waits for the transaction to end. A ctx that ends before the commit rolls
// everything back; the commit itself is not interrupted.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error {
	if s.readOnly {
		return fmt.Errorf("store: %s: %w: it was opened to be read", s.path, ErrReadOnly)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	tx, err := s.db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return s.fail(err)
	}
	defer tx.Rollback() // does nothing after a commit
	if err := f(&Tx{s, ctx, tx}); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.fail(tx.Commit())
}

func (t *Tx) exec(query string, args ...any) (sql.Result, error) {
	res, err := t.tx.ExecContext(t.ctx, query, args...)
	return res, t.s.fail(err)
}

// queryRow scans the first row; no row is sql.ErrNoRows.
func (t *Tx) queryRow(query string, args []any, into ...any) error {
	err := t.tx.QueryRowContext(t.ctx, query, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return t.s.fail(err)
}

// queryer is a *sql.DB or, for a snapshot, a *sql.Tx.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each calls f at every row of a query.
func (s *Store) each(ctx context.Context, q queryer, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return s.fail(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return s.fail(rows.Err())
}

// compact checks that body is JSON and takes out its white space.
func (s *Store) compact(what string, body json.RawMessage) (string, error) {
	if !json.Valid(body) {
		return "", fmt.Errorf("store: %s: %s is not JSON: %.40q", s.path, what, body)
	}
	b, err := json.Marshal(body) // of a RawMessage: compacts
	return string(b), err
}

// Times are kept as text in UTC, to the nanosecond; "" is no time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (s *Store) parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("store: %s: %w: %w", s.path, ErrCorrupt, err)
	}
	return t, nil
}
