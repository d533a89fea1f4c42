// Package provisiontest gives tests what they need from outside the project: the
// ONNX Runtime library, found or obtained as the program does it, with the program's
// own variables (LATHE_RUNTIME_LIBRARY names a library, LATHE_CACHE_DIR another
// cache), and the shared test data (LATHE_SHARED).
package provisiontest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"lathe/runtime/provision"
)

// CacheDir is the cache folder that tests share with the program.
func CacheDir() (string, error) {
	if dir := os.Getenv("LATHE_CACHE_DIR"); dir != "" {
		return dir, nil
	}
	return provision.DefaultCacheDir()
}

// Library finds or obtains the library.
func Library() (provision.Library, error) {
	dir, err := CacheDir()
	if err != nil {
		return provision.Library{}, err
	}
	return provision.Obtain(context.Background(), provision.Options{Path: os.Getenv("LATHE_RUNTIME_LIBRARY"), CacheDir: dir})
}

// Main runs a package's tests on the library, which use opens. Without it there are
// no tests, and that is a failure.
func Main(m *testing.M, use func(libraryPath string) error) {
	lib, err := Library()
	if err == nil {
		err = use(lib.Path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
