package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// Host is the fingerprint of the machine and library that a session ran on.
type Host struct {
	CPUModel       string   `json:"cpu_model"`
	Flags          []string `json:"flags"` // instruction sets that matter to kernels
	Cores          int      `json:"cores"` // that this process may use
	Governor       string   `json:"governor"`
	MemoryBytes    int64    `json:"memory_bytes"`
	Kernel         string   `json:"kernel"`
	OS             string   `json:"os"`
	Arch           string   `json:"arch"`
	LibraryVersion string   `json:"library_version"` // of ONNX Runtime
	Provider       string   `json:"provider"`        // execution provider
	HugePages      bool     `json:"huge_pages"`      // sessions' memory is in huge pages: equal sessions are then equally fast
}

// Hash returns the hex SHA-256 of the fingerprint: records of one hash are
// comparable. The order of Flags does not matter, and memory counts in whole GiB,
// since what the kernel keeps for itself changes from boot to boot.
func (h Host) Hash() string {
	h.Flags = slices.Clone(h.Flags)
	slices.Sort(h.Flags)
	h.Flags = append([]string{}, slices.Compact(h.Flags)...)
	const gib = 1 << 30
	h.MemoryBytes = (h.MemoryBytes + gib/2) / gib
	b, err := json.Marshal(h)
	if err != nil {
		panic("record: a host of strings and integers does not marshal: " + err.Error())
	}
	sum := sha256.Sum256(append([]byte("lathe host 1\n"), b...))
	return hex.EncodeToString(sum[:])
}
