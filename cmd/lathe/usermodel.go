package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"lathe/graphgen/arch"
	"lathe/graphgen/hf"
	"lathe/graphgen/hf/hub"
	"lathe/graphgen/recover"
	"lathe/graphgen/weights"
	"lathe/graphgen/weights/llama2c"
)

// userModel is a model of the user's own: a folder of transformers, a checkpoint of
// llama2.c, or a decoder in an ONNX file, by its name or that of its folder.
type userModel struct {
	path, format, kind string // kind: model_type, the format's version, or who wrote it
	spec               arch.Spec
	build              arch.Build // that a file of ours was lowered in; otherwise the default
	stored             []weights.Named
	tensors            map[string]weights.Matrix
	tokens             map[string]json.RawMessage // ids of special tokens
	ignored            []string
	missing, extra     []string
	shapes             []error
	warnings           []error
	whole              error // nil if all weights are there, and no others
	close              func() error
}

// openUserModel opens a model's folder or file, or one of the hub by its name. What is
// wrong with it is the user's.
func (a *app) openUserModel(ctx context.Context, path string) (*userModel, error) {
	if strings.HasPrefix(path, hub.Prefix) {
		var err error
		if path, err = a.fromHub(ctx, path); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, badInput(fmt.Errorf("%s: there is no such folder or file", path))
	}
	if err != nil {
		return nil, err
	}
	if inside := onnxInside(path); inside != "" {
		return openONNX(inside)
	}
	if info.IsDir() {
		m, err := hf.Open(path)
		if err != nil {
			return nil, unlessDenied(err)
		}
		return &userModel{
			path: path, format: "huggingface", kind: m.Config.Type, spec: m.Spec(), stored: m.Named(), tensors: m.Matrices(), tokens: m.Config.Tokens,
			ignored: m.Ignored, missing: m.Missing, extra: m.Extra, shapes: m.Shapes, warnings: m.Config.Warnings, whole: badInput(m.Check()), close: m.Close,
		}, nil
	}
	if !info.Mode().IsRegular() {
		return nil, badInput(fmt.Errorf("%s is neither a folder nor a regular file", path))
	}
	if _, parts, ok := onnxArg(path); ok && parts == "" {
		return openONNX(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	m, err := llama2c.Read(f, info.Size(), path)
	if err != nil {
		f.Close()
		return nil, badInput(fmt.Errorf("%w; known are folders with %s, checkpoints of llama2.c, and ONNX files, which end in .onnx", err, hf.ConfigFile))
	}
	return &userModel{
		path: path, format: "llama2c", kind: fmt.Sprintf("version %d", m.Version), spec: m.Spec, stored: m.Tensors, tensors: m.Matrices(), close: f.Close,
	}, nil
}

// fromHub fetches a model of the hub and returns its folder. Token and endpoint are
// where transformers and its kin look for them.
func (a *app) fromHub(ctx context.Context, name string) (dir string, err error) {
	r, err := hub.Parse(name)
	if err != nil {
		return "", badInput(err)
	}
	bar := a.bar(1, r.ID, true)
	f, err := hub.Fetch(ctx, r, hub.Options{
		CacheDir: a.cfg.Hub.Cache, Endpoint: os.Getenv("HF_ENDPOINT"), Token: os.Getenv("HF_TOKEN"), Offline: a.cfg.Runtime.Offline,
		Progress: func(done, total int64) {
			bar.ChangeMax64(total)
			bar.Set64(done)
		},
	})
	bar.Finish()
	if err != nil {
		return "", err
	}
	if f.Stale != nil {
		a.note("warning: %v; what was fetched before is taken, commit %s", f.Stale, f.Commit)
	}
	a.note("%s: commit %s, in %s", r, f.Commit, f.Dir)
	return f.Dir, nil
}

// openONNX opens the decoder in an ONNX file. Where there is none of our families, the
// error is recover.ErrNotDecoder.
func openONNX(path string) (*userModel, error) {
	m, err := recover.Open(path)
	if err != nil {
		return nil, unlessDenied(err)
	}
	u := &userModel{
		path: path, format: formatONNX, kind: m.Kind, spec: m.Spec, build: m.Build,
		stored: m.Named(), tensors: m.Tensors, close: m.Close,
	}
	for _, n := range m.Notes {
		u.warnings = append(u.warnings, errors.New(n))
	}
	return u, nil
}

// unlessDenied marks an error as bad input, unless the system refused to read.
func unlessDenied(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	return badInput(err)
}

// scan reads all weights once.
func (a *app) scan(ctx context.Context, m *userModel) (weights.Scanned, error) {
	var total int64
	for _, t := range m.stored {
		total += t.Bytes()
	}
	bar := a.bar(total, "reading", true)
	defer bar.Finish()
	s, err := weights.Scan(ctx, m.stored, func(done, _ int64) { bar.Set64(done) })
	if err != nil {
		return s, fmt.Errorf("%s: %w", m.path, err)
	}
	return s, nil
}

// notFiniteWarnings says which weights are no numbers.
func notFiniteWarnings(list []weights.NotFinite) (out []string) {
	for _, n := range list {
		out = append(out, fmt.Sprintf("%s has %d NaN and %d infinite values", n.Name, n.NaN, n.Inf))
	}
	return out
}

// dtypes are how the weights are stored, the most bytes first.
func (m *userModel) dtypes() []storedType {
	type form struct {
		name string
		made bool
	}
	bytes := map[form]*storedType{}
	for _, t := range m.stored {
		f := form{t.Type.String(), t.Made()}
		if bytes[f] == nil {
			bytes[f] = &storedType{Type: f.name, Dequantized: f.made}
		}
		bytes[f].Tensors++
		bytes[f].Bytes += t.Bytes()
	}
	var out []storedType
	for _, t := range bytes {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b storedType) int {
		if a.Bytes != b.Bytes {
			return int(min(max(b.Bytes-a.Bytes, -1), 1))
		}
		return strings.Compare(a.String(), b.String())
	})
	return out
}

// storedType is the tensors that are stored in one type, or that are quantized in the
// file and become of that type as they are read; Bytes are then those that they become.
type storedType struct {
	Type        string `json:"type"`
	Dequantized bool   `json:"dequantized"`
	Tensors     int    `json:"tensors"`
	Bytes       int64  `json:"bytes"`
}

func (t storedType) String() string {
	if t.Dequantized {
		return "dequantized to " + t.Type
	}
	return "stored in " + t.Type
}
