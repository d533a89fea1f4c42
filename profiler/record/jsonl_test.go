package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// A nil and an empty list mean the same.
var emptyIsNil = cmpopts.EquateEmpty()

func line(t testing.TB, r Record) string {
	t.Helper()
	var b bytes.Buffer
	if err := NewEncoder(&b).Encode(r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFieldNames(t *testing.T) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line(t, sample(t))), &top); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{
		"pl":       `[{"len":64,"ns":90,"partner_ns":100,"partner_first":true}]`,
		"seed":     `18446744073709551615`,
		"time":     `"2026-03-01T12:00:00.000000005Z"`,
		"workload": `{"name":"w","description":"two","requests":[{"prompt_tokens":5,"generated_tokens":2,"chars":9,"think_ms":0},{"prompt_tokens":7,"generated_tokens":1,"chars":0,"think_ms":1500}]}`,
		"conditions": `{"cpus":[1],"child_process":true,"usage":{"wall_ns":8000000000,"own_cpu_ns":7900000000,"others_cpu_ns":60000000,"steal_ns":50000000,` +
			`"involuntary_switches":4,"major_faults":0,"min_mhz":2000,"max_mhz":2100}}`,
		"stop": `{"question":{"metric":"tl","margin":0.05,"precision":0.01},"verdict":"faster","reason":"decided",` +
			`"level":0.95,"nominal_level":0.99,"looks":3,"elapsed_ns":12345}`,
		"emit_ns":      `1`,
		"create_ns":    `2`,
		"warmup_ns":    `3`,
		"graph_hash":   `"aa"`,
		"build_hash":   `"bb"`,
		"weights_hash": `"cc"`,
		"binding":      `"shared"`,
		"host": `{"cpu_model":"cpu","flags":["avx2","fma"],"cores":2,"governor":"performance","memory_bytes":8589934592,` +
			`"kernel":"6.1","os":"linux","arch":"amd64","library_version":"1.32.0","provider":"cpu","huge_pages":false}`,
	} {
		if string(top[field]) != want {
			t.Errorf("%s: %s, want %s", field, top[field], want)
		}
	}
	if got := string(top["requests"]); !strings.HasPrefix(got, `[{"own":{"prompt_tokens":5,"generated_tokens":2,"chars":9,"pl_ns":50,"tl_ns":[5]},"partner":{`) {
		t.Errorf("requests: %s", got)
	}
}

