package workload

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lathe/profiler/record"
)

func TestRead(t *testing.T) {
	const text = `
 {"workload": "keyboard", "description": "a week"}
{"prompt_tokens": 64, "generated_tokens": 4, "chars": 17, "think_ms": 1200}

{ "think_ms":0,"chars":0 , "generated_tokens":	0,"prompt_tokens":1}
{"prompt_tokens":7,"generated_tokens":1,"chars":3}`
	want := record.Workload{Name: "keyboard", Description: "a week", Requests: []record.WorkloadRequest{
		{PromptTokens: 64, GeneratedTokens: 4, Chars: 17, ThinkMS: 1200}, {PromptTokens: 1}, {PromptTokens: 7, GeneratedTokens: 1, Chars: 3},
	}}
	got, err := Read(strings.NewReader(text), "dir/trace.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i, line := range []int{3, 5, 6} {
		if n := LineOf(strings.NewReader(text), i); n != line {
			t.Errorf("request %d is in line %d, want %d", i, n, line)
		}
	}
	if n := LineOf(strings.NewReader(text), 3); n != 0 {
		t.Errorf("a fourth request in line %d", n)
	}
	// Without a header it is called after the file.
	got, err = Read(strings.NewReader(`{"prompt_tokens":7,"generated_tokens":1,"chars":3}`), "dir/week 3.jsonl")
	if err != nil || got.Name != "week 3" || got.Description != "1 request of the trace week 3.jsonl" || got.Validate() != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReadErrors(t *testing.T) {
	const ok = `{"prompt_tokens":7,"generated_tokens":1,"chars":3}` + "\n"
	for text, want := range map[string]string{
		``:                                        `w.jsonl has no requests: want at least one line such as {"prompt_tokens": 64,`,
		"\n\n":                                    `w.jsonl has no requests`,
		`{"workload":"x"}` + "\n":                 `w.jsonl has no requests`,
		`{"workload":""}` + "\n" + ok:             `w.jsonl:1: the header's workload is empty`,
		`{"description":"y"}` + "\n" + ok:         `w.jsonl:1: the header's workload is empty`,
		`{"workload":"x","seed":1}` + "\n" + ok:   `w.jsonl:1: unknown field "seed": the nearest known one is`,
		ok + `{"workload":"x"}` + "\n":            `w.jsonl:2: "workload" and "description" stand in the first line only`,
		ok + "\n" + `{"prompt_token":7}` + "\n":   `w.jsonl:3: unknown field "prompt_token": the nearest known one is "prompt_tokens"`,
		`{"prompt_tokens":7,"chars":3,"chars":3}`: `w.jsonl:1: field "chars" appears twice`,
		`{"prompt_tokens":7,"generated_tokens":1,"Chars":3}`:                    `w.jsonl:1: unknown field "Chars": the nearest known one is "chars"`,
		`{"prompt_tokens":7,"generated_tokens":1}`:                              `w.jsonl:1: chars is missing: want a line such as`,
		`{"prompt_tokens":7,"chars":1}`:                                         `w.jsonl:1: generated_tokens is missing`,
		`{}`:                                                                    `w.jsonl:1: prompt_tokens is missing`,
		`{"prompt_tokens":null,"generated_tokens":1,"chars":3}`:                 `w.jsonl:1: prompt_tokens is missing`,
		`{"prompt_tokens":0,"generated_tokens":1,"chars":3}`:                    `w.jsonl:1: prompt_tokens is 0: want 1 to 1073741824`,
		`{"prompt_tokens":-7,"generated_tokens":1,"chars":3}`:                   `w.jsonl:1: prompt_tokens is -7: want 1 to`,
		`{"prompt_tokens":1,"generated_tokens":-1,"chars":3}`:                   `w.jsonl:1: generated_tokens is -1: want 0 to`,
		`{"prompt_tokens":1,"generated_tokens":1,"chars":-3}`:                   `w.jsonl:1: chars is -3: want 0 to`,
		`{"prompt_tokens":1,"generated_tokens":0,"chars":3}`:                    `w.jsonl:1: chars is 3 with no generated token: want 0`,
		ok[:len(ok)-2] + `,"think_ms":-1}`:                                      `w.jsonl:1: think_ms is -1: want 0 to`,
		`{"prompt_tokens":7.0,"generated_tokens":1,"chars":3}`:                  `w.jsonl:1: field prompt_tokens is a number 7.0: want int`,
		`{"prompt_tokens":1e2,"generated_tokens":1,"chars":3}`:                  `w.jsonl:1: field prompt_tokens is a number 1e2: want int`,
		`{"prompt_tokens":"7","generated_tokens":1,"chars":3}`:                  `w.jsonl:1: field prompt_tokens is a string: want int`,
		`{"prompt_tokens":9999999999,"generated_tokens":1}`:                     `w.jsonl:1: chars is missing`,
		`{"prompt_tokens":9999999999,"generated_tokens":1,"chars":0}`:           `w.jsonl:1: prompt_tokens is 9999999999: want 1 to`,
		`{"prompt_tokens":99999999999999999999,"generated_tokens":1,"chars":0}`: `w.jsonl:1: field prompt_tokens is a number 99999999999999999999: want int`,
		`{"prompt_tokens":07,"generated_tokens":1,"chars":3}` + "\n":            `w.jsonl:1: column 19: invalid character '7'`,
		ok + `[7,1,3]` + "\n":                                                   `w.jsonl:2: [7,1,3] is not a JSON object`,
		ok + "7 1 3\n":                                                          `w.jsonl:2: column 3: invalid character '1'`,
		ok + ok[:20]:                                                            `w.jsonl:2: the file ends inside a record: 20 bytes`,
		`{"prompt_tokens":7,"generated_tokens":1,"chars":3},` + "\n":            `w.jsonl:1: column 51: invalid character ','`,
	} {
		_, err := Read(strings.NewReader(text), "w.jsonl")
		if err == nil || !strings.HasPrefix(err.Error(), "workload: "+want) {
			t.Errorf("%q\nwant %q\n got %v", text, want, err)
		}
	}
}

var genRequest = rapid.Custom(func(t *rapid.T) record.WorkloadRequest {
	count := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(0, record.MaxCount))
	r := record.WorkloadRequest{PromptTokens: max(1, count.Draw(t, "prompt")), GeneratedTokens: count.Draw(t, "generated"), ThinkMS: count.Draw(t, "think")}
	if r.GeneratedTokens > 0 {
		r.Chars = count.Draw(t, "chars")
	}
	return r
})

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := record.Workload{
			Name: rapid.StringN(1, 20, -1).Draw(t, "name"), Description: rapid.StringN(1, 20, -1).Draw(t, "description"),
			Requests: rapid.SliceOfN(genRequest, 1, 20).Draw(t, "requests"),
		}
		var b bytes.Buffer
		if err := Write(&b, want); err != nil {
			t.Fatal(err)
		}
		got, err := Read(bytes.NewReader(b.Bytes()), "f")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
	if err := Write(new(bytes.Buffer), record.Workload{Name: "x", Requests: []record.WorkloadRequest{{}}}); err == nil {
		t.Error("a request without a prompt was written")
	}
	full := errors.New("disk full")
	if err := Write(failing{full}, Default(1)); !errors.Is(err, full) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// The quick reader of lines takes nothing that the strict one refuses, and reads it
