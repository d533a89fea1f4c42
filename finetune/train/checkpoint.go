package train

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"unsafe"

	"lathe/graphgen/weights/safetensors"
)

// A checkpoint is a folder: a manifest and one file for each part of a State. It is
// written beside its place, brought to the disk and renamed, so that a folder by a
// checkpoint's name is a whole one, whatever stops the process; what has gone wrong
// with the disk since, the manifest's checksums tell.

// CheckpointsDir is the folder of checkpoints in a training's.
const CheckpointsDir = "checkpoints"

const (
	manifestFile   = "manifest.json"
	manifestFormat = 1
	parametersFile = "parameters.safetensors"
	firstFile      = "first_moments.safetensors"
	secondFile     = "second_moments.safetensors"
)

// part is a part of a State and its file.
type part struct {
	file    string
	tensors []Tensor
}

func (s State) parts() []part {
	return []part{{parametersFile, s.Parameters}, {firstFile, s.First}, {secondFile, s.Second}}
}

// manifest says what is in a checkpoint.
type manifest struct {
	Format   int               `json:"format"`
	Of       map[string]string `json:"of"`
	Schedule Schedule          `json:"schedule"` // under which it was made
	Position Position          `json:"position"`
	Files    map[string]sum    `json:"files"`
	SHA256   string            `json:"sha256"` // of the manifest with this empty
}

// sum is what a file has to be.
type sum struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// text is the manifest as it is written.
func (m manifest) text() ([]byte, error) {
	m.SHA256 = ""
	plain, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	m.SHA256 = hexSum(plain)
	text, err := json.MarshalIndent(m, "", "  ")
	return append(text, '\n'), err
}

func hexSum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// checkpoints is the folder of them.
type checkpoints struct {
	dir string
	of  map[string]string
}

// name is the folder of the checkpoint after a step; names sort as steps do.
func name(step int) string { return fmt.Sprintf("step-%08d", step) }

// Prefixes of folders that are none yet, or none any more.
const (
	writing   = ".writing-"
	leaving   = ".leaving-"
	notFinite = "not-finite-"
)

// write writes a checkpoint and returns its folder. After an error, there is nothing
// of it. What is held besides the model is a buffer.
func (c checkpoints) write(s State, p Position, sched Schedule) (dir string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("train: checkpoint after step %d: %w", p.Step, err)
		}
	}()
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(c.dir, writing)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp) // once it is renamed, there is none
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	m := manifest{Format: manifestFormat, Of: c.of, Schedule: sched, Position: p, Files: map[string]sum{}}
	for _, part := range s.parts() {
		if m.Files[part.file], err = writeFile(filepath.Join(tmp, part.file), part.write); err != nil {
			return "", err
		}
	}
	text, err := m.text()
	if err != nil {
		return "", err
	}
	_, err = writeFile(filepath.Join(tmp, manifestFile), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return "", err
	}
	if err := syncDir(tmp); err != nil {
		return "", err
	}
	dir = filepath.Join(c.dir, name(p.Step))
	if err := c.remove(dir); err != nil { // a damaged one that was gone back from
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return "", err
	}
	return dir, syncDir(c.dir)
}

// writeFile writes a file to the disk and returns what it then is.
func writeFile(path string, write func(w io.Writer) error) (s sum, err error) {
	f, err := os.Create(path)
	if err != nil {
		return sum{}, err
	}
	h := &hashing{to: f, h: sha256.New()}
	w := bufio.NewWriterSize(h, 1<<20)
	if err := errors.Join(write(w), w.Flush()); err != nil {
		f.Close()
		return sum{}, err
	}
	return sum{h.n, hex.EncodeToString(h.h.Sum(nil))}, errors.Join(f.Sync(), f.Close())
}

// hashing counts and hashes what goes through it.
type hashing struct {
	to io.Writer
	h  hash.Hash
	n  int64
}

func (h *hashing) Write(b []byte) (int, error) {
	n, err := h.to.Write(b)
	h.h.Write(b[:n])
	h.n += int64(n)
	return n, err
}

// write writes a part as a file of tensors under their own names, in the graph's
// layouts.
func (p part) write(w io.Writer) error {
	entries := make([]safetensors.Tensor, len(p.tensors))
	for i, t := range p.tensors {
		entries[i] = safetensors.Tensor{Name: t.Name, Type: safetensors.F32, Shape: t.Shape}
	}
	i := 0
	return safetensors.Write(w, nil, entries, func(w io.Writer, _ safetensors.Tensor) error {
		_, err := w.Write(memory(p.tensors[i].Values))
		i++
		return err
	})
}

// memory is the bytes of vals: those of a file, on the little-endian machines that
// there is a library for.
func memory(vals []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(vals))), 4*len(vals))
}

// syncDir brings a folder's entries to the disk, where the system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !os.IsPermission(err) {
		return err
	}
	return nil
}