func TestRoundTrip(t *testing.T) {
	base := sample(t)
	rapid.Check(t, func(t *rapid.T) {
		var want []Record
		var b bytes.Buffer
		enc := NewEncoder(&b)
		for range rapid.IntRange(0, 4).Draw(t, "n") {
			r := drawRecord(t, base)
			if err := enc.Encode(r); err != nil {
				t.Fatal(err)
			}
			want = append(want, r)
		}
		var got []Record
		for r, err := range NewDecoder(&b).All() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r)
		}
		if diff := cmp.Diff(want, got, emptyIsNil); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestEncodeRefuses(t *testing.T) {
	r := sample(t)
	r.Binding = ""
	var b bytes.Buffer
	if err := NewEncoder(&b).Encode(r); err == nil || b.Len() != 0 {
		t.Errorf("error %v, %d bytes written", err, b.Len())
	}
}

func TestDecodeErrors(t *testing.T) {
	good := line(t, sample(t))
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	for want, text := range map[string]string{
		`line 2: unknown field "bindin": the nearest known one is "binding"`:                  good + swap(`"binding"`, `"bindin"`),
		`line 1: unknown field "pl[0].partner_nss": the nearest known one is "partner_ns"`:    swap(`"partner_ns"`, `"partner_nss"`),
		`line 1: unknown field "pl[0].NS": the nearest known one is "ns"`:                     swap(`"ns"`, `"NS"`),
		`unknown field "host.cpu": the nearest known one is "cpu_model"`:                      swap(`"cpu_model"`, `"cpu"`),
		`unknown field "requests[0].own.pl": the nearest known one is "pl_ns"`:                swap(`"pl_ns"`, `"pl"`),
		`field "binding" appears twice`:                                                       swap(`"binding":"shared"`, `"binding":"shared","binding":"copied"`),
		`line 1: field pl.ns is a string: want int64`:                                         swap(`"ns":90`, `"ns":"90"`),
		`field pl.ns is a number 1.5: want int64`:                                             swap(`"ns":90`, `"ns":1.5`),
		`line 1: pl[0].ns is -90: want a positive time`:                                       swap(`"ns":90`, `"ns":-90`),
		"line 4: binding is \"x\"":                                                            good + "\n  \n" + swap(`"shared"`, `"x"`),
		"line 2: column 2: ":                                                                  good + "{]\n" + good,
		"line 1: [] is not a JSON object":                                                     "[]\n",
		"line 1: null is not a JSON object":                                                   "null",
		"line 1: time is missing":                                                             "{}\n",
		"after top-level value":                                                               strings.TrimSuffix(good, "\n") + good,
		"line 2: the file ends inside a record: 40 bytes and no line end (column 40: unexpec": good + good[:40],
	} {
		var err error
		for _, err = range NewDecoder(strings.NewReader(text)).All() {
			if err != nil {
				break
			}
		}
		var le *LineError
		if !errors.As(err, &le) || !strings.HasPrefix(err.Error(), "record: line ") || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestTruncatedLastLine(t *testing.T) {
	good := line(t, sample(t))
	for cut := 1; cut < len(good)-1; cut++ {
		d := NewDecoder(strings.NewReader(good + good[:cut]))
		if _, err := d.Decode(); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Decode(); !errors.Is(err, ErrTruncated) || d.Line() != 2 {
			t.Fatalf("cut at %d: %v at line %d", cut, err, d.Line())
		}
		if _, err := d.Decode(); err != io.EOF {
			t.Fatalf("after the cut line: %v", err)
		}
	}
	// A last line that lacks nothing but its end is a record.
	d := NewDecoder(strings.NewReader(strings.TrimSuffix(good, "\n")))
	if _, err := d.Decode(); err != nil {
		t.Error(err)
	}
	// Reading goes on behind a bad line.
	d = NewDecoder(strings.NewReader("{]\n" + good))
	if _, err := d.Decode(); err == nil {
		t.Error("no error")
	}
	if _, err := d.Decode(); err != nil {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("cable out") }

func TestReadErrorNamesTheLine(t *testing.T) {
	d := NewDecoder(io.MultiReader(strings.NewReader(line(t, sample(t))), failing{}))
	if _, err := d.Decode(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Decode(); err == nil || err.Error() != "record: line 2: cable out" {
		t.Errorf("got %v", err)
	}
	long := io.LimitReader(zeros{}, maxLine+10)
	if _, err := NewDecoder(long).Decode(); err == nil || !strings.Contains(err.Error(), "want at most") {
		t.Errorf("a line without end: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '0'
	}
	return len(b), nil
}

// FuzzDecoder: no input panics; what is accepted is valid, and writing and reading
// it again gives the same record.
func FuzzDecoder(f *testing.F) {
	good := line(f, sample(f))
	f.Add([]byte(good))
	f.Add([]byte(good + good[:100]))
	f.Add([]byte(strings.Replace(good, `"ns":90`, `"ns":1e2`, 1)))
	f.Add([]byte(strings.Replace(good, `"pl":[`, `"pl":[null,`, 1)))
	file := sample(f)
	file.Baseline = Subject{File: sampleFile()}
	f.Add([]byte(line(f, file)))
	f.Add([]byte("\n{}\n[]\nnull\n{\"a\":{\"a\":[{}]}}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := NewDecoder(bytes.NewReader(b))
		for {
			r, err := d.Decode()
			if err == io.EOF {
				return
			}
			if err != nil {
				var le *LineError
				if !errors.As(err, &le) || le.Line != d.Line() {
					t.Fatalf("%v is not an error of line %d", err, d.Line())
				}
				continue
			}
			again, err := Unmarshal([]byte(line(t, r)))
			if err != nil {
				t.Fatal(err)
			}
			if line(t, again) != line(t, r) {
				t.Fatalf("read %+v, then %+v", r, again)
			}
			Summarize(r, Options{})
		}
	})
}
