package profiler

import (
	"runtime"

	"lathe/profiler/record"
)

// Fingerprint is the machine that this process runs on, with the library and
// execution provider that sessions use: what a timing is valid for. hugePages
// says whether their memory is in huge pages, which makes tokens faster.
func Fingerprint(libraryVersion, provider string, hugePages bool) record.Host {
	h := record.Host{
		Cores: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		LibraryVersion: libraryVersion, Provider: provider, HugePages: hugePages,
	}
	fillHost(&h)
	return h
}
