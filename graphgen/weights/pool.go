package weights

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"lathe/graphgen/ir"
)

// Pool is the shared store of weights for timing: a file for each kind of
// tensor, made once in the cache and mapped by every candidate, so that a
// candidate of hundreds of megabytes is emitted in milliseconds. Only the time
// of a candidate is measured with it, which does not depend on the values, as
// long as they are finite, not denormal, and no two tensors of a candidate share
// bytes, or the processor's cache would flatter the timings. All three hold.
//
// Every block of a file is a function of its index, so a file can grow without
// being made again. A manifest beside it has the sums of its blocks; a file that
// somebody touched is compared with it.
//
// Note: one file with a zone for each kind was rejected: the zones would have to
// be sized before the largest candidate is known.
type Pool struct{ dir string }

// poolVersion is part of the files' names: a change of contents needs another.
const poolVersion = 1

// Need is the size in bytes of each kind of tensor that a graph maps.
type Need [poolKinds]int64

// NeedOf is what a graph's parameters take in the pool.
func NeedOf(g *ir.Graph) Need {
	var n Need
	for _, p := range g.Params {
		if external(p) {
			n[kindOf(p)] += alignUp(p.Bytes())
		}
	}
	return n
}

// Max is the larger of both needs, kind by kind.
func (n Need) Max(m Need) Need {
	for k := range n {
		n[k] = max(n[k], m[k])
	}
	return n
}

// ErrCorruptPool marks a pool file that does not hold what was written.
var ErrCorruptPool = errors.New("pool file is corrupt")

// OpenPool opens the pool in dir, made or grown to hold need. Processes that
// need it at once wait for each other. progress, if not nil, is told of bytes
// written, when there are any.
func OpenPool(ctx context.Context, dir string, need Need, progress func(done, total int64)) (*Pool, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("weights: the pool's folder: %w (cache_dir sets another)", err)
	}
	p := &Pool{dir: dir}
	if p.untouched(need) {
		return p, nil
	}
	lock := flock.New(filepath.Join(dir, "pool.lock"))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return nil, fmt.Errorf("weights: lock of the pool in %s: %w (cache_dir sets another folder)", dir, err)
	}
	defer lock.Unlock()
	if err := p.grow(ctx, need, progress); err != nil {
		return nil, err
	}
	return p, nil
}

// Dir is the folder that external data locations are relative to.
func (p *Pool) Dir() string { return p.dir }

// Hash implements [Source].
func (p *Pool) Hash() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "pool %d", poolVersion))
	return hex.EncodeToString(sum[:])
}

func (p *Pool) path(k poolKind) string { return filepath.Join(p.dir, k.file()) }

// untouched reports whether every file is as its manifest says and large enough:
// the usual case, which takes no lock.
func (p *Pool) untouched(need Need) bool {
	for k := range need {
		if need[k] == 0 {
			continue
		}
		path := p.path(poolKind(k))
		st, err := os.Stat(path)
		if err != nil || st.Size() < need[k] {
			return false
		}
		m, err := readManifest(path)
		if err != nil || m.Size != st.Size() || m.ModTime != st.ModTime().UnixNano() {
			return false
		}
	}
	return true
}

// Placer places a graph's parameters in the pool, each kind from its file's
// start, none overlapping. A new one is needed for each graph.
func (p *Pool) Placer() ir.Placer { return &poolPlacer{} }

type poolPlacer struct{ next Need }

func (pp *poolPlacer) Place(p *ir.Param) (ir.Placement, error) {
	if !external(p) {
		b, err := vector(p)
		return ir.Placement{Inline: b}, err
	}
	k := kindOf(p)
	at := pp.next[k]
	pp.next[k] = alignUp(at + p.Bytes())
	return ir.Placement{Location: k.file(), Offset: at}, nil
}

// Source is the pool as a source of weights to write: the very bytes that were
// timed, in the order of the graph's parameters.
func (p *Pool) Source() Source { return &poolSource{pool: p} }

type poolSource struct {
	pool   *Pool
	placer poolPlacer
}

func (s *poolSource) Hash() string { return s.pool.Hash() }

func (s *poolSource) WriteParam(ctx context.Context, w io.Writer, p *ir.Param) error {
	pl, err := s.placer.Place(p)
	if err != nil {
		return err
	}
	if pl.Location == "" {
		_, err := w.Write(pl.Inline)
		return err
	}
	f, err := os.Open(filepath.Join(s.pool.dir, pl.Location))
	if err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	defer f.Close()
	if err := ctx.Err(); err != nil {
		return err
	}
	n, err := io.Copy(w, io.NewSectionReader(f, pl.Offset, p.Bytes()))
	if err == nil && n != p.Bytes() {
		err = fmt.Errorf("%w: it ends within %s", ErrCorruptPool, p.Name)
	}
	if err != nil {
		return fmt.Errorf("weights: %s: %w", f.Name(), err)
	}
	return nil
}
