package weights

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"time"

	"lathe/graphgen/half"
	"lathe/graphgen/ir"
)

// poolKind is a kind of tensor; each has its own file.
type poolKind uint8

const (
	floats      poolKind = iota // float weights, normal, standard deviation 0.02
	nibbles                     // bytes of two 4-bit codes, or one of 8 bits, or of zero points
	scales                      // float scales of 4-bit weights, positive
	scales8                     // the same of 8-bit weights
	halves                      // float16 weights, distributed as floats are
	halfScales                  // float16 scales of 4-bit weights
	halfScales8                 // the same of 8-bit weights

	poolKinds = 7
)

func kindOf(p *ir.Param) poolKind {
	narrow := p.Type == ir.Float16
	switch {
	case p.Quant == nil && narrow:
		return halves
	case p.Quant == nil:
		return floats
	case p.Quant.Part != ir.QuantScales:
		return nibbles
	case p.Quant.Bits == 8 && narrow:
		return halfScales8
	case p.Quant.Bits == 8:
		return scales8
	case narrow:
		return halfScales
	}
	return scales
}

func (k poolKind) file() string {
	return fmt.Sprintf("pool-v%d-%s.bin", poolVersion, [...]string{"float", "int4", "scale", "scale8", "float16", "scale16", "scale8-16"}[k])
}

const (
	poolBlock = 1 << 20 // bytes that are generated at once
	poolRound = 64      // blocks; files grow in steps of this
	lockRetry = 100 * time.Millisecond
	// Codes are uniform over 0..15, so (code-8) has a root mean square of 4.64;
	// scales around 0.02/4.64 give the weights the deviation of the float ones. Codes
	// of 8 bits are 16 times as large (73.9).
	poolStd                = 0.02
	poolScaleLo, poolScale = 0.0033, 0.0021
)

// fill writes the contents of block i, or its beginning where b is shorter.
func (k poolKind) fill(b []byte, i int64) {
	rng := rand.New(rand.NewPCG(uint64(k)+1, uint64(i)))
	switch k {
	case floats:
		for j := 0; j+4 <= len(b); j += 4 {
			binary.LittleEndian.PutUint32(b[j:], math.Float32bits(normal(rng, poolStd)))
		}
	case nibbles:
		for j := 0; j+8 <= len(b); j += 8 {
			binary.LittleEndian.PutUint64(b[j:], rng.Uint64())
		}
	case scales, scales8:
		for j := 0; j+4 <= len(b); j += 4 {
			binary.LittleEndian.PutUint32(b[j:], math.Float32bits(k.scale(rng)))
		}
	case halves:
		for j := 0; j+2 <= len(b); j += 2 {
			v := normal(rng, poolStd)
			if v > -half.MinNormal && v < half.MinNormal {
				v = half.MinNormal // as normal does for float: never denormal
			}
			binary.LittleEndian.PutUint16(b[j:], half.From(v))
		}
	case halfScales, halfScales8:
		for j := 0; j+2 <= len(b); j += 2 {
			binary.LittleEndian.PutUint16(b[j:], half.From(k.scale(rng)))
		}
	}
}

// scale draws a scale.
func (k poolKind) scale(rng *rand.Rand) float32 {
	unit := float32(1)
	if k == scales8 || k == halfScales8 {
		unit = 1. / 16
	}
	return unit * (poolScaleLo + poolScale*rng.Float32())
}

// manifest says what a pool file held when it was last written: it stands beside
// the file, and is written after it.
type manifest struct {
	Size    int64    `json:"size"`
	ModTime int64    `json:"mod_time_ns"`
	Sums    []uint32 `json:"crc32c"` // of each block
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// check returns how many bytes of the kind's file may be used, 0 if there is none.
// A file that was not touched since its manifest was written is taken as it is;
// another one is read whole and compared, block by block. What is beyond the
// manifest's size is an interrupted growth, and counts as not there.
func (p *Pool) check(k poolKind) (int64, error) {
	path := p.path(k)
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("weights: %w", err)
	}
	m, err := readManifest(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // a first growth that was interrupted
	}
	if err != nil {
		return 0, err
	}
	if st.Size() == m.Size && st.ModTime().UnixNano() == m.ModTime {
		return m.Size, nil
	}
	good, err := verify(path, m)
	if err != nil {
		return 0, err
	}
	if good == m.Size && st.Size() == m.Size { // whole, only touched
		m.ModTime = st.ModTime().UnixNano()
		return good, writeManifest(path, m)
	}
	return good, nil
}

