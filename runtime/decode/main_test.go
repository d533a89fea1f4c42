package decode_test

import (
	"fmt"
	"os"
	"testing"

	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
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
	lib, err := provisiontest.Library()
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
