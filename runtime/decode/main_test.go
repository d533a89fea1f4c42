package decode_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"lathe/runtime/ort"
	"lathe/runtime/provision"
)

// env is the library that every test runs on; without one there are no tests.
var env *ort.Env

func TestMain(m *testing.M) {
	var err error
	if env, err = open(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func open() (*ort.Env, error) {
	cache := os.Getenv("LATHE_CACHE_DIR")
	if cache == "" {
		var err error
		if cache, err = provision.DefaultCacheDir(); err != nil {
			return nil, err
		}
	}
	lib, err := provision.Obtain(context.Background(), provision.Options{Path: os.Getenv("LATHE_RUNTIME_LIBRARY"), CacheDir: cache})
	if err != nil {
		return nil, err
	}
	return ort.Open(lib.Path)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
