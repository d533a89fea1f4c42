package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
)

// applicationID marks a SQLite file as a store (its bytes are "Lath").
const applicationID = 0x4c617468

// migrations[i] takes the schema from version i to i+1; user_version in the file
// says how many have been done. One that was released is never changed.
var migrations = []string{
	`
CREATE TABLE candidates (
	hash TEXT PRIMARY KEY,
	name TEXT NOT NULL,
	body TEXT NOT NULL        -- JSON of record.Subject
) STRICT;

-- Raw samples. The columns beside the body are copies out of it, to search by.
CREATE TABLE records (
	seq            INTEGER PRIMARY KEY AUTOINCREMENT,
	id             TEXT NOT NULL UNIQUE,
	kind           INTEGER NOT NULL,   -- record.Kind, a set of bits
	candidate_hash TEXT NOT NULL REFERENCES candidates (hash),
	baseline_hash  TEXT NOT NULL REFERENCES candidates (hash),
	graph_hash     TEXT NOT NULL,
	build_hash     TEXT NOT NULL,
	weights_hash   TEXT NOT NULL,
	workload_hash  TEXT NOT NULL,
	host_hash      TEXT NOT NULL,
	body           TEXT NOT NULL       -- JSON of record.Record
) STRICT;
CREATE INDEX records_key ON records (candidate_hash, baseline_hash, host_hash, workload_hash);

CREATE TABLE models (
	target  TEXT NOT NULL,
	version INTEGER NOT NULL,          -- 1, 2, ... for each target
	created TEXT NOT NULL,             -- RFC 3339
	body    TEXT NOT NULL,
	PRIMARY KEY (target, version)
) STRICT;

CREATE TABLE searches (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	id       TEXT NOT NULL UNIQUE,
	created  TEXT NOT NULL,
	config   TEXT NOT NULL,
	status   TEXT NOT NULL,
	finished TEXT NOT NULL             -- '' while it may be resumed
) STRICT;

CREATE TABLE entries (
	search_id TEXT NOT NULL REFERENCES searches (id),
	seq       INTEGER NOT NULL,        -- 1, 2, ... for each search
	kind      TEXT NOT NULL,
	body      TEXT NOT NULL,
	PRIMARY KEY (search_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE fronts (
	seq       INTEGER PRIMARY KEY AUTOINCREMENT,
	search_id TEXT NOT NULL,           -- '' for a front that no search made
	created   TEXT NOT NULL,
	body      TEXT NOT NULL
) STRICT;
CREATE INDEX fronts_search ON fronts (search_id);
`,
	`
-- What came of training an architecture.
CREATE TABLE trainings (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	spec    TEXT NOT NULL,             -- hash of the arch.Spec
	recipe  TEXT NOT NULL,             -- hash of all else that decides the result
	created TEXT NOT NULL,
	body    TEXT NOT NULL,
	UNIQUE (spec, recipe)
) STRICT;
`,
	`
-- Nights of the gate, in the order in which they were stored: clocks may go back.
CREATE TABLE nights (
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	id      TEXT NOT NULL UNIQUE,      -- made of the rest
	created TEXT NOT NULL,             -- by the clock of the machine
	machine TEXT NOT NULL,             -- hash that tells machines apart
	body    TEXT NOT NULL
) STRICT;
CREATE INDEX nights_machine ON nights (machine);
`,
}

// schemaVersion is the version that this code reads and writes.
var schemaVersion = len(migrations)

// migrate brings the file to schemaVersion in one transaction.
func (s *Store) migrate(ctx context.Context) error {
	return s.Update(ctx, func(tx *Tx) error {
		var version int
		if err := tx.queryRow(`PRAGMA user_version`, nil, &version); err != nil {
			return err
		}
		for ; version < schemaVersion; version++ {
			if _, err := tx.exec(migrations[version]); err != nil {
				return err
			}
		}
		_, err := tx.exec(fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`, applicationID, schemaVersion))
		return err
	})
}

// check refuses a file that is damaged, foreign, newer, or not writable where it
// is to be written, and brings an older one up to date.
func (s *Store) check(ctx context.Context, o Options) error {
	var app, version int
	if err := s.db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&app); err != nil {
		return s.fail(err)
	}
	if err := s.db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return s.fail(err)
	}
	switch {
	case app != applicationID:
		return fmt.Errorf("store: %s: %w: it is a SQLite file of something else (application_id %#x, want %#x)",
			s.path, ErrNotStore, app, applicationID)
	case version > schemaVersion:
		return fmt.Errorf("store: %s: %w: it has schema version %d, this version of lathe knows up to %d: use the newer lathe",
			s.path, ErrNewer, version, schemaVersion)
	case version < 1:
		return fmt.Errorf("store: %s: %w: schema version %d", s.path, ErrCorrupt, version)
	case version < schemaVersion && o.ReadOnly:
		return &olderError{s.path, version}
	}
	if err := s.checkSize(ctx); err != nil {
		return err
	}
	if !o.SkipCheck {
		var verdict string
		if err := s.db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
			return s.fail(err)
		}
		if verdict != "ok" {
			return fmt.Errorf("store: %s: %w: %s", s.path, ErrCorrupt, verdict)
		}
	}
	switch {
	case o.ReadOnly:
		return nil
	case version < schemaVersion:
		return s.migrate(ctx)
	}
	return s.probe(ctx)
}

// checkSize refuses a file that ends inside its last page: SQLite reads zeros for
// what is missing there, and quick_check does not look at values.
func (s *Store) checkSize(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return s.fail(err)
	}
	defer tx.Rollback()
	var pages, pageSize int64
	// Both come from one read of the file's header, and while this transaction
	// reads, nobody writes.
	err = tx.QueryRowContext(ctx, `SELECT page_count, page_size FROM pragma_page_count, pragma_page_size, (SELECT count(*) FROM sqlite_schema)`).
		Scan(&pages, &pageSize)
	if err != nil {
		return s.fail(err)
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if info.Size() < pages*pageSize {
		return fmt.Errorf("store: %s: %w: it has %d bytes of %d: restore it from a copy, or remove it to begin anew",
			s.path, ErrCorrupt, info.Size(), pages*pageSize)
	}
	return nil
}

// probe opens a journal and rolls it back: a file or folder that cannot be written
// must be known before hours of measuring, not after.
func (s *Store) probe(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.fail(err)
	}
	defer tx.Rollback()
	_, err = tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, schemaVersion))
	return s.fail(err)
}
