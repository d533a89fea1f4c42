package provision

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestReadOnlyCache: a library that is there is found; obtaining one is an
// error that names the folder and the setting.
func TestReadOnlyCache(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(w.o.CacheDir, 0o755); err != nil {
		t.Fatal(err)
	}
	full := w.o
	full.CacheDir = filepath.Join(t.TempDir(), "full")
	if _, err := Obtain(context.Background(), full); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{w.o.CacheDir, full.CacheDir} {
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(dir, 0o755) })
	}
	if os.Getuid() == 0 {
		// Root may write anywhere. For one thread's accesses to files it can
		// be another user; the thread ends with the goroutine that locked it.
		for dir := full.CacheDir; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
			os.Chmod(dir, 0o555)
			t.Cleanup(func() { os.Chmod(dir, 0o755) })
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread()
			syscall.Setfsuid(65534)
			checkReadOnly(t, w.o, full)
		}()
		<-done
		return
	}
	checkReadOnly(t, w.o, full)
}

func checkReadOnly(t *testing.T, empty, full Options) {
	_, err := Obtain(context.Background(), empty)
	if !errors.Is(err, ErrReadOnly) || !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), empty.CacheDir) || !strings.Contains(err.Error(), "set cache_dir") {
		t.Errorf("an empty cache: %v", err)
	}
	lib, err := Obtain(context.Background(), full)
	if err != nil || lib.Source != Cache {
		t.Errorf("a cache with the library: %+v, %v", lib, err)
	}
}
