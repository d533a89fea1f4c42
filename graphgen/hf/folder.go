package hf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lathe/graphgen/weights/safetensors"
)

// ErrOutside marks a file that is not the folder's own.
var ErrOutside = errors.New("not a file of the folder")

// open opens a regular file that stands in dir, by its bare name. A link is
// followed within the folder; and out of a snapshot of the hub's cache
// (models--x/snapshots/REVISION/) to its blobs (models--x/blobs/), which is how
// that cache is made. Any other way out is refused, and so is what is no regular
// file: a pipe would wait for ever.
func open(dir, name string) (*os.File, int64, error) {
	path := filepath.Join(dir, name)
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`+"\x00") || !filepath.IsLocal(name) {
		return nil, 0, fmt.Errorf("hf: %s: %q: %w", dir, name, ErrOutside)
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, 0, fmt.Errorf("hf: %w", err)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, 0, fmt.Errorf("hf: %w", err)
	}
	within := func(folder string) bool {
		rel, err := filepath.Rel(folder, real)
		return err == nil && filepath.IsLocal(rel)
	}
	snapshots := filepath.Dir(root)
	inHub := filepath.Base(snapshots) == "snapshots" && within(filepath.Join(filepath.Dir(snapshots), "blobs"))
	if !within(root) && !inHub {
		return nil, 0, fmt.Errorf("hf: %s leads to %s: %w; copy it into %s if it is meant", path, real, ErrOutside, dir)
	}
	info, err := os.Stat(real)
	if err != nil {
		return nil, 0, fmt.Errorf("hf: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("hf: %s is no regular file: %w", path, ErrOutside)
	}
	f, err := os.Open(real)
	if err != nil {
		return nil, 0, fmt.Errorf("hf: %w", err)
	}
	return f, info.Size(), nil
}

// stored is a tensor as a file of the folder has it.
type stored struct {
	safetensors.Tensor
	file string
	at   io.ReaderAt
}

// openWeights opens all files of weights and reads their headers.
func (m *Model) openWeights() ([]stored, error) {
	names, index, err := m.weightFiles()
	if err != nil {
		return nil, err
	}
	var all []stored
	in := map[string]string{} // file by tensor
	for _, name := range names {
		f, size, err := open(m.Dir, name)
		if err != nil {
			return nil, err
		}
		m.files = append(m.files, f)
		file, err := safetensors.Read(f, size, filepath.Join(m.Dir, name))
		if err != nil {
			return nil, err
		}
		for _, t := range file.Tensors {
			if was, twice := in[t.Name]; twice {
				return nil, fmt.Errorf("hf: %s: tensor %s is in %s and in %s", m.Dir, t.Name, was, name)
			}
			in[t.Name] = name
			all = append(all, stored{t, name, io.NewSectionReader(f, t.Offset, t.Bytes())})
		}
	}
	for tensor, name := range index {
		if in[tensor] != name {
			return nil, fmt.Errorf("hf: %s: %s is said to hold tensor %s, and does not", filepath.Join(m.Dir, IndexFile), name, tensor)
		}
	}
	return all, nil
}

// maxIndex and maxShards bound an index: the largest published are a few MB for a
// few hundred files.
const (
	maxIndex  = 64 << 20
	maxShards = 10_000
)

// weightFiles are the names of the files that hold weights, and, of a model in
// several, which tensor is in which.
func (m *Model) weightFiles() (names []string, index map[string]string, err error) {
	if _, err := os.Lstat(filepath.Join(m.Dir, WeightsFile)); err == nil {
		return []string{WeightsFile}, nil, nil
	}
	text, err := ReadFile(m.Dir, IndexFile, maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, m.noWeights()
	}
	if err != nil {
		return nil, nil, err
	}
	if index, err = parseIndex(text); err != nil {
		return nil, nil, fmt.Errorf("hf: %s: %w", filepath.Join(m.Dir, IndexFile), err)
	}
	for _, name := range index {
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > maxShards {
		return nil, nil, fmt.Errorf("hf: %s: %d files; at most %d are taken", filepath.Join(m.Dir, IndexFile), len(names), maxShards)
	}
	return names, index, nil
}

// noWeights says what there is instead.
func (m *Model) noWeights() error {
	for _, other := range []string{"pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack"} {
		if _, err := os.Lstat(filepath.Join(m.Dir, other)); err == nil {
			return fmt.Errorf("hf: %s has its weights in %s, which is not read; save it with save_pretrained(..., safe_serialization=True)", m.Dir, other)
		}
	}
	return fmt.Errorf("hf: %s has neither %s nor %s: %w", m.Dir, WeightsFile, IndexFile, fs.ErrNotExist)
}

// parseIndex reads which tensor is in which file.
func parseIndex(text []byte) (map[string]string, error) {
	var doc struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%w%s", err, LineOf(text, err))
	}
	if len(doc.WeightMap) == 0 {
		return nil, errors.New("no weight_map: the file of each tensor is to be there")
	}
	for tensor, file := range doc.WeightMap {
		if !strings.HasSuffix(file, ".safetensors") {
			return nil, fmt.Errorf("weight_map: tensor %q is in %q, which is no .safetensors file", tensor, file)
		}
	}
	return doc.WeightMap, nil
}

// LineOf is where in a JSON text an error of encoding/json is, to end a message with: " (line
// 3)", or nothing where it does not say.
func LineOf(text []byte, err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	at := int64(-1)
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &kind):
		at = kind.Offset
	}
	if at < 0 || at > int64(len(text)) {
		return ""
	}
	return fmt.Sprintf(" (line %d)", 1+strings.Count(string(text[:at]), "\n"))
}
