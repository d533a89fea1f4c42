package record

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lathe/graphgen/arch"
)

func sampleFile() *File {
	return &File{
		Base: "model.onnx", SHA256: strings.Repeat("0123456789abcdef", 4), Bytes: 1 << 30, Vocab: 1000,
		Threads: 2, Provider: arch.Provider{Name: arch.CUDA, Options: map[string]string{"device_id": "1"}},
	}
}

// drawSubject is c, or some file.
func drawSubject(t *rapid.T, c Subject) Subject {
	if rapid.Bool().Draw(t, "candidate") {
		return c
	}
	f := sampleFile()
	f.Base = rapid.StringMatching(`[^/\\\n\x00]{1,40}`).Draw(t, "base")
	f.Vocab, f.Threads = rapid.IntRange(0, 1e6).Draw(t, "vocab"), rapid.IntRange(0, 4).Draw(t, "threads")
	if rapid.Bool().Draw(t, "recognised") {
		spec := arch.NewSpec(arch.GPT2, 3, 64, 256, 4)
		f.Spec = &spec
	}
	if rapid.Bool().Draw(t, "cpu") {
		f.Provider = arch.Provider{}
	}
	return Subject{File: f}
}

func TestSubjectNames(t *testing.T) {
	f := sampleFile()
	s := Subject{File: f}
	if got, want := s.Name(), "model.onnx@01234567+t2+cuda@device_id=1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	f.Threads, f.Provider = 0, arch.Provider{}
	if got, want := s.Name(), "model.onnx@01234567"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if s.Threads() != 1 || s.Provider().Name != arch.CPU || s.Vocab() != 1000 || s.Positions() != 0 {
		t.Errorf("%d threads on %v, %d tokens, %d positions", s.Threads(), s.Provider(), s.Vocab(), s.Positions())
	}
	if _, known := s.Spec(); known {
		t.Error("the Spec of a file that was not recognised")
	}
	c := candidate(t, "gpt2-l2-d64-f256-h4+t2")
	if o := Of(c); o.Name() != c.Name() || o.Hash() != c.Hash() || o.BuildHash() != c.Build.Hash() || o.Vocab() != 50257 || o.Positions() != 2048 || o.Threads() != 2 || !o.SameBuild(c.Build) {
		t.Errorf("%+v is another than its candidate", o)
	}
}

// Files are told apart by their content and by how they run, whatever they are called,
// and none is a candidate.
func TestSubjectsTellApart(t *testing.T) {
	s := Subject{File: sampleFile()}
	change := func(f func(*File)) Subject {
		o := sampleFile()
		f(o)
		return Subject{File: o}
	}
	spec := arch.NewSpec(arch.GPT2, 3, 64, 256, 4)
	same := map[string]Subject{
		"name": change(func(f *File) { f.Base = "other.onnx" }), "recognised": change(func(f *File) { f.Spec = &spec }),
		"normalized": s.Normalized(),
	}
	for what, o := range same {
		if !s.Equal(o) || s.Hash() != o.Hash() || s.BuildHash() != o.BuildHash() {
			t.Errorf("%s: it is another", what)
		}
	}
	others := map[string]Subject{
		"content": change(func(f *File) { f.SHA256 = strings.Repeat("f", 64) }), "threads": change(func(f *File) { f.Threads = 1 }),
		"provider": change(func(f *File) { f.Provider.Options = nil }),
		"as":       Of(arch.Candidate{Spec: spec, Build: arch.Build{Threads: 2}}), "nothing": {},
	}
	for what, o := range others {
		if s.Equal(o) || o.Equal(s) || s.Hash() == o.Hash() {
			t.Errorf("%s: it is the same", what)
		}
	}
	if o := change(func(f *File) { f.Spec, f.Threads, f.Provider = &spec, 0, arch.Provider{} }); o.SameBuild(arch.Build{}) || o.BuildHash() == (arch.Build{}).Hash() {
		t.Error("a file runs as a candidate does")
	}
	if FileHash("a", "") == FileHash("", "a") || FileHash("a", "b") == FileHash("a", "") {
		t.Error("graph and weights are not told apart")
	}
}

func TestSubjectJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawSubject(t, Of(arch.Candidate{Spec: arch.NewSpec(arch.GPT2, 2, 64, 256, 4)}))
		if err := want.Validate(); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Subject
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Normalized(), got.Normalized()); diff != "" {
			t.Fatal(diff)
		}
	})
	// A candidate is written as it always was.
	c := candidate(t, "gpt2-l2-d64-f256-h4+int4b32")
	a, errA := json.Marshal(Of(c))
	b, errB := json.Marshal(c)
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Errorf("%s\nwant %s, %v %v", a, b, errA, errB)
	}
	good, err := json.Marshal(Subject{File: sampleFile()})
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{
		`unknown field "sha"`:                      strings.Replace(string(good), `"sha256"`, `"sha"`, 1),
		"the name model.onnx@0123abcd":             strings.Replace(string(good), "@01234567", "@0123abcd", 1),
		"file is null":                             `{"file": null}`,
		"give name or spec":                        `{}`,
		`unknown field "spec"`:                     `{"file": {}, "spec": {}}`,
		"cannot unmarshal array":                   `[]`,
		"cannot unmarshal number into Go struct f": strings.Replace(string(good), `"model.onnx"`, `7`, 1),
	} {
		var s Subject
		if err := json.Unmarshal([]byte(text), &s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", text, want, err)
		}
	}
}

func TestFileValidate(t *testing.T) {
	for want, change := range map[string]func(*File){
		`base is ""`:      func(f *File) { f.Base = "" },
		`base is "a/b"`:   func(f *File) { f.Base = "a/b" },
		`base is "a\\b"`:  func(f *File) { f.Base = `a\b` },
		`sha256 is "12"`:  func(f *File) { f.SHA256 = "12" },
		`sha256 is "FFFF`: func(f *File) { f.SHA256 = strings.Repeat("F", 64) },
		"bytes is -1":     func(f *File) { f.Bytes = -1 },
		"vocab is -1":     func(f *File) { f.Vocab = -1 },
		"spec: ":          func(f *File) { f.Spec = &arch.Spec{} },
		"threads":         func(f *File) { f.Threads = -1 },
		"provider":        func(f *File) { f.Provider.Name = "abacus" },
	} {
		r := sample(t)
		r.Baseline = Subject{File: sampleFile()}
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		change(r.Baseline.File)
		if err := r.Validate(); err == nil || !strings.HasPrefix(err.Error(), "record: baseline: file: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