// the same.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"prompt_tokens":7,"generated_tokens":1,"chars":3,"think_ms":10}`))
	f.Add([]byte(`{ "chars" : 12,"generated_tokens":0 , "prompt_tokens":4}`))
	f.Add([]byte(`{"workload":"x","description":""}`))
	f.Add([]byte(`{"prompt_tokens":07,"chars":1,"chars":2,}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for line := range bytes.Lines(data) {
			if quick, ok := parseRequest(line); ok {
				strict, err := readRequest(line)
				if err != nil || strict != quick {
					t.Fatalf("%q: %+v, %+v, %v", line, quick, strict, err)
				}
			}
		}
		w, err := Read(bytes.NewReader(data), "f")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "workload: f") {
				t.Fatal(err)
			}
			return
		}
		if err := w.Validate(); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Write(&b, w); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&b, "f")
		if err != nil || again.Hash() != w.Hash() {
			t.Fatal(err)
		}
	})
}

// The usual lines go the quick way.
func TestQuickLines(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, Typing(1)); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		if _, ok := parseRequest([]byte(line)); ok != (i > 0) {
			t.Fatalf("line %d: %s: %v", i+1, line, ok)
		}
	}
}

// A million requests, which are to be read in about a second.
func BenchmarkRead(b *testing.B) {
	w, err := Named("typing", 1, 1_000_000)
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, w); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(out.Len()))
	for b.Loop() {
		if _, err := Read(bytes.NewReader(out.Bytes()), "f"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCheck(t *testing.T) {
	w := record.Workload{Name: "w", Requests: []record.WorkloadRequest{
		{PromptTokens: 5, GeneratedTokens: 3}, {PromptTokens: 6, GeneratedTokens: 3}, {PromptTokens: 60}}}
	if err := Check(w, 60); err != nil {
		t.Error(err)
	}
	err := Check(w, 8)
	var long *TooLongError
	if !errors.As(err, &long) || long.Index != 1 || long.Positions != 8 {
		t.Fatal(err)
	}
	if want := "workload: w: request 2 takes 9 positions (6 prompt and 3 generated tokens): the model has 8"; err.Error() != want {
		t.Error(err)
	}
}

func TestLimitThink(t *testing.T) {
	w := record.Workload{Name: "w", Description: "mine", Requests: []record.WorkloadRequest{
		{PromptTokens: 5, ThinkMS: 100}, {PromptTokens: 5, ThinkMS: 101}, {PromptTokens: 5, ThinkMS: 9000}}}
	was := fmt.Sprint(w)
	got := LimitThink(w, 100)
	for _, r := range got.Requests {
		if r.ThinkMS != 100 {
			t.Errorf("%+v", r)
		}
	}
	if want := "mine; 2 of 3 think times, longer than 100 ms, were cut to it"; got.Description != want {
		t.Error(got.Description)
	}
	if got := LimitThink(w, 0); got.Requests[2].ThinkMS != 0 || got.Description != "mine; its think times were left out" {
		t.Errorf("%+v", got)
	}
	if got := LimitThink(w, 9000); cmp.Diff(w, got) != "" {
		t.Error("nothing was to be cut")
	}
	if fmt.Sprint(w) != was {
		t.Error("the workload itself was changed")
	}
}
