// Package hf reads and writes model folders as Hugging Face's transformers keeps
// them: config.json says what a model is, model.safetensors (or several files and
// their index) holds its weights.
//
// A folder becomes an arch.Spec and the weights of the graph that graphgen lowers
// it to, and a Spec and weights become a folder that transformers opens. The
// architectures are those of our families: gpt2 for GPT-2, and llama, mistral and
// qwen2 for LLaMA. What a configuration asks for and the lowering does not compute
// is an error that names it: a model that is nearly right is wrong.
//
// Folders come from strangers. Files are read where they are, regular ones of the
// folder only (see [Open]), and weights are streamed (package weights has the
// arithmetic, weights/safetensors the file format). The hub and the formats that
// run code when they are read (pickled weights, custom architectures) are not for
// this package.
package hf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lathe/graphgen/arch"
	"lathe/graphgen/weights"
	"lathe/graphgen/weights/safetensors"
)

// Names of a model folder's files.
const (
	ConfigFile  = "config.json"
	WeightsFile = "model.safetensors"
	IndexFile   = WeightsFile + ".index.json"
)

// Model is a model's folder, opened.
type Model struct {
	Dir    string
	Config *Config
	// Tensors are those that the model needs and the folder has, by name as
	// transformers' class for language models has them.
	Tensors []Tensor
	// Ignored are tensors that no computation needs: masks of old versions, the
	// rotary embedding's frequencies, the head of a model whose head is tied.
	Ignored []string
	// Missing and Extra are tensors that the model needs and the folder lacks, and
	// the other way round. Shapes says which are of other shapes or types than
	// config.json has it. A model that has any of these is not whole: see Check.
	Missing, Extra []string
	Shapes         []error

	files []*os.File
}

// Tensor is a weight that a model needs, and where it is.
type Tensor struct {
	Name  string
	Shape []int64
	Type  weights.FloatType
	File  string // within the folder

	at io.ReaderAt
}

// Stored is the tensor as a matrix.
func (t Tensor) Stored() *weights.Stored {
	rows, cols := int64(1), t.Shape[0]
	if len(t.Shape) == 2 {
		rows, cols = t.Shape[0], t.Shape[1]
	}
	return &weights.Stored{Data: t.at, Type: t.Type, Rows: rows, Cols: cols}
}

// Open reads a folder's configuration and the headers of its weights, and matches
// the two. Symbolic links are followed to regular files within the folder, and, in
// a copy of the hub's cache, to the blobs beside it; nowhere else.
func Open(dir string) (_ *Model, err error) {
	m := &Model{Dir: dir}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if m.Config, err = readConfig(dir); err != nil {
		return nil, err
	}
	found, err := m.openWeights()
	if err != nil {
		return nil, err
	}
	m.match(found)
	return m, nil
}

// Close closes the files; the tensors cannot be read from then on.
func (m *Model) Close() error {
	var errs []error
	for _, f := range m.files {
		errs = append(errs, f.Close())
	}
	m.files = nil
	return errors.Join(errs...)
}

// Spec is what the model is.
func (m *Model) Spec() arch.Spec { return m.Config.Spec }

// Named are the tensors as package weights scans them.
func (m *Model) Named() []weights.Named {
	out := make([]weights.Named, len(m.Tensors))
	for i, t := range m.Tensors {
		out[i] = weights.Named{Name: t.Name, Stored: t.Stored()}
	}
	return out
}

// Matrices are the tensors by name, in the layout that they are stored in.
func (m *Model) Matrices() map[string]weights.Matrix {
	out := make(map[string]weights.Matrix, len(m.Tensors))
	for _, t := range m.Tensors {
		out[t.Name] = t.Stored()
	}
	return out
}

// ErrNotWhole marks a folder whose tensors are not those of its config.json.
var ErrNotWhole = errors.New("the weights are not those of " + ConfigFile)

// Check is nil if the folder has all tensors of the model, in its shapes, and no
// other: one that nobody knows may be part of a computation that the graph lacks.
func (m *Model) Check() error {
	var parts []string
	if len(m.Missing) > 0 {
		parts = append(parts, "missing "+some(m.Missing))
	}
	if len(m.Extra) > 0 {
		parts = append(parts, "not known "+some(m.Extra))
	}
	if len(m.Shapes) > 0 {
		text := make([]string, len(m.Shapes))
		for i, e := range m.Shapes {
			text[i] = e.Error()
		}
		parts = append(parts, some(text))
	}
	if len(parts) == 0 {
		return nil
	}
	return fmt.Errorf("hf: %s: %w: %s", m.Dir, ErrNotWhole, strings.Join(parts, "; "))
}

// some is a list for a message: all of a few, the first of many.
func some(list []string) string {
	const most = 8
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// match sorts what the files have into what the model needs and what it does not.
func (m *Model) match(found []stored) {
	type place struct {
		i    int
		file string
	}
	have := map[string]place{}
	for i, f := range found {
		name := m.Config.canonical(f.Name)
		if was, twice := have[name]; twice {
			m.Shapes = append(m.Shapes, fmt.Errorf("tensor %s is in %s as %s and in %s as %s", name, was.file, found[was.i].Name, f.file, f.Name))
			continue
		}
		have[name] = place{i, f.file}
	}
	for _, want := range Tensors(m.Config.Spec) {
		p, ok := have[want.Name]
		delete(have, want.Name)
		if !ok {
			m.Missing = append(m.Missing, want.Name)
			continue
		}
		got := found[p.i]
		t := want
		t.File, t.at = got.file, got.at
		switch got.Type {
		case safetensors.F32:
			t.Type = weights.Float32
		case safetensors.F16:
			t.Type = weights.Float16
		case safetensors.BF16:
			t.Type = weights.BFloat16
		default:
			m.Shapes = append(m.Shapes, fmt.Errorf("%s in %s is %s; F32, F16 and BF16 are read", want.Name, got.file, got.Type))
			continue
		}
		if !slices.Equal(got.Shape, want.Shape) {
			m.Shapes = append(m.Shapes, fmt.Errorf("%s in %s is %s, and by %s %s", want.Name, got.file, safetensors.Dims(got.Shape), ConfigFile, safetensors.Dims(want.Shape)))
			continue
		}
		m.Tensors = append(m.Tensors, t)
	}
	for name, p := range have {
		if m.Config.ignorable(name) {
			m.Ignored = append(m.Ignored, found[p.i].Name)
		} else {
			m.Extra = append(m.Extra, found[p.i].Name)
		}
	}
	slices.Sort(m.Ignored)
	slices.Sort(m.Extra)
}

// ReadFile is a small file of a model's folder, by its bare name: a regular one, and not
// one elsewhere that a link leads to.
func ReadFile(dir, name string, most int64) ([]byte, error) {
	f, size, err := open(dir, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > most {
		return nil, fmt.Errorf("hf: %s: %d bytes; at most %d are taken", filepath.Join(dir, name), size, most)
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("hf: %w", err)
	}
	return b, nil
}
