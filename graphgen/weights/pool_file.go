package weights

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"time"

	"lathe/graphgen/ir"
)

// poolKind is a kind of tensor; each has its own file.
type poolKind uint8

const (
	floats  poolKind = iota // float weights, normal, standard deviation 0.02
	nibbles                 // bytes of two 4-bit codes
	scales                  // float scales of quantized weights, positive

	poolKinds = 3
)

func kindOf(p *ir.Param) poolKind {
	switch {
	case p.Quant == nil:
		return floats
	case p.Quant.Part == ir.QuantData:
		return nibbles
	}
	return scales
}

func (k poolKind) file() string {
	return fmt.Sprintf("pool-v%d-%s.bin", poolVersion, [...]string{"float", "int4", "scale"}[k])
}

const (
	poolBlock = 1 << 20 // bytes that are generated at once
	poolRound = 64      // blocks; files grow in steps of this
	lockRetry = 100 * time.Millisecond
	// Codes are uniform over 0..15, so (code-8) has a root mean square of 4.64;
	// scales around 0.02/4.64 give the weights the deviation of the float ones.
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
	case scales:
		for j := 0; j+4 <= len(b); j += 4 {
			binary.LittleEndian.PutUint32(b[j:], math.Float32bits(poolScaleLo+poolScale*rng.Float32()))
		}
	}
}

// check returns how many bytes of the kind's file are whole blocks, 0 if there
// is no file, having compared the beginnings of some blocks, the first and the
// last among them, with what they must be.
func (p *Pool) check(k poolKind) (int64, error) {
	f, err := os.Open(p.path(k))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("weights: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("weights: %w", err)
	}
	blocks := st.Size() / poolBlock
	const samples = 32
	var got, want [Align]byte
	for s := range int64(samples) {
		i := s * (blocks - 1) / (samples - 1)
		if blocks == 0 || s > 0 && i == (s-1)*(blocks-1)/(samples-1) {
			continue
		}
		k.fill(want[:], i)
		if _, err := f.ReadAt(got[:], i*poolBlock); err != nil {
			return 0, fmt.Errorf("weights: %s: %w", f.Name(), err)
		}
		if !bytes.Equal(got[:], want[:]) {
			return 0, fmt.Errorf("weights: %s: %w at byte %d: delete it, and it is made again", f.Name(), ErrCorruptPool, i*poolBlock)
		}
	}
	return blocks * poolBlock, nil
}

// grow extends each file to hold need. A file that an interrupted growth left
// with a part of a block goes on from its last whole block.
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

// extend appends blocks from..to. Blocks are computed side by side but written
// in order, so a file never has a hole, whenever it is interrupted.
func (p *Pool) extend(ctx context.Context, k poolKind, from, to int64, wrote func(int64)) (err error) {
	f, err := os.OpenFile(p.path(k), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("weights: %w (cache_dir sets another folder)", err)
	}
	at := from
	defer func() {
		if err != nil {
			err = fmt.Errorf("weights: %s: growing to %d MiB: %w", p.path(k), to*poolBlock>>20, err)
			f.Truncate(at * poolBlock) // whole blocks are kept
		}
		err = errors.Join(err, f.Close())
	}()
	batch := min(int64(4*runtime.GOMAXPROCS(0)), poolRound)
	bufs := make([]byte, batch*poolBlock)
	for at < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(batch, to-at)
		var wg sync.WaitGroup
		for w := range int64(runtime.GOMAXPROCS(0)) {
			wg.Go(func() {
				for j := w; j < n; j += int64(runtime.GOMAXPROCS(0)) {
					k.fill(bufs[j*poolBlock:(j+1)*poolBlock], at+j)
				}
			})
		}
		wg.Wait()
		if _, err := f.WriteAt(bufs[:n*poolBlock], at*poolBlock); err != nil {
			return err
		}
		at += n
		wrote(n * poolBlock)
	}
	return nil
}
