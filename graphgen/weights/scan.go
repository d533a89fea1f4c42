package weights

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Named is a stored tensor and its name.
type Named struct {
	Name string
	*Stored
}

// NotFinite is how many values of a tensor are no number, or infinite.
type NotFinite struct {
	Name string `json:"name"`
	NaN  int64  `json:"nan"`
	Inf  int64  `json:"inf"`
}

// Scanned is what reading all of a model's tensors tells.
type Scanned struct {
	// Sum identifies names, shapes, types and values, in whichever files and order
	// they are stored.
	Sum       string
	NotFinite []NotFinite // tensors that have such values, by name
}

// Scan reads all tensors once, in the given order, several at a time. progress, if
// not nil, is told of bytes read, by one goroutine at a time.
func Scan(ctx context.Context, tensors []Named, progress func(done, total int64)) (Scanned, error) {
	// A large tensor is hashed in chunks, so that one of them keeps all processors
	// busy; a chunk is whole values of every type.
	const chunk = 8 << 20
	type piece struct {
		tensor   int
		at, size int64
		sum      [sha256.Size]byte
		nan, inf int64
	}
	var pieces []piece
	var total int64
	first := make([]int, len(tensors)) // piece of each tensor
	for i, t := range tensors {
		first[i] = len(pieces)
		for at := int64(0); at < t.Bytes(); at += chunk {
			pieces = append(pieces, piece{tensor: i, at: at, size: min(chunk, t.Bytes()-at)})
		}
		total += t.Bytes()
	}
	var mu sync.Mutex // held while progress is told
	var done int64
	err := parallel(ctx, len(pieces), func(i int) error {
		p := &pieces[i]
		t := tensors[p.tensor]
		buf := raw.Get().(*[readBytes]byte)
		defer raw.Put(buf)
		h := sha256.New()
		for at := p.at; at < p.at+p.size; at += readBytes {
			part := buf[:min(readBytes, p.at+p.size-at)]
			if err := readFull(t.Data, part, at); err != nil {
				return fmt.Errorf("weights: tensor %s: %w", t.Name, err)
			}
			h.Write(part)
			nan, inf := t.Type.notFinite(part)
			p.nan, p.inf = p.nan+nan, p.inf+inf
		}
		h.Sum(p.sum[:0])
		if progress != nil {
			mu.Lock()
			defer mu.Unlock()
			done += p.size
			progress(done, total)
		}
		return nil
	})
	if err != nil {
		return Scanned{}, err
	}
	byName := make([]int, len(tensors))
	for i := range byName {
		byName[i] = i
	}
	slices.SortFunc(byName, func(a, b int) int { return strings.Compare(tensors[a].Name, tensors[b].Name) })
	var s Scanned
	h := sha256.New()
	for _, i := range byName {
		t := tensors[i]
		fmt.Fprintf(h, "%q %v %d %d\n", t.Name, t.Type, t.Rows, t.Cols)
		found := NotFinite{Name: t.Name}
		for _, p := range pieces[first[i]:] {
			if p.tensor != i {
				break
			}
			h.Write(p.sum[:])
			found.NaN += p.nan
			found.Inf += p.inf
		}
		if found.NaN+found.Inf > 0 {
			s.NotFinite = append(s.NotFinite, found)
		}
	}
	s.Sum = hex.EncodeToString(h.Sum(nil))
	return s, nil
}

// notFinite counts the values that are no number and those that are infinite: all
// bits of the exponent are set, and some or none of the fraction.
func (t FloatType) notFinite(raw []byte) (nan, inf int64) {
	exponent := uint32(exponent32)
	switch t {
	case Float16:
		exponent = 0x7c00
	case BFloat16:
		exponent = exponent32 >> 16
	}
	for part := range slices.Chunk(raw, 4096) {
		if !t.suspect(part, exponent) {
			continue
		}
		for i := int64(0); i+t.Size() <= int64(len(part)); i += t.Size() {
			v := uint32(binary.LittleEndian.Uint16(part[i:]))
			sign := uint32(1 << 15)
			if t == Float32 {
				v, sign = binary.LittleEndian.Uint32(part[i:]), 1<<31
			}
			switch {
			case v&exponent != exponent:
			case v&^(exponent|sign) != 0:
				nan++
			default:
				inf++
			}
		}
	}
	return nan, inf
}

// suspect reports whether a value in raw may be not finite, eight bytes at a time: an
// exponent of ones alone, with one added at its lowest bit, is carried into the sign.
func (t FloatType) suspect(raw []byte, exponent uint32) bool {
	ones, lowest := uint64(exponent), uint64(exponent&-exponent)
	for width := 8 * t.Size(); width < 64; width *= 2 {
		ones, lowest = ones|ones<<width, lowest|lowest<<width
	}
	signs := ones + lowest
	var carried uint64
	for ; len(raw) >= 8; raw = raw[8:] {
		carried |= binary.LittleEndian.Uint64(raw)&ones + lowest
	}
	return carried&signs != 0 || len(raw) > 0
}
