package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"lathe/graphgen/onnxfile"
)

// Bundle is a folder, opened: one of ours, or one that Optimum, onnxruntime-genai's
// model builder or transformers.js's converter made.
type Bundle struct {
	Dir string
	// Models are all ONNX models of the folder, those without an optimization for one
	// processor first, by precision.
	Models []Model
	// Loaders are those whose layout it has. Whether they can run it is another
	// question.
	Loaders []Loader

	Config   *Config      // nil where there is no config.json
	GenAI    *GenAIConfig // nil where there is no genai_config.json
	Manifest *Manifest    // nil where it is not ours

	// Tokenizer is the file or folder to load it from, "" where there is none.
	Tokenizer string

	Vocab, Positions int // 0: nothing says so
	Tokens           Tokens

	Warnings []error
}

// Model is an ONNX file of a bundle.
type Model struct {
	File  string   // within the folder, with slashes
	DType DType    // that its name or the manifest says; "" where that is not known
	Data  []string // files of external data, within the folder
	Bytes int64    // of all of them
	Entry *Entry   // the manifest's, or nil
}

// Path is the model's file.
func (b *Bundle) Path(m Model) string { return filepath.Join(b.Dir, filepath.FromSlash(m.File)) }

// Optimized reports whether the model is for one processor only.
func (m Model) Optimized() bool { return m.Entry != nil && m.Entry.Optimized != "" }

// Model is the model of a precision, or with "" the one that loaders open who are not
// told which.
func (b *Bundle) Model(d DType) (Model, bool) {
	for _, m := range b.Models {
		if !m.Optimized() && (d == "" || m.DType == d) {
			return m, true
		}
	}
	return Model{}, false
}

// Sizes of files that are read whole. The longest published configurations have some
// 100 kB; a manifest has 200 bytes a file.
const (
	maxConfig   = 1 << 20
	maxManifest = 8 << 20
)

// ErrNoBundle marks a folder that has no model.
var ErrNoBundle = errors.New("no bundle")

// Open reads what a folder holds: configurations, the manifest, and of models where
// their weights are, which have to be there. No weights are read, and nothing is
// computed; [Bundle.Verify] compares checksums.
func Open(dir string) (_ *Bundle, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	b := &Bundle{Dir: dir}
	if err := b.readManifest(root); err != nil {
		return nil, err
	}
	if err := b.readConfigs(root); err != nil {
		return nil, err
	}
	if err := b.findModels(root); err != nil {
		return nil, err
	}
	if err := b.findTokenizer(root); err != nil {
		return nil, err
	}
	b.findLoaders()
	return b, b.consistent()
}

// readAll is a small file of the folder, nil where there is none.
func readAll(root *os.Root, name string, most int64) ([]byte, error) {
	full := filepath.Join(root.Name(), name)
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bundle: %s: %w; a bundle's files are within its folder", full, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("bundle: %s is no regular file", full)
	}
	if info.Size() > most {
		return nil, fmt.Errorf("bundle: %s: %d bytes; at most %d are taken", full, info.Size(), most)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if text == nil {
		text = []byte{} // a file, though it be empty
	}
	return text, nil
}

func (b *Bundle) readManifest(root *os.Root) error {
	text, err := readAll(root, ManifestFile, maxManifest)
	if err != nil || text == nil {
		return err
	}
	if b.Manifest, err = ParseManifest(filepath.Join(b.Dir, ManifestFile), text); err != nil {
		return err
	}
	b.Vocab, b.Positions = b.Manifest.Spec.Vocab, b.Manifest.Spec.Positions
	return nil
}

