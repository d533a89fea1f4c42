package provision

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Options says where to look and how to obtain. The zero value but for
// CacheDir is the documented default of each field.
type Options struct {
	// Path is the library that the configuration names (runtime.library).
	// Empty: look elsewhere.
	Path string
	// CacheDir is Lathe's cache folder (cache_dir), as DefaultCacheDir gives
	// it; the library goes to onnxruntime/VERSION/GOOS-GOARCH/ in it. Empty:
	// there is no cache, so Find does not look there and Obtain cannot obtain.
	CacheDir string
	// Offline forbids the network: nothing is obtained.
	Offline bool
	// Older takes a library at Path that is older than Version, from Oldest on: whoever
	// asks what another version brings.
	Older bool
	// Platform is the one a library is wanted for. Zero: Host().
	Platform Platform
	// SystemDirs are looked in for an installed library. Nil: the platform's
	// usual folders; empty and not nil: none.
	SystemDirs []string
	// LookPath finds a program by its name. Nil: exec.LookPath.
	LookPath func(name string) (string, error)
	// Progress is told what happens, one call at a time. Nil: nobody is.
	Progress func(Event)

	pins map[Platform]pin // tests have packages of their own
}

// DefaultCacheDir is the user's cache folder for Lathe.
func DefaultCacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("provision: no user cache folder: %w: set cache_dir", err)
	}
	return filepath.Join(dir, "lathe"), nil
}

// A Stage is a part of the way from nothing to a placed library.
type Stage string

const (
	Note     Stage = "note"     // something worth a line to the user: Message
	Wait     Stage = "wait"     // another process has the lock
	Download Stage = "download" // a client is at work; Done of Total bytes
	Verify   Stage = "verify"   // hashes are compared
	Place    Stage = "place"    // the library goes to the cache
	Ready    Stage = "ready"    // the library is in the cache
)

// An Event is one piece of news for whoever shows progress.
type Event struct {
	Stage   Stage
	Message string // what is done now, for a person
	// Done and Total are bytes of the download. Total is 0 where it is not
	// known; Done stays 0 where a client (uv) does not let itself be watched.
	Done, Total int64
}

// filled is a copy of o with the defaults in place, and the pin of its
// platform.
func (o Options) filled() (Options, pin, error) {
	if o.Platform == (Platform{}) {
		o.Platform = Host()
	}
	if o.SystemDirs == nil {
		o.SystemDirs = systemDirs(o.Platform)
	}
	if o.LookPath == nil {
		o.LookPath = exec.LookPath
	}
	if o.Progress == nil {
		o.Progress = func(Event) {}
	}
	if o.pins == nil {
		o.pins = pins
	}
	if o.CacheDir != "" {
		dir, err := filepath.Abs(o.CacheDir)
		if err != nil {
			return o, pin{}, fmt.Errorf("provision: cache folder %s: %w", o.CacheDir, err)
		}
		o.CacheDir = dir
	}
	p, ok := o.pins[o.Platform]
	if !ok {
		return o, pin{}, &PlatformError{o.Platform}
	}
	return o, p, nil
}

// versionDir holds one folder for each platform, its lock, and, while one is
// being obtained, a temporary folder.
func (o Options) versionDir() string { return filepath.Join(o.CacheDir, "onnxruntime", Version) }

func (o Options) platformDir() string { return filepath.Join(o.versionDir(), o.Platform.dir()) }
