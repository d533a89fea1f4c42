package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"lathe/graphgen/weights/safetensors"
)

// Errors of checkpoints.
var (
	ErrDamaged = errors.New("damaged checkpoint") // a file is not what the manifest says
	ErrOther   = errors.New("checkpoint of another training")
)

// newest fills s from the newest checkpoint that is whole, and returns where it
// stands; found is false where there is none at all. Damaged ones are gone back from
// and told; where all are, s holds nothing of use and the error is ErrDamaged.
func (c checkpoints) newest(s State, tell func(error)) (p Position, found bool, err error) {
	steps, err := c.list()
	if err != nil || len(steps) == 0 {
		return Position{}, false, err
	}
	for _, step := range steps {
		p, err := c.read(step, s, s.parts())
		if err == nil {
			return p, true, nil
		}
		if !errors.Is(err, ErrDamaged) {
			return p, true, err
		}
		tell(fmt.Errorf("%w; the one before it is taken", err))
	}
	return Position{}, true, fmt.Errorf("train: %s: none of %d checkpoints is whole: %w; remove them to begin anew", c.dir, len(steps), ErrDamaged)
}

// read fills some parts of s, all of them or its parameters, with the checkpoint after
// a step.
func (c checkpoints) read(step int, s State, parts []part) (Position, error) {
	dir := filepath.Join(c.dir, name(step))
	m, err := readManifest(filepath.Join(dir, manifestFile))
	if err != nil {
		return Position{}, err
	}
	for _, key := range slices.Sorted(maps.Keys(c.of)) {
		if m.Of[key] != c.of[key] {
			return Position{}, fmt.Errorf("train: %s: %w: its %s is %s, and not %s", dir, ErrOther, key, m.Of[key], c.of[key])
		}
	}
	if m.Position.Step != step {
		return Position{}, fmt.Errorf("train: %s: %w: it is of step %d", dir, ErrDamaged, m.Position.Step)
	}
	for _, part := range parts {
		if err := part.read(filepath.Join(dir, part.file), m.Files[part.file]); err != nil {
			return Position{}, err
		}
	}
	return m.Position, nil
}

// maxManifest bounds a manifest: it takes a kilobyte.
const maxManifest = 1 << 20

func readManifest(path string) (manifest, error) {
	var m manifest
	damaged := func(why any) (manifest, error) {
		return m, fmt.Errorf("train: %s: %w: %v", path, ErrDamaged, why)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return damaged("there is no such file")
	}
	if err != nil {
		return m, fmt.Errorf("train: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return m, fmt.Errorf("train: %s: %w", path, err)
	}
	if err := parseManifest(text, &m); err != nil {
		return damaged(err)
	}
	if m.Format != manifestFormat {
		return m, fmt.Errorf("train: %s: a checkpoint of format %d; this program reads %d", path, m.Format, manifestFormat)
	}
	return m, nil
}

// parseManifest reads a manifest that is what its checksum says.
func parseManifest(text []byte, m *manifest) error {
	if len(text) > maxManifest {
		return fmt.Errorf("it has more than %d bytes", maxManifest)
	}
	if err := json.Unmarshal(text, m); err != nil {
		return err
	}
	again, err := m.text()
	if err != nil {
		return err
	}
	if !bytes.Equal(text, again) {
		return errors.New("it is not what its checksum says")
	}
	return nil
}

// read fills a part's tensors with a file, which has to have exactly these and the
// given checksum.
func (p part) read(path string, want sum) error {
	damaged := func(format string, args ...any) error {
		return fmt.Errorf("train: %s: %w: %s", path, ErrDamaged, fmt.Sprintf(format, args...))
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return damaged("there is no such file")
	}
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if info.Size() != want.Bytes {
		return damaged("it has %d bytes, and had %d", info.Size(), want.Bytes)
	}
	file, err := safetensors.Read(f, info.Size(), path)
	if err != nil {
		return damaged("%v", err)
	}
	h := sha256.New()
	if err := p.matches(file.Tensors); err != nil {
		if _, copyErr := io.Copy(h, f); copyErr == nil && hex.EncodeToString(h.Sum(nil)) != want.SHA256 {
			return damaged("%v", err)
		}
		return fmt.Errorf("train: %s: %w: %w", path, ErrOther, err)
	}
	if len(file.Tensors) > 0 {
		_, err = io.CopyN(h, f, file.Tensors[0].Offset)
	}
	for _, t := range p.tensors {
		if err != nil {
			break
		}
		b := memory(t.Values)
		_, err = io.ReadFull(f, b)
		h.Write(b)
	}
	if err != nil {
		return fmt.Errorf("train: %s: %w", path, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want.SHA256 {
		return damaged("its sha256 is %s, and was %s", got, want.SHA256)
	}
	return nil
}

// matches reports whether a file's tensors, in the order of their bytes, are the part's.
func (p part) matches(have []safetensors.Tensor) error {
	if len(have) != len(p.tensors) {
		return fmt.Errorf("it has %d tensors, the model %d", len(have), len(p.tensors))
	}
	for i, t := range p.tensors {
		if h := have[i]; h.Name != t.Name || h.Type != safetensors.F32 || !slices.Equal(h.Shape, t.Shape) || h.Bytes() != int64(4*len(t.Values)) {
			return fmt.Errorf("it has %s %s%s where the model has %s F32%s", h.Name, h.Type, safetensors.Dims(h.Shape), t.Name, safetensors.Dims(t.Shape))
		}
	}
	return nil
}
