package ort_test

import (
	"os"
	"path/filepath"
	"testing"

	"lathe/runtime/ort"
	"lathe/runtime/provision/provisiontest"
)

// env is the library that every test runs on; without one there are no tests.
var env *ort.Env

func TestMain(m *testing.M) {
	provisiontest.Main(m, func(path string) (err error) {
		env, err = ort.Open(path)
		return err
	})
}

// shared is a folder of the shared test data; a hosted run must have it.
func shared(t testing.TB, name string) string {
	root := os.Getenv("LATHE_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "data", name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v; set LATHE_SHARED", err)
		}
		t.Skipf("%v; set LATHE_SHARED", err)
	}
	return dir
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
