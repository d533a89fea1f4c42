package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"lathe/graphgen/arch"
)

// Subject is what was timed: a candidate, lowered and run by us, or an ONNX file of
// somebody's, run as it is.
type Subject struct {
	Candidate arch.Candidate // the zero one where File is set
	File      *File
}

// Of is the subject that a candidate is.
func Of(c arch.Candidate) Subject { return Subject{Candidate: c} }

// Own returns the candidate that s is; ok is false for a file.
func (s Subject) Own() (c arch.Candidate, ok bool) { return s.Candidate, s.File == nil }

// Spec returns the architecture of a candidate, or the one that a file was
// recognised as; ok is false where that is not known.
func (s Subject) Spec() (spec arch.Spec, ok bool) {
	switch {
	case s.File == nil:
		return s.Candidate.Spec, true
	case s.File.Spec != nil:
		return *s.File.Spec, true
	}
	return arch.Spec{}, false
}

// Vocab is the number of tokens that s gives logits of; 0 is unknown.
func (s Subject) Vocab() int {
	if s.File != nil {
		return s.File.Vocab
	}
	return s.Candidate.Spec.Vocab
}

// Positions is the longest sequence that s takes, in tokens; 0 is unknown.
func (s Subject) Positions() int {
	if spec, ok := s.Spec(); ok {
		return spec.Positions
	}
	return 0
}

// Threads is how many threads run one operator of s.
func (s Subject) Threads() int { return s.running().Threads }

// Provider is the execution provider that s runs on.
func (s Subject) Provider() arch.Provider { return s.running().Provider }

// running has the threads and the provider of s, and nothing else of a file.
func (s Subject) running() arch.Build {
	if f := s.File; f != nil {
		return arch.Build{Threads: f.Threads, Provider: f.Provider}.Normalized()
	}
	return s.Candidate.Build.Normalized()
}

// SameBuild reports whether s is a candidate that runs as b says. A file never does:
// what its operators are is its own affair.
func (s Subject) SameBuild(b arch.Build) bool {
	return s.File == nil && s.Candidate.Build.Equal(b)
}

// Name names s in tables: a candidate's name, or a file's with the first digits of
// its hash, and how it runs.
func (s Subject) Name() string {
	if f := s.File; f != nil {
		return f.Base + "@" + f.SHA256[:min(8, len(f.SHA256))] + s.running().Name()
	}
	return s.Candidate.Name()
}

// Hash is the hex SHA-256 of what s is and of how it runs. What a file is called, and
// what it was recognised as, are no part of it.
func (s Subject) Hash() string {
	if f := s.File; f != nil {
		return digest("lathe file 1\ncontent " + f.SHA256 + "\nbuild " + s.running().Hash() + "\n")
	}
	return s.Candidate.Hash()
}

// BuildHash is the hash of how s runs. That of a file is no candidate's.
func (s Subject) BuildHash() string {
	if s.File != nil {
		return digest("lathe file build 1\nbuild " + s.running().Hash() + "\n")
	}
	return s.Candidate.Build.Hash()
}

// Equal reports whether s and o are the same thing, run in the same way.
func (s Subject) Equal(o Subject) bool {
	if s.File != nil && o.File != nil {
		return s.Hash() == o.Hash()
	}
	return s.File == nil && o.File == nil && s.Candidate.Equal(o.Candidate)
}

// Normalized returns s with every default filled in.
func (s Subject) Normalized() Subject {
	if s.File == nil {
		return Of(s.Candidate.Normalized())
	}
	f, b := *s.File, s.running()
	f.Threads, f.Provider = b.Threads, b.Provider
	if f.Spec != nil {
		spec := f.Spec.Normalized()
		f.Spec = &spec
	}
	return Subject{File: &f}
}

// Validate reports the first thing that is wrong with s.
func (s Subject) Validate() error {
	if s.File != nil {
		return s.File.validate()
	}
	return s.Candidate.Validate()
}

// fileDoc is a file as JSON has it; a candidate is as arch writes it. The name is
// there for readers.
type fileDoc struct {
	Name string `json:"name,omitempty"`
	File *File  `json:"file"`
}

// MarshalJSON writes a candidate as arch does, and a file as {"name", "file"}.
func (s Subject) MarshalJSON() ([]byte, error) {
	if s.File != nil {
		return json.Marshal(fileDoc{s.Name(), s.File})
	}
	return json.Marshal(s.Candidate)
}

// UnmarshalJSON reads what MarshalJSON writes. Unknown fields are errors; sizes are
// for Validate to judge.
func (s *Subject) UnmarshalJSON(data []byte) error {
	var keys map[string]json.RawMessage
	if json.Unmarshal(data, &keys) != nil || keys["file"] == nil {
		var v Subject
		if err := json.Unmarshal(data, &v.Candidate); err != nil {
			return err
		}
		*s = v
		return nil
	}
	var d fileDoc
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return fmt.Errorf("record: subject: %w", err)
	}
	if d.File == nil {
		return errors.New("record: subject: file is null: want what it is")
	}
	v := Subject{File: d.File}
	if d.Name != "" && d.Name != v.Name() {
		return fmt.Errorf("record: subject: the name %s and the rest disagree: that is %s", d.Name, v.Name())
	}
	*s = v
	return nil
}