func manifestPath(path string) string { return path + ".json" }

func readManifest(path string) (*manifest, error) {
	b, err := os.ReadFile(manifestPath(path))
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	m := new(manifest)
	if err := json.Unmarshal(b, m); err != nil || m.Size != int64(len(m.Sums))*poolBlock {
		return nil, fmt.Errorf("weights: %s: %w: delete it and %s, and they are made again", manifestPath(path), ErrCorruptPool, path)
	}
	return m, nil
}

func writeManifest(path string, m *manifest) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	tmp := manifestPath(path) + ".tmp" // the pool's lock is held
	if err := os.WriteFile(tmp, b, 0o644); err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	if err := os.Rename(tmp, manifestPath(path)); err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	return nil
}

// verify returns how many bytes from the start are what the manifest says: all of
// them, or the whole blocks of a file that was cut short.
func verify(path string, m *manifest) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("weights: %w", err)
	}
	defer f.Close()
	buf := make([]byte, poolBlock)
	for i, want := range m.Sums {
		if _, err := io.ReadFull(f, buf); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return int64(i) * poolBlock, nil
		} else if err != nil {
			return 0, fmt.Errorf("weights: %s: %w", path, err)
		}
		if crc32.Checksum(buf, castagnoli) != want {
			return 0, fmt.Errorf("weights: %s: %w in the MiB from byte %d: delete it, and it is made again", path, ErrCorruptPool, int64(i)*poolBlock)
		}
	}
	return m.Size, nil
}

// grow extends each file to hold need, from the last block that may be used. The
// pool's lock is held.
func (p *Pool) grow(ctx context.Context, need Need, progress func(done, total int64)) error {
	var have Need
	var done, total int64
	for k := range need {
		size, err := p.check(poolKind(k))
		if err != nil {
			return err
		}
		const step = poolBlock * poolRound
		need[k] = (need[k] + step - 1) / step * step
		have[k] = size
		total += max(0, need[k]-size)
	}
	for k := range need {
		if have[k] >= need[k] {
			continue
		}
		err := p.extend(ctx, poolKind(k), have[k]/poolBlock, need[k]/poolBlock, func(n int64) {
			done += n
			if progress != nil {
				progress(done, total)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// extend appends blocks from..to, and then writes the manifest. Blocks are
// computed side by side but written in order, so a file never has a hole.
func (p *Pool) extend(ctx context.Context, k poolKind, from, to int64, wrote func(int64)) (err error) {
	path := p.path(k)
	m := new(manifest)
	if from > 0 {
		if m, err = readManifest(path); err != nil {
			return err
		}
		m.Sums = m.Sums[:from]
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("weights: %w (cache_dir sets another folder)", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("weights: %s: growing to %d MiB: %w", path, to*poolBlock>>20, err)
		}
		// What was written before an error is kept.
		err = errors.Join(err, m.seal(f, path))
	}()
	if err := f.Truncate(from * poolBlock); err != nil {
		return err
	}
	workers := int64(runtime.GOMAXPROCS(0))
	batch := min(4*workers, poolRound)
	bufs, sums := make([]byte, batch*poolBlock), make([]uint32, batch)
	for at := from; at < to; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(batch, to-at)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for j := w; j < n; j += workers {
					block := bufs[j*poolBlock : (j+1)*poolBlock]
					k.fill(block, at+j)
					sums[j] = crc32.Checksum(block, castagnoli)
				}
			})
		}
		wg.Wait()
		if _, err := f.WriteAt(bufs[:n*poolBlock], at*poolBlock); err != nil {
			return err
		}
		m.Sums = append(m.Sums, sums[:n]...)
		at += n
		wrote(n * poolBlock)
	}
	return nil
}

// seal cuts the file to the blocks that are known, has it written to the disk,
// and says so in the manifest.
func (m *manifest) seal(f *os.File, path string) error {
	m.Size = int64(len(m.Sums)) * poolBlock
	if err := errors.Join(f.Truncate(m.Size), f.Sync()); err != nil {
		return errors.Join(fmt.Errorf("weights: %w", err), f.Close())
	}
	st, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	m.ModTime = st.ModTime().UnixNano()
	return writeManifest(path, m)
}
