package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"runtime"

	"lathe/profiler/record"
)

// Glanced is a glance at a stored record, with the hashes of Query.
type Glanced struct {
	record.Glance
	ID                                                  string
	Kind                                                record.Kind
	CandidateHash, BaselineHash, WorkloadHash, HostHash string
}

// glancePages are read ahead of who looks at them: enough for all processors.
const glancePages = 4

// glancePage is one page that is being read.
type glancePage struct {
	list []Glanced
	err  error
}

// Glances yields what records say without their samples, in the order in which they were
// stored, up to the first error, which it yields last. Records are read by all processors
// while the next ones come from the file. As with RecordSeq, nothing is locked between
// records.
func (s *Store) Glances(ctx context.Context, q Query) iter.Seq2[Glanced, error] {
	return func(yield func(Glanced, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		pages := make(chan chan glancePage, max(glancePages, 2*runtime.GOMAXPROCS(0)))
		go s.readGlances(ctx, q, pages)
		for page := range pages {
			p := <-page
			for _, g := range p.list {
				if !yield(g, nil) {
					return
				}
			}
			if p.err != nil {
				yield(Glanced{}, p.err)
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Glanced{}, err)
		}
	}
}

// readGlances reads pages, and has each looked at by a goroutine of its own. It ends with
// the first error, and with ctx.
func (s *Store) readGlances(ctx context.Context, q Query, pages chan<- chan glancePage) {
	defer close(pages)
	where, args := q.where()
	query := `SELECT seq, id, kind, candidate_hash, baseline_hash, workload_hash, host_hash, body FROM records WHERE ` + where + ` AND seq > ? ORDER BY seq LIMIT ?`
	last := int64(0)
	for {
		var list []Glanced
		var bodies [][]byte
		err := s.each(ctx, s.db, func(rows *sql.Rows) error {
			var g Glanced
			var body []byte
			if err := rows.Scan(&last, &g.ID, &g.Kind, &g.CandidateHash, &g.BaselineHash, &g.WorkloadHash, &g.HostHash, &body); err != nil {
				return s.fail(err)
			}
			list, bodies = append(list, g), append(bodies, body)
			return nil
		}, query, append(append([]any{}, args...), last, recordsPage)...)
		page := make(chan glancePage, 1)
		select {
		case pages <- page:
		case <-ctx.Done():
			return
		}
		if err != nil {
			page <- glancePage{err: err}
			return
		}
		go func() { page <- s.look(list, bodies) }()
		if len(list) < recordsPage {
			return
		}
	}
}

// look fills in what bodies say, up to the first that says nothing.
func (s *Store) look(list []Glanced, bodies [][]byte) glancePage {
	for i := range list {
		var err error
		if list[i].Glance, err = record.GlanceOf(bodies[i]); err != nil {
			return glancePage{list[:i], fmt.Errorf("store: %s: %w: record %s: %w", s.path, ErrCorrupt, list[i].ID, err)}
		}
	}
	return glancePage{list: list}
}

// Named is something that was measured, or a baseline.
type Named struct {
	Hash, Name string
	body       []byte
	path       string
}

// Subject reads what it is.
func (n Named) Subject() (c record.Subject, err error) {
	if err := json.Unmarshal(n.body, &c); err != nil {
		return c, fmt.Errorf("store: %s: %w: candidate %s: %w", n.path, ErrCorrupt, n.Hash, err)
	}
	return c, nil
}

// Subjects returns all that was ever measured, and baselines, unread: of ten thousand most
// are not looked at, and the others by several processors.
func (s *Store) Subjects(ctx context.Context) (all []Named, err error) {
	err = s.each(ctx, s.db, func(rows *sql.Rows) error {
		n := Named{path: s.path}
		if err := rows.Scan(&n.Hash, &n.Name, &n.body); err != nil {
			return s.fail(err)
		}
		all = append(all, n)
		return nil
	}, `SELECT hash, name, body FROM candidates`)
	return all, err
}
