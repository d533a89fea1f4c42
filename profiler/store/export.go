package store

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"

	"lathe/profiler/record"
)

// exportVersion is the version of the JSON lines format. A reader refuses a
// higher one.
const exportVersion = 3

// The lines of an export: one object each, with one of these keys. The first line
// is the header, the last one the end, which tells a whole file from one that was
// cut between two lines.
type exportLine struct {
	Header  *exportHeader   `json:"lathe_store,omitempty"`
	Record  json.RawMessage `json:"record,omitempty"` // as record.Encoder writes it
	Model   *Model          `json:"model,omitempty"`
	Search  *Search         `json:"search,omitempty"`
	Entry   *exportEntry    `json:"entry,omitempty"`
	Front   *Front          `json:"front,omitempty"`
	Trained *Training       `json:"training,omitempty"`
	Night   *Night          `json:"night,omitempty"`
	End     *Counts         `json:"end,omitempty"`
}

type exportHeader struct {
	Version int `json:"version"`
}

type exportEntry struct {
	SearchID string `json:"search_id"`
	Entry
}

// Counts says how many things an export or import had.
type Counts struct {
	Records   int `json:"records"`
	Models    int `json:"models"`
	Searches  int `json:"searches"`
	Entries   int `json:"entries"`
	Fronts    int `json:"fronts"`
	Trainings int `json:"trainings"`
	Nights    int `json:"nights"`
}

// Export writes all that the store holds as JSON lines, as it was at one moment;
// Import reads it. Records are in the order in which they were stored.
func (s *Store) Export(ctx context.Context, w io.Writer) (Counts, error) {
	var n Counts
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return n, s.fail(err)
	}
	defer tx.Rollback()
	buf := bufio.NewWriter(w)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	put := func(count *int, l exportLine) error {
		if count != nil {
			*count++
		}
		if err := enc.Encode(l); err != nil {
			return fmt.Errorf("store: export: %w", err)
		}
		return nil
	}
	if err := put(nil, exportLine{Header: &exportHeader{exportVersion}}); err != nil {
		return n, err
	}
	err = s.each(ctx, tx, func(rows *sql.Rows) error {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return s.fail(err)
		}
		return put(&n.Records, exportLine{Record: body})
	}, `SELECT body FROM records ORDER BY seq`)
	if err != nil {
		return n, err
	}
	models, err := s.models(ctx, tx)
	if err != nil {
		return n, err
	}
	for i := range models {
		if err := put(&n.Models, exportLine{Model: &models[i]}); err != nil {
			return n, err
		}
	}
	searches, err := s.searches(ctx, tx, ``)
	if err != nil {
		return n, err
	}
	for i := range searches {
		if err := put(&n.Searches, exportLine{Search: &searches[i]}); err != nil {
			return n, err
		}
		entries, err := s.entries(ctx, tx, searches[i].ID)
		if err != nil {
			return n, err
		}
		for _, e := range entries {
			if err := put(&n.Entries, exportLine{Entry: &exportEntry{searches[i].ID, e}}); err != nil {
				return n, err
			}
		}
	}
	fronts, err := s.fronts(ctx, tx, ``)
	if err != nil {
		return n, err
	}
	for i := range fronts {
		if err := put(&n.Fronts, exportLine{Front: &fronts[i]}); err != nil {
			return n, err
		}
	}
	trainings, err := s.trainings(ctx, tx, ``)
	if err != nil {
		return n, err
	}
	for i := range trainings {
		if err := put(&n.Trainings, exportLine{Trained: &trainings[i]}); err != nil {
			return n, err
		}
	}
	nights, err := s.nights(ctx, tx, ``)
	if err != nil {
		return n, err
	}
	for i := range nights {
		if err := put(&n.Nights, exportLine{Night: &nights[i]}); err != nil {
			return n, err
		}
	}
	end := n
	if err := put(nil, exportLine{End: &end}); err != nil {
		return n, err
	}
	if err := buf.Flush(); err != nil {
		return n, fmt.Errorf("store: export: %w", err)
	}
	return n, nil
}

// ExportNights writes nights alone, which Import reads.
func ExportNights(w io.Writer, nights []Night) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	lines := []exportLine{{Header: &exportHeader{exportVersion}}}
	for i := range nights {
		lines = append(lines, exportLine{Night: &nights[i]})
	}
	for _, l := range append(lines, exportLine{End: &Counts{Nights: len(nights)}}) {
		if err := enc.Encode(l); err != nil {
			return fmt.Errorf("store: export: %w", err)
		}
	}
	return nil
}

// ExportRecords writes the selected records alone, as bare JSON lines that
// record.Decoder and Import read.
func (s *Store) ExportRecords(ctx context.Context, w io.Writer, q Query) (int, error) {
	n, enc := 0, record.NewEncoder(w)
	for r, err := range s.RecordSeq(ctx, q) {
		if err != nil {
			return n, err
		}
		if err := enc.Encode(r); err != nil {
			return n, fmt.Errorf("store: export: %w", err)
		}
		n++
	}
	return n, nil
}
