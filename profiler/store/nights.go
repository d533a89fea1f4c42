package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"lathe/profiler/record"
)

// Night is one run of the nightly gate, opaque to the store.
type Night struct {
	Seq     int64           `json:"-"`       // place in this store, which orders nights; set by it
	Created time.Time       `json:"created"` // by the machine's clock
	Machine string          `json:"machine"` // hash that tells machines apart
	Body    json.RawMessage `json:"body"`
}

// ID is the same for the same night, wherever it is stored.
func (n Night) ID() string {
	body, err := json.Marshal(n.Body) // compacts
	if err != nil {
		body = n.Body // no JSON, which no store takes
	}
	return n.id(string(body))
}

func (n Night) id(body string) string {
	sum := sha256.Sum256([]byte("lathe night 1\n" + formatTime(n.Created) + "\n" + n.Machine + "\n" + body))
	return hex.EncodeToString(sum[:16])
}

// AddNight stores a night behind all others and returns its place, and whether it is new:
// the same night once more changes nothing.
func (t *Tx) AddNight(n Night) (seq int64, added bool, err error) {
	if n.Machine == "" {
		return 0, false, fmt.Errorf("store: %s: a night without a machine", t.s.path)
	}
	body, err := t.s.compact("a night", n.Body)
	if err != nil {
		return 0, false, err
	}
	id := n.id(body)
	switch err := t.queryRow(`SELECT seq FROM nights WHERE id = ?`, []any{id}, &seq); {
	case err == nil:
		return seq, false, nil
	case !errors.Is(err, sql.ErrNoRows):
		return 0, false, err
	}
	res, err := t.exec(`INSERT INTO nights (id, created, machine, body) VALUES (?, ?, ?, ?)`, id, formatTime(n.Created), n.Machine, body)
	if err != nil {
		return 0, false, err
	}
	seq, err = res.LastInsertId()
	return seq, true, err
}

// DeleteNights removes nights by their places.
func (t *Tx) DeleteNights(seqs []int64) error {
	for _, seq := range seqs {
		if _, err := t.exec(`DELETE FROM nights WHERE seq = ?`, seq); err != nil {
			return err
		}
	}
	return nil
}

// DeleteRecords removes records by their IDs; those that are not there are passed over.
func (t *Tx) DeleteRecords(ids []string) error {
	for _, id := range ids {
		if _, err := t.exec(`DELETE FROM records WHERE id = ?`, id); err != nil {
			return err
		}
	}
	return nil
}

// ReadNights reads what ExportNights wrote, or the nights of an Export, and stores nothing.
func ReadNights(r io.Reader) (all []Night, err error) {
	lines := record.NewLineReader(r)
	ended := false
	for n := 0; ; n++ {
		line, err := lines.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("store: import: %w", err)
		}
		if n == 0 {
			if err := checkHeader(line); err != nil {
				return nil, fmt.Errorf("store: import: line 1: %w", err)
			}
			continue
		}
		l, err := parseLine(line)
		if err == nil && ended {
			err = errors.New("a line behind the end line")
		}
		if err == nil && l.End != nil && l.End.Nights != len(all) {
			err = fmt.Errorf("the file had %d nights, and the end line says %d", len(all), l.End.Nights)
		}
		if err != nil {
			return nil, fmt.Errorf("store: import: line %d: %w", lines.Line(), err)
		}
		ended = ended || l.End != nil
		if l.Night != nil {
			all = append(all, *l.Night)
		}
	}
	if !ended {
		return nil, fmt.Errorf("store: import: line %d: %w of nights: there is no end line", lines.Line(), record.ErrTruncated)
	}
	return all, nil
}

// AddNight is Tx.AddNight in a transaction of its own.
func (s *Store) AddNight(ctx context.Context, n Night) (seq int64, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		seq, _, err = tx.AddNight(n)
		return err
	})
	return seq, err
}

// Nights returns the nights of a machine, or with "" of all, in the order in which they
// were stored.
func (s *Store) Nights(ctx context.Context, machine string) ([]Night, error) {
	return s.nights(ctx, s.db, `WHERE ?1 = '' OR machine = ?1`, machine)
}

func (s *Store) nights(ctx context.Context, q queryer, where string, args ...any) (all []Night, err error) {
	err = s.each(ctx, q, func(rows *sql.Rows) error {
		var n Night
		var created string
		var body []byte
		if err := rows.Scan(&n.Seq, &created, &n.Machine, &body); err != nil {
			return s.fail(err)
		}
		n.Body = body
		n.Created, err = s.parseTime(created)
		all = append(all, n)
		return err
	}, `SELECT seq, created, machine, body FROM nights `+where+` ORDER BY seq`, args...)
	return all, err
}
