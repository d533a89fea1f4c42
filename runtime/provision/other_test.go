package provision

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestOtherRefuses(t *testing.T) {
	none := func(string) (string, error) { return "", os.ErrNotExist }
	o := Options{CacheDir: t.TempDir(), SystemDirs: []string{}, LookPath: none}
	for version, want := range map[string]string{
		"":       `library version "": want major.minor.patch`,
		"1.25":   `library version "1.25": want major.minor.patch`,
		"../1.2": "want major.minor.patch",
		"1.23.2": "library version 1.23.2: " + ErrTooOld.Error() + ": want 1.24.0 or newer",
		"1.25.0": "pip is needed",
	} {
		if _, err := Other(t.Context(), o, version); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", version, err, want)
		}
	}
	o.Offline = true
	if _, err := Other(t.Context(), o, "1.25.0"); !errors.Is(err, ErrOffline) {
		t.Errorf("offline: %v", err)
	}
}

// TestTakeLibraries: what is no library, or lies elsewhere, stays in the wheel.
func TestTakeLibraries(t *testing.T) {
	dir := t.TempDir()
	wheel := filepath.Join(dir, "w.whl")
	f, err := os.Create(wheel)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for _, name := range []string{
		"onnxruntime/capi/libonnxruntime.so.1.25.0", "onnxruntime/capi/libonnxruntime_providers_shared.so",
		"onnxruntime/capi/onnxruntime_pybind11_state.so", "onnxruntime/capi/training/libonnxruntime.so", "onnxruntime/capi/../../libonnxruntime.so", "README",
	} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(name))
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := takeLibraries(wheel, out, "linux"); err != nil {
		t.Fatal(err)
	}
	list, _ := os.ReadDir(out)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, []string{"libonnxruntime.so.1.25.0", "libonnxruntime_providers_shared.so"}) {
		t.Errorf("taken: %q", names)
	}
	if err := takeLibraries(wheel, t.TempDir(), "windows"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a wheel of another system: %v", err)
	}
}

// TestOtherForReal obtains an older version, and finds it the next time.
func TestOtherForReal(t *testing.T) {
	if os.Getenv("LATHE_TEST_NETWORK") == "" && os.Getenv("CI") == "" {
		t.Skip("needs the network: LATHE_TEST_NETWORK=1")
	}
	o := Options{CacheDir: t.TempDir()}
	lib, err := Other(t.Context(), o, "1.31.0")
	if err != nil {
		t.Fatal(err)
	}
	o.Offline = true
	again, err := Other(t.Context(), o, "1.31.0")
	if err != nil || again.SHA256 != lib.SHA256 || lib.Version != "1.31.0" {
		t.Errorf("%+v, then %+v, %v", lib, again, err)
	}
	if _, err := Find(t.Context(), Options{Path: lib.Path}); !errors.Is(err, ErrTooOld) {
		t.Errorf("the pinned one's users take it: %v", err)
	}
	if _, err := Find(t.Context(), Options{Path: lib.Path, Older: true}); err != nil {
		t.Error(err)
	}
}
