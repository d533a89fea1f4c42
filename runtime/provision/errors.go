package provision

import (
	"errors"
	"fmt"
	"strings"
)

// What can be wrong, for errors.Is. The errors that are returned wrap these
// and name the file or folder, what was found there, and what would be right.
var (
	ErrNotFound   = errors.New("no usable library found")
	ErrTooOld     = errors.New("too old")
	ErrWrongCPU   = errors.New("made for another CPU or system")
	ErrCorrupt    = errors.New("corrupt or cut short")
	ErrNotRuntime = errors.New("not an ONNX Runtime library")
	ErrOffline    = errors.New("offline, so nothing was obtained")
	ErrNoClient   = errors.New("no package client to obtain it with")
	ErrDownload   = errors.New("the download failed")
	ErrReadOnly   = errors.New("cannot be written")
	ErrPlatform   = errors.New("no library is known for this platform")
)

// A Source is where a library came from.
type Source string

const (
	Config Source = "config" // Options.Path
	Cache  Source = "cache"
	System Source = "system"
	Python Source = "python" // an installed Python package
	Pip    Source = "pip"    // obtained now
	UV     Source = "uv"     // obtained now
)

// A FileError says why one file will not do. With Source Config it is the
// user's input that is wrong.
type FileError struct {
	Source      Source
	Path        string
	Found, Want string // either may be empty
	Err         error  // one of the above, or the system's
}

func (e *FileError) Error() string {
	return fmt.Sprintf("provision: %s: %s", e.label(), e.reason())
}

func (e *FileError) label() string {
	if e.Source == Config {
		return "runtime.library " + e.Path
	}
	return string(e.Source) + " library " + e.Path
}

func (e *FileError) reason() string {
	s := e.Err.Error()
	if e.Found != "" {
		s += ": found " + e.Found
	}
	if e.Want != "" {
		s += ", want " + e.Want
	}
	return s
}

func (e *FileError) Unwrap() error { return e.Err }

// A PlatformError names a platform that no library is known for.
type PlatformError struct{ Platform Platform }

func (e *PlatformError) Error() string {
	var known []string
	for _, p := range Platforms() {
		known = append(known, p.String())
	}
	return fmt.Sprintf("provision: %s: %v; known are %s", e.Platform, ErrPlatform, strings.Join(known, ", "))
}

func (e *PlatformError) Unwrap() error { return ErrPlatform }

// A CacheError says that the cache folder cannot be used to place a library.
type CacheError struct {
	Dir string
	Err error
}

func (e *CacheError) Error() string {
	advice := "make it writable, or set cache_dir to a folder that is"
	if noRoom(e.Err) {
		advice = "make room there, or set cache_dir to a folder on another disk"
	}
	return fmt.Sprintf("provision: cache folder %s %v: %v; %s", e.Dir, ErrReadOnly, e.Err, advice)
}

func (e *CacheError) Unwrap() []error { return []error{ErrReadOnly, e.Err} }

// An Attempt is one place that was looked at, or one client that was asked,
// and why it did not do.
type Attempt struct {
	Source Source
	Where  string // a path, a list of folders, or a command
	Err    error
}

func (a Attempt) String() string {
	reason := strings.TrimPrefix(a.Err.Error(), "provision: ")
	var fe *FileError
	if errors.As(a.Err, &fe) {
		reason = fe.reason()
	}
	return fmt.Sprintf("%s %s: %s", a.Source, a.Where, reason)
}

// A NotFoundError says everything that was tried, and what would help.
type NotFoundError struct {
	Platform Platform
	Attempts []Attempt // in the order they were made
	Err      error     // why it ended here: ErrNotFound, ErrOffline, ErrNoClient or ErrDownload
	Help     string    // the command that helps
}

func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "provision: no ONNX Runtime %s or newer for %s: %v; tried:", Version, e.Platform, e.Err)
	for _, a := range e.Attempts {
		b.WriteString("\n  " + strings.ReplaceAll(a.String(), "\n", "\n    "))
	}
	fmt.Fprintf(&b, "\nthis helps: %s\nor set runtime.library to the path of such a library", e.Help)
	return b.String()
}

// Is makes any NotFoundError an ErrNotFound.
func (e *NotFoundError) Is(target error) bool { return target == ErrNotFound }

func (e *NotFoundError) Unwrap() []error {
	errs := []error{e.Err}
	for _, a := range e.Attempts {
		errs = append(errs, a.Err)
	}
	return errs
}

// help is the one command that mends the want of a library: the package that
// Find looks for in Python, installed by hand; where there is no client to do
// it, first the client.
func help(p Platform, cause error) string {
	if !errors.Is(cause, ErrNoClient) {
		return "pip install " + requirement
	}
	switch p.GOOS {
	case "darwin":
		return "brew install python"
	case "windows":
		return "winget install Python.Python.3.12"
	}
	return "apt-get install python3-pip (or the like of your distribution)"
}