func (b *Bundle) readConfigs(root *os.Root) error {
	text, err := readAll(root, ConfigFile, maxConfig)
	if err != nil {
		return err
	}
	if text != nil {
		if b.Config, err = ParseConfig(filepath.Join(b.Dir, ConfigFile), text); err != nil {
			return err
		}
		b.Tokens = b.Config.Tokens
		b.Vocab, b.Positions = firstOf(b.Vocab, b.Config.Vocab), firstOf(b.Positions, b.Config.Positions)
	}
	if text, err = readAll(root, GenerationFile, maxConfig); err != nil {
		return err
	}
	if text != nil {
		t, err := ParseGeneration(filepath.Join(b.Dir, GenerationFile), text)
		if err != nil {
			return err
		}
		b.Tokens = t.over(b.Tokens) // generation_config.json is what loaders take first
	}
	if text, err = readAll(root, GenAIFile, maxConfig); err != nil {
		return err
	}
	if text != nil {
		if b.GenAI, err = ParseGenAI(filepath.Join(b.Dir, GenAIFile), text); err != nil {
			return err
		}
		b.Tokens = b.Tokens.over(b.GenAI.Tokens)
		b.Vocab, b.Positions = firstOf(b.Vocab, b.GenAI.Vocab), firstOf(b.Positions, b.GenAI.Positions)
	}
	return nil
}

func firstOf(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

// modelFolders are where models are looked for.
var modelFolders = []string{".", jsFolder, optimized}

// maxModels bounds a folder's models; those published have ten.
const maxModels = 100

func (b *Bundle) findModels(root *os.Root) error {
	found := map[string]bool{}
	for _, folder := range modelFolders {
		entries, err := fs.ReadDir(root.FS(), folder)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("bundle: %s: %w", b.Dir, err)
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), modelEnd) {
				found[path.Join(folder, e.Name())] = true
			}
		}
	}
	if b.GenAI != nil {
		found[b.GenAI.Model] = true
	}
	if b.Manifest != nil {
		for _, e := range b.Manifest.Models {
			found[e.File] = true
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("bundle: %s: %w: neither it nor its folder %s has an .onnx file", b.Dir, ErrNoBundle, jsFolder)
	}
	if len(found) > maxModels {
		return fmt.Errorf("bundle: %s: %d models; at most %d are taken", b.Dir, len(found), maxModels)
	}
	for _, file := range slices.Sorted(maps.Keys(found)) {
		m, err := b.readModel(root, file)
		if err != nil {
			return err
		}
		b.Models = append(b.Models, m)
	}
	slices.SortStableFunc(b.Models, func(x, y Model) int { return rank(x) - rank(y) })
	return nil
}

// rank orders models: by precision, those for one processor last.
func rank(m Model) int {
	at := slices.IndexFunc(endings, func(e struct {
		dtype  DType
		suffix string
	}) bool {
		return e.dtype == m.DType
	})
	if at < 0 {
		at = len(endings)
	}
	if m.Optimized() {
		at += 2 * len(endings)
	}
	return at
}

// readModel reads a model without its weights, which have to be where it says.
func (b *Bundle) readModel(root *os.Root, file string) (Model, error) {
	m := Model{File: file, DType: dtypeOfStem(strings.TrimSuffix(path.Base(file), modelEnd))}
	full := b.Path(m)
	size, err := onnxfile.SizeWithin(root, file)
	if err != nil {
		return m, fmt.Errorf("bundle: %s: %w", full, err)
	}
	m.Bytes = size
	if b.Manifest != nil {
		if i := slices.IndexFunc(b.Manifest.Models, func(e Entry) bool { return e.File == file }); i >= 0 {
			m.Entry = &b.Manifest.Models[i]
			m.DType = m.Entry.DType
		}
	}
	f, err := onnxfile.Open(full)
	if err != nil {
		return m, fmt.Errorf("bundle: %w", err)
	}
	defer f.Close()
	for _, t := range f.Model.Graph.Initializer {
		if len(t.ExternalData) == 0 {
			continue
		}
		if _, err := f.Data(t); err != nil { // it is there, and long enough
			return m, fmt.Errorf("bundle: %w", err)
		}
		p, err := onnxfile.Placed(t.ExternalData)
		if err != nil {
			return m, fmt.Errorf("bundle: %s: tensor %q: %w", full, t.Name, err)
		}
		if data := path.Join(path.Dir(file), p.Location); !slices.Contains(m.Data, data) {
			size, err := onnxfile.SizeWithin(root, data)
			if err != nil {
				return m, fmt.Errorf("bundle: %s: external data %q: %w", full, p.Location, err)
			}
			m.Data, m.Bytes = append(m.Data, data), m.Bytes+size
		}
	}
	return m, nil
}

