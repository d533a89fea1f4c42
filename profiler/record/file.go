package record

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"lathe/graphgen/arch"
)

// File is an ONNX model that was run as it is. Where it lies is not part of it.
type File struct {
	Base   string `json:"base"`   // the file's own name, without its folder
	SHA256 string `json:"sha256"` // hex, of graph and weights, see FileHash
	Bytes  int64  `json:"bytes"`  // of the graph's file and those of its weights
	Vocab  int    `json:"vocab"`  // of its logits; 0 where their shape does not say

	// Spec is the decoder that it was recognised as; nil where it was not. It gives
	// counts and says how times depend on lengths; what is timed is the file.
	Spec *arch.Spec `json:"spec,omitempty"`

	Threads  int           `json:"threads,omitempty"` // within one operator; 0: 1
	Provider arch.Provider `json:"provider,omitzero"`
}

// FileHash is the hash of a model whose graph's file has the one, and whose files of
// weights have the others, by the names under which the graph has them, in order.
// Both are hex SHA-256.
func FileHash(graph, weights string) string {
	return digest("lathe onnx 1\ngraph " + graph + "\nweights " + weights + "\n")
}

// MaxBase bounds a file's name, as file systems do.
const MaxBase = 255

func (f *File) validate() error {
	switch {
	case f.Base == "" || len(f.Base) > MaxBase || strings.ContainsAny(f.Base, "/\\\n"):
		return fmt.Errorf("file: base is %q: want a file's name without its folder", f.Base)
	case !isDigest(f.SHA256):
		return fmt.Errorf("file: sha256 is %q: want %d hex digits", f.SHA256, 2*sha256.Size)
	case f.Bytes < 0:
		return fmt.Errorf("file: bytes is %d: want 0 or more", f.Bytes)
	case f.Vocab < 0 || f.Vocab > MaxCount:
		return fmt.Errorf("file: vocab is %d: want 0 (unknown) to %d", f.Vocab, MaxCount)
	}
	if f.Spec != nil {
		if err := f.Spec.Validate(); err != nil {
			return fmt.Errorf("file: spec: %w", err)
		}
	}
	// Which dialect runs where is of no concern to a file; every provider takes this.
	run := arch.Build{Dialect: arch.Portable, Threads: f.Threads, Provider: f.Provider}
	if err := run.Validate(); err != nil {
		return fmt.Errorf("file: %w", err)
	}
	return nil
}

func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && strings.ToLower(s) == s
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
