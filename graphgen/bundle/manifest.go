package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
)

// manifestFormat is the version of [Manifest] that is written, and the latest that is
// read.
const manifestFormat = 1

// Manifest is what we say of a bundle, in [ManifestFile].
type Manifest struct {
	Format  int       `json:"format"` // manifestFormat
	Written string    `json:"written,omitempty"`
	Spec    arch.Spec `json:"spec"`
	Name    string    `json:"name"` // the Spec's; layers that differ have no other
	Loaders []Loader  `json:"loaders"`
	License string    `json:"license,omitempty"` // SPDX identifier
	Models  []Entry   `json:"models"`

	WeightsHash string      `json:"weights_hash"`          // of the source's
	Source      string      `json:"source,omitempty"`      // what they are: random, or a folder's or file's name
	Tokenizer   string      `json:"tokenizer"`             // what it was written from
	Begins      bool        `json:"begins_text,omitempty"` // a token stands before every text
	Figures     []Figure    `json:"figures,omitempty"`
	Space       *Space      `json:"space,omitempty"`
	Thresholds  *Thresholds `json:"thresholds,omitempty"`
	Notes       []string    `json:"notes,omitempty"` // what whoever deploys it should know

	Files []File `json:"files"` // all but the manifest, by path
}

// Entry is a model of a bundle.
type Entry struct {
	File       string     `json:"file"` // within the folder, with slashes
	DType      DType      `json:"dtype"`
	Candidate  string     `json:"candidate"` // what was lowered
	Build      arch.Build `json:"build"`
	GraphHash  string     `json:"graph_hash"`
	BuildHash  string     `json:"build_hash"`
	Library    string     `json:"min_onnxruntime"`                  // the oldest that runs it
	Optimized  string     `json:"optimized,omitempty"`              // of what model's file this is the form for one processor
	Processor  string     `json:"processor,omitempty"`              // that one
	MadeBy     string     `json:"made_by,omitempty"`                // the library that optimized it
	Binding    string     `json:"binding,omitempty"`                // how past and present are bound: shared or copied
	MeanRelErr float64    `json:"weights_relative_error,omitempty"` // that quantization made, over all weights
	Generates  *Generated `json:"generates,omitempty"`              // when it was exported
}

// Generated is what a model generates, the likeliest token each time, by which whoever
// has the bundle sees whether it still does.
type Generated struct {
	Prompt []int64 `json:"prompt"`
	Tokens []int64 `json:"tokens"` // behind it, up to one that ends a text, if there is one
}

// Figure is something that was measured, and under which conditions.
type Figure struct {
	Name       string            `json:"name"` // snake_case, with its unit: perplexity, tl_ms, latency_char_p95_ratio
	File       string            `json:"file"` // the model's
	Value      float64           `json:"value"`
	CI         *[2]float64       `json:"ci,omitempty"` // 95 %
	Conditions map[string]string `json:"conditions,omitempty"`
}

// Space is the space that a search found the model in.
type Space struct {
	Description string `json:"description"`
	Method      string `json:"method,omitempty"`
	Evaluated   int    `json:"evaluated,omitempty"`
	SpaceHash   string `json:"space_hash,omitempty"`
}

// Thresholds are what a predictor shows a suggestion by, and ends it by, in the form of
// finetune/predictor's Rule: natural logarithms of probabilities, nil lets all pass.
type Thresholds struct {
	Scoring   string   `json:"scoring,omitempty"`
	Show      *float64 `json:"show_log_prob"`
	Stop      *float64 `json:"stop_log_prob"`
	MaxTokens int      `json:"max_tokens,omitempty"`
	MaxChars  int      `json:"max_chars,omitempty"`
}

// File is one of a bundle's, with what is in it.
type File struct {
	Path   string `json:"path"` // within the folder, with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// maxFiles bounds a manifest's list; a bundle has a few dozen.
const maxFiles = 10_000

// ParseManifest reads a manifest; name is the file's in errors.
func ParseManifest(name string, text []byte) (*Manifest, error) {
	var head struct {
		Format *int `json:"format"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("bundle: %s: %w%s", name, err, hf.LineOf(text, err))
	}
	switch {
	case head.Format == nil:
		return nil, fmt.Errorf("bundle: %s: format is missing: want %d", name, manifestFormat)
	case *head.Format < 1 || *head.Format > manifestFormat:
		return nil, fmt.Errorf("bundle: %s: format %d; this version reads %d at most", name, *head.Format, manifestFormat)
	}
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("bundle: %s: %w%s", name, err, hf.LineOf(text, err))
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("bundle: %s: %w", name, err)
	}
	return m, nil
}

func (m *Manifest) check() error {
	if err := m.Spec.Validate(); err != nil {
		return fmt.Errorf("spec: %w", err)
	}
	if len(m.Models) == 0 {
		return errors.New("models: there is none")
	}
	if len(m.Files) > maxFiles || len(m.Models) > maxFiles {
		return fmt.Errorf("%d files and %d models; at most %d are taken", len(m.Files), len(m.Models), maxFiles)
	}
	listed := map[string]bool{}
	for i, f := range m.Files {
		switch {
		case !local(f.Path):
			return fmt.Errorf("files: %q is not a file of the folder", f.Path)
		case listed[f.Path]:
			return fmt.Errorf("files: %q is there twice", f.Path)
		case f.Bytes < 0 || len(f.SHA256) != 64 || strings.Trim(f.SHA256, "0123456789abcdef") != "":
			return fmt.Errorf("files.%d: %s has %d bytes and sha256 %.70q: want 64 hexadecimal digits", i, f.Path, f.Bytes, f.SHA256)
		}
		listed[f.Path] = true
	}
	for i, e := range m.Models {
		if !listed[e.File] {
			return fmt.Errorf("models.%d: %q is not among files", i, e.File)
		}
		if err := e.Build.Validate(); err != nil {
			return fmt.Errorf("models.%d: build: %w", i, err)
		}
	}
	return nil
}

// local reports whether a slash path stays within a folder, and is written in one way.
func local(p string) bool {
	return p != "" && p != "." && !strings.ContainsAny(p, "\\\x00") && !path.IsAbs(p) && path.Clean(p) == p && p != ".." && !strings.HasPrefix(p, "../")
}

// format is the manifest's text.
func (m *Manifest) format() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	return b.Bytes(), nil
}
