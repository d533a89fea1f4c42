package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"lathe/graphgen/hf/hub/hubtest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"
)

// status CODE PROGRAM ARGS... runs a program that must exit with CODE.
func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE PROGRAM ARGS...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if want, err := strconv.Atoi(args[0]); err != nil || code != want {
		ts.Fatalf("exit status %d, want %s", code, args[0])
	}
}

// json PATH [WANT] looks into the JSON of the last command's stdout. PATH has
// keys and indices, joined by dots. WANT is a value, or one of: number,
// positive, string, nonempty (of strings and arrays), array, object, null.
// Without it the path must be there, or with ! must not.
func scriptJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 || len(args) > 2 || neg && len(args) == 2 {
		ts.Fatalf("usage: [!] json PATH [WANT]")
	}
	var v any
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	d.UseNumber()
	ts.Check(d.Decode(&v))
	there := true
	for _, step := range strings.Split(args[0], ".") {
		switch at := v.(type) {
		case map[string]any:
			v, there = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if there = err == nil && i < len(at); there {
				v = at[i]
			}
		default:
			there = false
		}
		if !there {
			break
		}
	}
	if there == neg {
		ts.Fatalf("%s: is there: %v", args[0], there)
	}
	if len(args) == 2 && !jsonIs(v, args[1]) {
		ts.Fatalf("%s is %v, want %s", args[0], v, args[1])
	}
}

func jsonIs(v any, want string) bool {
	switch want {
	case "number", "positive":
		n, ok := v.(json.Number)
		x, err := n.Float64()
		return ok && err == nil && (want == "number" || x > 0)
	case "string":
		_, ok := v.(string)
		return ok
	case "nonempty":
		s, _ := v.(string)
		a, _ := v.([]any)
		return s != "" || len(a) > 0
	case "array":
		_, ok := v.([]any)
		return ok
	case "object":
		_, ok := v.(map[string]any)
		return ok
	case "null":
		return v == nil
	}
	if s, ok := v.(string); ok {
		return s == want
	}
	b, err := json.Marshal(v)
	return err == nil && string(b) == want
}

// hub ID FOLDER serves a folder's files as a model of a hub, whose endpoint HF_ENDPOINT
// then is, until the script ends; "hub stop" ends it.
func scriptHub(ts *testscript.TestScript, neg bool, args []string) {
	running, _ := ts.Value(hubKey{}).(*hubState)
	switch {
	case neg || len(args) < 1 || len(args) > 2:
		ts.Fatalf("usage: hub ID FOLDER, or hub stop")
	case len(args) == 1:
		running.hub.Close()
		return
	}
	files := map[string][]byte{}
	list, err := os.ReadDir(ts.MkAbs(args[1]))
	ts.Check(err)
	for _, e := range list {
		files[e.Name()], err = os.ReadFile(filepath.Join(ts.MkAbs(args[1]), e.Name()))
		ts.Check(err)
	}
	running.hub = hubtest.Start(args[0], files)
	ts.Defer(running.hub.Close)
	ts.Setenv("HF_ENDPOINT", running.hub.URL())
}

// hubKey finds a script's hubState.
type hubKey struct{}

type hubState struct{ hub *hubtest.Hub }

// ids FIRST LAST sets two variables to the IDs of the store's first and last search.
func scriptIDs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ids FIRST LAST")
	}
	db, err := sql.Open("sqlite", ts.MkAbs("lathe.db"))
	ts.Check(err)
	defer db.Close()
	for i, order := range []string{"ASC", "DESC"} {
		var id string
		ts.Check(db.QueryRow("SELECT id FROM searches ORDER BY created " + order).Scan(&id))
		ts.Setenv(args[i], id)
	}
}

// sql FILE STATEMENT runs a statement on a store.
func scriptSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql FILE STATEMENT")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(args[1])
	ts.Check(err)
}

// damage FILE OFFSET writes 64 bytes of rubbish there.
func scriptDamage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: damage FILE OFFSET")
	}
	at, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY, 0)
	ts.Check(err)
	defer f.Close()
	_, err = f.WriteAt(bytes.Repeat([]byte("rubbish!"), 8), at)
	ts.Check(err)
}

// truncate FILE BYTES cuts a file short.
func scriptTruncate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: truncate FILE BYTES")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

// replace FILE OLD NEW OUT copies a file with every OLD made NEW, both of Go's
// quoted form without the quotes.
func scriptReplace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: replace FILE OLD NEW OUT")
	}
	unquote := func(s string) []byte {
		s, err := strconv.Unquote(`"` + s + `"`)
		ts.Check(err)
		return []byte(s)
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	was, is := unquote(args[1]), unquote(args[2])
	if !bytes.Contains(data, was) {
		ts.Fatalf("%s has no %q", args[0], was)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), bytes.ReplaceAll(data, was, is), 0o644))
}
