package text

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// The tokens of a corpus are kept in a folder: header.json, and for each part a file
// of tokens, little-endian and 2 or 4 bytes wide, and an index of its documents. An
// index entry is 12 bytes, the place behind the document's last token and the number
// of its first tokens that are prompt.
const (
	keptFormat = 1
	headerFile = "header.json"
	entryBytes = 12
)

func tokensFile(dir string, p Part) string { return filepath.Join(dir, p.String()+".tokens") }
func indexFile(dir string, p Part) string  { return filepath.Join(dir, p.String()+".index") }

// Stats are what is in a part. Sections of long documents count as documents.
type Stats struct {
	Documents int64 `json:"documents"`
	Tokens    int64 `json:"tokens"`
	// Targets are the tokens that the loss counts: all but prompts'.
	Targets int64 `json:"targets"`
	// Characters, code points, are what Targets spell; what ends a text is none.
	Characters int64 `json:"characters"`
}

// CharsPerToken is how many characters a target token stands for, by which losses of
// different tokenizers compare: a character's is a token's divided by it.
func (s Stats) CharsPerToken() float64 {
	return float64(s.Characters) / float64(max(s.Targets, 1))
}

// header says what is kept.
type header struct {
	Format int              `json:"format"`
	Key    string           `json:"key"`
	Width  int              `json:"width"`  // bytes of a token
	MaxID  int64            `json:"max_id"` // the highest id
	Parts  [parts]keptStats `json:"parts"`
	Sum    string           `json:"sum"` // of all this, with an empty one
}

type keptStats struct {
	Stats
	TokensCRC uint32 `json:"tokens_crc32c"`
	IndexCRC  uint32 `json:"index_crc32c"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (h header) sum() string {
	h.Sum = ""
	data, err := json.Marshal(h)
	if err != nil {
		panic(err) // it has numbers and text alone
	}
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// readHeader reads the header of what is kept under key.
func readHeader(dir, key string) (header, error) {
	var h header
	data, err := os.ReadFile(filepath.Join(dir, headerFile))
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(data, &h); err != nil {
		return h, fmt.Errorf("%s: %w", headerFile, err)
	}
	switch {
	case h.Format != keptFormat:
		return h, fmt.Errorf("%s: format %d: want %d", headerFile, h.Format, keptFormat)
	case h.Sum != h.sum():
		return h, fmt.Errorf("%s does not agree with its checksum", headerFile)
	case h.Key != key:
		return h, fmt.Errorf("%s is of %.40s", headerFile, h.Key)
	case h.Width != 2 && h.Width != 4:
		return h, fmt.Errorf("%s: tokens of %d bytes", headerFile, h.Width)
	}
	return h, nil
}

// verify reads what is kept and reports the first thing that is not as h says.
func (h header) verify(dir string) error {
	for p := range parts {
		if err := h.verifyTokens(dir, Part(p)); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(tokensFile(dir, Part(p))), err)
		}
		if err := h.verifyIndex(dir, Part(p)); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(indexFile(dir, Part(p))), err)
		}
	}
	return nil
}

// records calls f with the records of a file, width bytes each, of which there have to
// be n, with this checksum.
func records(path string, width int, n int64, crc uint32, f func([]byte) error) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if info.Size()%int64(width) != 0 || info.Size()/int64(width) != n {
		return fmt.Errorf("%d bytes: want %d records of %d", info.Size(), n, width)
	}
	got := uint32(0)
	buf := make([]byte, width<<14)
	for {
		k, err := io.ReadFull(in, buf)
		got = crc32.Update(got, castagnoli, buf[:k])
		for at := 0; at+width <= k; at += width {
			if err := f(buf[at : at+width]); err != nil {
				return err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if got != crc {
		return errors.New("it does not agree with its checksum")
	}
	return nil
}

func (h header) verifyTokens(dir string, p Part) error {
	k := h.Parts[p]
	return records(tokensFile(dir, p), h.Width, k.Tokens, k.TokensCRC, func(b []byte) error {
		if id := token(b); id > h.MaxID {
			return fmt.Errorf("id %d, where %d is said to be the highest", id, h.MaxID)
		}
		return nil
	})
}

// token is one as it is kept, of 2 or 4 bytes.
func token(b []byte) int64 {
	if len(b) == 2 {
		return int64(binary.LittleEndian.Uint16(b))
	}
	return int64(binary.LittleEndian.Uint32(b))
}

// entry is a document's place in the index.
type entry struct{ end, prompt int64 }

func readEntry(b []byte) entry {
	return entry{int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint32(b[8:]))}
}

func (h header) verifyIndex(dir string, p Part) error {
	k := h.Parts[p]
	at, targets := int64(0), int64(0)
	err := records(indexFile(dir, p), entryBytes, k.Documents, k.IndexCRC, func(b []byte) error {
		e := readEntry(b)
		if e.end <= at || e.end > k.Tokens || e.prompt > e.end-at {
			return fmt.Errorf("a document of tokens %d to %d, %d of them prompt, in %d", at, e.end, e.prompt, k.Tokens)
		}
		targets += e.end - at - e.prompt
		at = e.end
		return nil
	})
	if err == nil && (at != k.Tokens || targets != k.Targets) {
		err = fmt.Errorf("documents have %d tokens, %d of them targets: want %d and %d", at, targets, k.Tokens, k.Targets)
	}
	return err
}

// write writes h, with its checksum.
func (h header) write(dir string) error {
	h.Sum = h.sum()
	data, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, headerFile), data, 0o644)
}
