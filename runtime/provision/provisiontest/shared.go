package provisiontest

import (
	"os"
	"path/filepath"
	"testing"
)

// Shared is the path of a file or folder of the shared test data, which stands
// outside the project: in LATHE_SHARED, or in shared/ beside the project. A test
// whose data are not there is skipped; in a hosted run, which must have them (CI is
// set), it fails.
func Shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("LATHE_SHARED")
	if root == "" {
		root = filepath.Join(projectRoot(t), "..", "shared")
	}
	path := filepath.Join(root, "data", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v; set LATHE_SHARED", err)
		}
		t.Skipf("%v; set LATHE_SHARED", err)
	}
	return path
}

// projectRoot is the folder of go.mod, above the package that is tested.
func projectRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working folder")
		}
		dir = filepath.Dir(dir)
	}
}
