package workload

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"lathe/profiler/record"
)

// A trace file is JSON lines, one request a line:
//
//	{"prompt_tokens": 64, "generated_tokens": 4, "chars": 17, "think_ms": 1200}
//
// think_ms may be left out, which is 0; the others may not. generated_tokens 0 is
// a request whose prompt alone is run, chars 0 one that shows nothing. The first
// line may instead say what the workload is:
//
//	{"workload": "keyboard", "description": "a week of one user"}

// header is the optional first line of a trace.
type header struct {
	Workload    string `json:"workload"`
	Description string `json:"description"`
}

// traceLine is a request as a trace has it; nil is a field that is not there.
type traceLine struct {
	PromptTokens    *int `json:"prompt_tokens"`
	GeneratedTokens *int `json:"generated_tokens"`
	Chars           *int `json:"chars"`
	ThinkMS         *int `json:"think_ms"`
}

// Read reads a trace. file is what r is called in errors, which give the line;
// where no header names the workload it is called after the file. It is strict: an
// unknown, repeated or missing field, a count that is not a whole number or not
// one that can be, is an error.
func Read(r io.Reader, file string) (record.Workload, error) {
	w := record.Workload{Name: cmp.Or(baseName(file), "trace")}
	lines := record.NewLineReader(r)
	fail := func(err error) (record.Workload, error) {
		return record.Workload{}, fmt.Errorf("workload: %s:%d: %w", file, lines.Line(), err)
	}
	for first := true; ; first = false {
		line, err := lines.Next()
		if err == io.EOF {
			break
		}
		var at *record.LineError
		if errors.As(err, &at) { // which has the line in its text as well
			err = at.Err
		}
		if err != nil {
			return fail(err)
		}
		if first && isHeader(line) {
			var h header
			if err := record.Strict(line, &h); err != nil {
				return fail(err)
			}
			if h.Workload == "" {
				return fail(errors.New("the header's workload is empty: want a name that tells workloads apart"))
			}
			w.Name, w.Description = h.Workload, h.Description
			continue
		}
		req, ok := parseRequest(line)
		if !ok {
			if req, err = readRequest(line); err != nil {
				return fail(err)
			}
		}
		if err := req.Validate(); err != nil {
			return fail(err)
		}
		w.Requests = append(w.Requests, req)
	}
	if len(w.Requests) == 0 {
		return record.Workload{}, fmt.Errorf("workload: %s has no requests: want at least one line such as %s", file, exampleLine)
	}
	if w.Description == "" {
		w.Description = fmt.Sprintf("%s of the trace %s", count(len(w.Requests), "request"), filepath.Base(file))
	}
	return w, nil
}

const exampleLine = `{"prompt_tokens": 64, "generated_tokens": 4, "chars": 17, "think_ms": 1200}`

// baseName is a file's name without folder and extension.
func baseName(file string) string {
	base := filepath.Base(file)
	if base == "." || base == string(filepath.Separator) {
		return ""
	}
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// isHeader reports whether a line is a JSON object with a header's field.
func isHeader(line []byte) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(line, &fields) != nil {
		return false
	}
	_, name := fields["workload"]
	_, description := fields["description"]
	return name || description
}

// readRequest reads a line in full, for what parseRequest does not take: a line of
// another form, or one that is wrong.
func readRequest(line []byte) (record.WorkloadRequest, error) {
	if isHeader(line) {
		return record.WorkloadRequest{}, errors.New(`"workload" and "description" stand in the first line only`)
	}
	var l traceLine
	if err := record.Strict(line, &l); err != nil {
		return record.WorkloadRequest{}, err
	}
	for _, f := range []struct {
		name string
		v    *int
	}{{"prompt_tokens", l.PromptTokens}, {"generated_tokens", l.GeneratedTokens}, {"chars", l.Chars}} {
		if f.v == nil {
			return record.WorkloadRequest{}, fmt.Errorf("%s is missing: want a line such as %s", f.name, exampleLine)
		}
	}
	req := record.WorkloadRequest{PromptTokens: *l.PromptTokens, GeneratedTokens: *l.GeneratedTokens, Chars: *l.Chars}
	if l.ThinkMS != nil {
		req.ThinkMS = *l.ThinkMS
	}
	return req, nil
}

// parseRequest reads a line of the usual form: an object of the four fields, each
// once at most, the values digits. ok is false for every other line, right or
// wrong.
//
// Note: it is here because traces are long: the reader that explains errors takes
// some 5 us a line, and this one a tenth of that.
func parseRequest(line []byte) (req record.WorkloadRequest, ok bool) {
	p := bytes.TrimSpace(line)
	if len(p) < 2 || p[0] != '{' || p[len(p)-1] != '}' {
		return req, false
	}
	p = p[1 : len(p)-1]
	var have uint
	for {
		p = bytes.TrimLeft(p, " \t")
		if len(p) == 0 || p[0] != '"' {
			return req, false
		}
		end := bytes.IndexByte(p[1:], '"')
		if end < 0 {
			return req, false
		}
		var field *int
		var bit uint
		switch string(p[1 : 1+end]) {
		case "prompt_tokens":
			field, bit = &req.PromptTokens, 1
		case "generated_tokens":
			field, bit = &req.GeneratedTokens, 2
		case "chars":
			field, bit = &req.Chars, 4
		case "think_ms":
			field, bit = &req.ThinkMS, 8
		default:
			return req, false
		}
		if have&bit != 0 {
			return req, false
		}
		have |= bit
		p = bytes.TrimLeft(p[2+end:], " \t")
		if len(p) == 0 || p[0] != ':' {
			return req, false
		}
		p = bytes.TrimLeft(p[1:], " \t")
		digits := 0
		for digits < len(p) && '0' <= p[digits] && p[digits] <= '9' {
			*field = 10**field + int(p[digits]-'0')
			digits++
		}
		if digits == 0 || digits > 10 || digits > 1 && p[0] == '0' {
			return req, false
		}
		p = bytes.TrimLeft(p[digits:], " \t")
		if len(p) == 0 {
			return req, have&7 == 7
		}
		if p[0] != ',' {
			return req, false
		}
		p = p[1:]
	}
}

// Write writes w as a trace that Read reads to the same workload: a header and a
// line a request.
func Write(w io.Writer, workload record.Workload) error {
	if err := workload.Validate(); err != nil {
		return fmt.Errorf("workload: %w", err)
	}
	out := bufio.NewWriterSize(w, 1<<16)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(header{workload.Name, workload.Description}); err != nil {
		return fmt.Errorf("workload: %w", err)
	}
	var b []byte
	for _, r := range workload.Requests {
		b = append(b[:0], `{"prompt_tokens":`...)
		b = strconv.AppendInt(b, int64(r.PromptTokens), 10)
		b = strconv.AppendInt(append(b, `,"generated_tokens":`...), int64(r.GeneratedTokens), 10)
		b = strconv.AppendInt(append(b, `,"chars":`...), int64(r.Chars), 10)
		b = strconv.AppendInt(append(b, `,"think_ms":`...), int64(r.ThinkMS), 10)
		out.Write(append(b, '}', '\n')) // bufio keeps the first error for Flush
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("workload: %w", err)
	}
	return nil
}

// LineOf returns the line of a trace that has the request of that index, from 0,
// or 0 where there is none.
func LineOf(r io.Reader, request int) int {
	lines := record.NewLineReader(r)
	for first := true; ; first = false {
		line, err := lines.Next()
		if err != nil {
			return 0
		}
		if first && isHeader(line) {
			continue
		}
		if request == 0 {
			return lines.Line()
		}
		request--
	}
}
