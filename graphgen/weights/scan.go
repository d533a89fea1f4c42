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

// Scan reads all tensors once, several at a time. progress, if not nil, is told of
// bytes read, by one goroutine at a time.
func Scan(ctx context.Context, tensors []Named, progress func(done, total int64)) (Scanned, error) {
	tensors = slices.SortedFunc(slices.Values(tensors), func(a, b Named) int { return strings.Compare(a.Name, b.Name) })
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
	for i, t := range tensors {
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
		buf := make([]byte, p.size)
		if err := readFull(t.Data, buf, p.at); err != nil {
			return fmt.Errorf("weights: tensor %s: %w", t.Name, err)
		}
		p.sum = sha256.Sum256(buf)
		p.nan, p.inf = t.Type.notFinite(buf)
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
	var s Scanned
	h := sha256.New()
	at := 0
	for i, t := range tensors {
		fmt.Fprintf(h, "%q %v %d %d\n", t.Name, t.Type, t.Rows, t.Cols)
		found := NotFinite{Name: t.Name}
		for ; at < len(pieces) && pieces[at].tensor == i; at++ {
			h.Write(pieces[at].sum[:])
			found.NaN += pieces[at].nan
			found.Inf += pieces[at].inf
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
	if t == Float32 {
		for i := 0; i+4 <= len(raw); i += 4 {
			if v := binary.LittleEndian.Uint32(raw[i:]); v&exponent32 == exponent32 {
				if v&^(exponent32|1<<31) != 0 {
					nan++
				} else {
					inf++
				}
			}
		}
		return nan, inf
	}
	exponent := uint16(0x7c00)
	if t == BFloat16 {
		exponent = exponent32 >> 16
	}
	for i := 0; i+2 <= len(raw); i += 2 {
		if v := binary.LittleEndian.Uint16(raw[i:]); v&exponent == exponent {
			if v&^(exponent|1<<15) != 0 {
				nan++
			} else {
				inf++
			}
		}
	}
	return nan, inf
}