// tokenizerFiles are what a tokenizer is found by, the first that is there.
var tokenizerFiles = []string{TokenizerFile, vocabFile, "tokenizer.model", "spiece.model", "tokenizer.bin"}

// vocabFile is a vocabulary whose merges are in mergesFile.
const vocabFile, mergesFile = "vocab.json", "merges.txt"

func (b *Bundle) findTokenizer(root *os.Root) error {
	for _, name := range tokenizerFiles {
		is, err := b.own(root, name)
		if err == nil && is && name == vocabFile {
			_, err = b.own(root, mergesFile)
		}
		if err != nil {
			return err
		}
		if !is {
			continue
		}
		b.Tokenizer = filepath.Join(b.Dir, name)
		return nil
	}
	b.warn("%s has no tokenizer: none of %s", b.Dir, strings.Join(tokenizerFiles, ", "))
	return nil
}

// own reports whether there is such a file. What is no regular file of the folder is an
// error: a link may lead anywhere, and a pipe would wait for ever.
func (b *Bundle) own(root *os.Root, name string) (bool, error) {
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !info.Mode().IsRegular() {
		return false, fmt.Errorf("bundle: %s is no regular file of the folder", filepath.Join(b.Dir, name))
	}
	return true, nil
}

// findLoaders says whose layout it is.
func (b *Bundle) findLoaders() {
	if b.Config != nil {
		b.Loaders = append(b.Loaders, Optimum)
		if slices.ContainsFunc(b.Models, func(m Model) bool { return path.Dir(m.File) == jsFolder }) {
			b.Loaders = append(b.Loaders, TransformersJS)
		}
	}
	if b.GenAI != nil {
		b.Loaders = append(b.Loaders, GenAI)
	}
}

// ErrContradicts marks a folder whose configurations are not of one model.
var ErrContradicts = errors.New("its configurations contradict each other")

// consistent reports what contradicts itself.
func (b *Bundle) consistent() error {
	if b.Config != nil && b.GenAI != nil && b.Config.Vocab != 0 && b.GenAI.Vocab != 0 && b.Config.Vocab != b.GenAI.Vocab {
		return fmt.Errorf("bundle: %s: %w: vocab_size is %d in %s and %d in %s", b.Dir, ErrContradicts, b.Config.Vocab, ConfigFile, b.GenAI.Vocab, GenAIFile)
	}
	if b.Manifest != nil && b.Config != nil && b.Config.Spec != nil && !b.Config.Spec.Equal(b.Manifest.Spec) {
		return fmt.Errorf("bundle: %s: %w: by %s it is %s, and by %s %s", b.Dir, ErrContradicts, ConfigFile, b.Config.Spec.Name(), ManifestFile, b.Manifest.Spec.Name())
	}
	for _, id := range append(b.Tokens.known(), b.Tokens.End...) {
		if b.Vocab > 0 && id >= b.Vocab {
			b.warn("%s: special token %d is beyond the vocabulary of %d", b.Dir, id, b.Vocab)
		}
	}
	for _, m := range b.Models {
		if b.Config == nil || path.Dir(m.File) != jsFolder {
			continue
		}
		if n := b.Config.DataFiles(m.File); len(m.Data) > n {
			b.warn("%s: transformers.js_config.use_external_data_format has %d files of external data for %s, which has %d: browsers fail to open it", b.Dir, n, m.File, len(m.Data))
		}
	}
	return nil
}

func (t Tokens) known() (ids []int) {
	for _, id := range []*int{t.Begin, t.Pad} {
		if id != nil {
			ids = append(ids, *id)
		}
	}
	return ids
}

func (b *Bundle) warn(format string, args ...any) {
	b.Warnings = append(b.Warnings, fmt.Errorf(format, args...))
}
