package ort_test

import (
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

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
