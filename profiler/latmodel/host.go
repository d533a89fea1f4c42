package latmodel

import (
	"fmt"
	"slices"
	"strings"

	"lathe/profiler/record"
)

// hostName tells hosts apart for people; the hash's start stands for what it
// leaves out.
func hostName(h record.Host) string {
	return fmt.Sprintf("%s with ONNX Runtime %s (%s)", h.CPUModel, h.LibraryVersion, h.Hash()[:8])
}

// CheckHost refuses another host than the one whose records the model was fitted
// to, and names what differs.
func (m *Model) CheckHost(h record.Host) error {
	if h.Hash() == m.Host.Hash() {
		return nil
	}
	return fmt.Errorf("latmodel: the model is of another host: %s: measure and fit on this one",
		strings.Join(hostDifferences(m.Host, h), "; "))
}

// hostDifferences lists what differs from the model's host to this one.
func hostDifferences(model, this record.Host) []string {
	var diff []string
	for _, f := range []struct {
		name     string
		was, now any
	}{
		{"cpu_model", model.CPUModel, this.CPUModel},
		{"cores", model.Cores, this.Cores},
		{"governor", model.Governor, this.Governor},
		{"memory in GiB", gib(model.MemoryBytes), gib(this.MemoryBytes)},
		{"kernel", model.Kernel, this.Kernel},
		{"os", model.OS, this.OS},
		{"arch", model.Arch, this.Arch},
		{"library_version", model.LibraryVersion, this.LibraryVersion},
		{"provider", model.Provider, this.Provider},
		{"huge_pages", model.HugePages, this.HugePages},
	} {
		if f.was != f.now {
			diff = append(diff, fmt.Sprintf("%s was %#v and is %#v", f.name, f.was, f.now))
		}
	}
	if gone := missing(model.Flags, this.Flags); len(gone) > 0 {
		diff = append(diff, "CPU flags gone: "+strings.Join(gone, " "))
	}
	if added := missing(this.Flags, model.Flags); len(added) > 0 {
		diff = append(diff, "CPU flags new: "+strings.Join(added, " "))
	}
	if diff == nil { // a fingerprint of more than this version can name
		diff = []string{fmt.Sprintf("fingerprint %s, not %s", this.Hash()[:8], model.Hash()[:8])}
	}
	return diff
}

// gib rounds as record.Host.Hash does.
func gib(bytes int64) int64 { return (bytes + 1<<29) >> 30 }

// missing is what of a is not in b.
func missing(a, b []string) (out []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}
