package main

import (
	"database/sql"
	"encoding/json"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"lathe/profiler/record"
)

// otherhost FILE makes the models of a store those of a machine with more cores.
func scriptOtherHost(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: otherhost FILE")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	rows, err := db.Query("SELECT target, version, body FROM models")
	ts.Check(err)
	type model struct {
		target, body string
		version      int
	}
	var all []model
	for rows.Next() {
		var m model
		ts.Check(rows.Scan(&m.target, &m.version, &m.body))
		all = append(all, m)
	}
	ts.Check(rows.Err())
	for _, m := range all {
		var body map[string]json.RawMessage
		ts.Check(json.Unmarshal([]byte(m.body), &body))
		var h record.Host
		ts.Check(json.Unmarshal(body["host"], &h))
		was := h.Hash()
		h.Cores += 62
		for key, v := range map[string]any{"host": h, "host_hash": h.Hash()} {
			body[key], err = json.Marshal(v)
			ts.Check(err)
		}
		text, err := json.Marshal(body)
		ts.Check(err)
		_, err = db.Exec("UPDATE models SET target = ?, body = ? WHERE target = ? AND version = ?",
			strings.Replace(m.target, was, h.Hash(), 1), string(text), m.target, m.version)
		ts.Check(err)
	}
}
