package profiler

import (
	"runtime"

	"lathe/profiler/record"
)

// Fingerprint is the machine that this process runs on, with the library and
// execution provider that sessions use: what a timing is valid for.
func Fingerprint(libraryVersion, provider string) record.Host {
	h := record.Host{
		Cores: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		LibraryVersion: libraryVersion, Provider: provider,
	}
	fillHost(&h)
	return h
}
