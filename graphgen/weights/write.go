package weights

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"lathe/graphgen/ir"
)

// Write writes the graph as path with its matrices in path + "_data", the name
// that Hugging Face's loaders expect. Tensors are streamed: memory does not grow
// with the model. Both files are written beside their place and renamed, the
// data first; on an error or a cancelled ctx nothing is left behind. progress,
// if not nil, is told the bytes written and their total.
func Write(ctx context.Context, path string, g *ir.Graph, src Source, progress func(done, total int64)) (err error) {
	dataPath := path + "_data"
	var tmps []string
	defer func() {
		for _, t := range tmps {
			os.Remove(t)
		}
	}()
	create := func(final string) (*os.File, error) {
		f, err := os.CreateTemp(filepath.Dir(final), "."+filepath.Base(final)+".*")
		if err == nil {
			tmps = append(tmps, f.Name())
			err = f.Chmod(0o644)
		}
		return f, err
	}

	data, err := create(dataPath)
	if err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	out := newBehind(data)
	w := &writer{ctx: ctx, out: out, src: src, location: filepath.Base(dataPath), progress: progress}
	for _, p := range g.Params {
		if external(p) {
			w.total += alignUp(p.Bytes())
		}
	}
	model, err := ir.Encode(g, w)
	if err := cmp.Or(err, out.Close()); err != nil {
		return fmt.Errorf("weights: %s: %w", dataPath, err)
	}

	mf, err := create(path)
	if err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	defer mf.Close()
	if _, err := mf.Write(model); err != nil {
		return fmt.Errorf("weights: %s: %w", path, err)
	}
	if err := errors.Join(mf.Sync(), mf.Close()); err != nil {
		return fmt.Errorf("weights: %s: %w", path, err)
	}
	// A model that is replaced goes first: a kill between the renames must not leave
	// an old graph with new weights.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("weights: %w", err)
	}
	if w.total > 0 {
		if err := os.Rename(data.Name(), dataPath); err != nil {
			return fmt.Errorf("weights: %w", err)
		}
	}
	if err := os.Rename(mf.Name(), path); err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	tmps = nil
	return nil
}

// writer places parameters in a data file, writing them as it goes.
type writer struct {
	ctx      context.Context
	out      *behind
	src      Source
	location string
	offset   int64
	total    int64
	progress func(done, total int64)
}

// Place implements ir.Placer.
func (w *writer) Place(p *ir.Param) (ir.Placement, error) {
	if !external(p) {
		var b bytes.Buffer
		err := w.src.WriteParam(w.ctx, &b, p)
		return ir.Placement{Inline: b.Bytes()}, err
	}
	at := w.offset
	before := w.out.n
	if err := w.src.WriteParam(w.ctx, w.out, p); err != nil {
		return ir.Placement{}, err
	}
	if wrote := w.out.n - before; wrote != p.Bytes() {
		return ir.Placement{}, fmt.Errorf("weights: parameter %s: source wrote %d bytes of %d", p.Name, wrote, p.Bytes())
	}
	w.offset = alignUp(at + p.Bytes())
	if _, err := w.out.Write(make([]byte, w.offset-at-p.Bytes())); err != nil {
		return ir.Placement{}, err
	}
	if w.progress != nil {
		w.progress(w.offset, w.total)
	}
	return ir.Placement{Location: w.location, Offset: at}, nil
}
