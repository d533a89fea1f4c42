package record

import (
	"strings"
	"testing"
)

func TestWorkloadFirst(t *testing.T) {
	w := drawn(20)
	for n, want := range map[int]int{-1: 0, 0: 0, 7: 7, 20: 20, 21: 20} {
		got := w.First(n)
		if len(got.Requests) != want || got.Name != w.Name {
			t.Errorf("First(%d) has %d requests, want %d", n, len(got.Requests), want)
		}
		_ = append(got.Requests, WorkloadRequest{}) // which must not reach w
	}
	if w.Hash() != drawn(20).Hash() || len(w.Requests) != 20 {
		t.Error("taking the first ones changed the workload")
	}
	if w.Hash() == w.First(19).Hash() {
		t.Error("19 requests have the hash of 20")
	}
}

func TestWorkloadValidate(t *testing.T) {
	ok := WorkloadRequest{PromptTokens: 5, GeneratedTokens: 2, Chars: 9, ThinkMS: 10}
	if err := ok.Validate(); err != nil {
		t.Error(err)
	}
	if err := (WorkloadRequest{PromptTokens: 1}).Validate(); err != nil {
		t.Error("a prompt alone:", err)
	}
	for want, change := range map[string]func(*WorkloadRequest){
		"prompt_tokens is 0: want 1 to 1073741824":     func(r *WorkloadRequest) { r.PromptTokens = 0 },
		"prompt_tokens is 1073741825: want 1 to":       func(r *WorkloadRequest) { r.PromptTokens = MaxCount + 1 },
		"generated_tokens is -1: want 0 to 1073741824": func(r *WorkloadRequest) { r.GeneratedTokens = -1 },
		"generated_tokens is 1073741825: want 0 to":    func(r *WorkloadRequest) { r.GeneratedTokens = MaxCount + 1 },
		"chars is -1: want 0 to 1073741824":            func(r *WorkloadRequest) { r.Chars = -1 },
		"chars is 1073741825: want 0 to":               func(r *WorkloadRequest) { r.Chars = MaxCount + 1 },
		"think_ms is -1: want 0 to 1073741824":         func(r *WorkloadRequest) { r.ThinkMS = -1 },
		"think_ms is 1073741825: want 0 to":            func(r *WorkloadRequest) { r.ThinkMS = MaxCount + 1 },
		"chars is 9 with no generated token: want 0":   func(r *WorkloadRequest) { r.GeneratedTokens = 0 },
	} {
		r := ok
		change(&r)
		err := Workload{Name: "w", Requests: []WorkloadRequest{ok, r}}.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "record: workload.requests[1]."+want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	for want, w := range map[string]Workload{
		"workload.name is empty":       {Requests: []WorkloadRequest{ok}},
		`workload "w" has no requests`: {Name: "w"},
	} {
		if err := w.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestStrict(t *testing.T) {
	var v struct {
		A int `json:"a"`
	}
	if err := Strict([]byte(` {"a": 3} `), &v); err != nil || v.A != 3 {
		t.Error(v, err)
	}
	for in, want := range map[string]string{
		`{"a": 3, "a": 4}`: `field "a" appears twice`,
		`{"A": 3}`:         `unknown field "A": the nearest known one is "a"`,
		`{"a": "x"}`:       `field a is a string: want int`,
		`{"a": 3`:          `column 7: unexpected end of JSON input`,
		`[3]`:              `[3] is not a JSON object`,
	} {
		if err := Strict([]byte(in), &v); err == nil || err.Error() != want {
			t.Errorf("%s: want %q, got %v", in, want, err)
		}
	}
}
