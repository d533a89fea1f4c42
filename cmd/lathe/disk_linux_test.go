package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"lathe/profiler/store"
)

// disk mounts an empty file system of a size, such as "300k", which resize
// changes, or makes read-only with "ro". Who may not mount has the script
// bad_disk, which limits file sizes instead.
func disk(t *testing.T, size string) (dir string, resize func(options string)) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir, func(options string) {
		t.Helper()
		flags := uintptr(syscall.MS_REMOUNT)
		if options == "ro" {
			flags, options = flags|syscall.MS_RDONLY, ""
		}
		if err := syscall.Mount("none", dir, "tmpfs", flags, options); err != nil {
			t.Fatal(err)
		}
	}
}

// fails runs the program, which must exit with 1 and say all of what.
func fails(t *testing.T, dir string, what []string, args ...string) {
	t.Helper()
	p := start(t, dir, args...)
	if p.code() != exitFailure {
		t.Errorf("lathe %s: exit status %d", strings.Join(args, " "), p.code())
	}
	for _, w := range what {
		if !strings.Contains(p.stderr.String(), w) {
			t.Errorf("lathe %s: %q does not say %q", strings.Join(args, " "), p.stderr.String(), w)
		}
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	full, resize := disk(t, "220k")
	dir, db := project(t), filepath.Join(full, "lathe.db")
	// At random, which ends at the budget and no sooner.
	args := []string{"search", "--by", "measure", "--method", "random", "--evaluations", "60", "--store", db}
	fails(t, dir, []string{"the disk is full: free some space and go on; what was stored before is safe"}, args...)
	before := measuredOnce(t, openStore(t, db, store.Options{ReadOnly: true}))
	if before == 0 || before >= 60 {
		t.Fatalf("the disk was full after %d measurements", before)
	}
	fails(t, dir, []string{"the disk is full"}, "search", "--resume", "--store", db)
	resize("size=100m")
	finish(t, dir, "search", "--resume", "--store", db)
	// Head variants of the pick that were not among the 60 are measured as well.
	if n := measuredOnce(t, openStore(t, db, store.Options{})); n < 60 || n > 62 {
		t.Errorf("%d measurements in the end, want 60 to 62", n)
	}

	// A model is written whole or not at all, and one that is there stays.
	finish(t, dir, "emit", "gpt2-l2-d32-f64-h2-v300-p64", "-o", filepath.Join(full, "out"))
	data, err := os.ReadFile(filepath.Join(full, "out", "model.onnx_data"))
	if err != nil {
		t.Fatal(err)
	}
	resize("size=2m")
	for _, out := range []string{"out", "other"} {
		fails(t, dir, []string{"no space left on device", filepath.Join(full, out)}, "emit", "gpt2-l2-d512-f2048-h8-v9000", "-o", filepath.Join(full, out), "--force")
	}
	if now, err := os.ReadFile(filepath.Join(full, "out", "model.onnx_data")); err != nil || string(now) != string(data) {
		t.Errorf("the model that was there: %v", err)
	}
	for out, want := range map[string]int{"out": 2, "other": 0} {
		if left, err := os.ReadDir(filepath.Join(full, out)); err != nil || len(left) != want {
			t.Errorf("%s has %v, %v; want %d files", out, left, err, want)
		}
	}

	// The pool goes on where there is room.
	resize("size=30m")
	measure := []string{"measure", "gpt2-l1-d32-f64-h2-v300-p256", "--cache-dir", filepath.Join(full, "cache")}
	fails(t, dir, []string{"pool-v1-float.bin: growing to 64 MiB: ", "no space left on device"}, measure...)
	resize("size=100m")
	finish(t, dir, measure...)
}

func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	disk, resize := disk(t, "100m")
	dir, db := project(t), filepath.Join(disk, "lathe.db")
	finish(t, dir, "search", "--by", "measure", "--evaluations", "4", "--store", db)
	resize("ro")
	finish(t, dir, "front", "--store", db) // reads, and draws elsewhere
	candidate := "gpt2-l1-d32-f64-h2-v300-p256"
	fails(t, dir, []string{"store: " + db + ": cannot be written"}, "measure", candidate, "--store", db)
	fails(t, dir, []string{"cannot be written"}, "search", "--store", db)
	fails(t, dir, []string{"read-only file system"}, "emit", candidate, "-o", filepath.Join(disk, "out"))
	fails(t, dir, []string{"weights: the pool's folder: ", "read-only file system (cache_dir sets another)"}, "measure", candidate, "--cache-dir", filepath.Join(disk, "cache"))
}

// A disk that is full when a checkpoint is due: training goes on and says so, what was
// saved before stays whole, and with room on the disk again it ends as it would have.
func TestFullDiskInTraining(t *testing.T) {
	skipSlowUnderRace(t)
	t.Parallel()
	dir, args := trainProject(t, "--steps", "60")
	finish(t, dir, args("unbroken")...)
	full, resize := disk(t, "800k") // three checkpoints of 250 kB
	fails(t, dir, []string{"warning: train: checkpoint after step ", "no space left on device", "the last good checkpoint is " + filepath.Join(full, "out", "checkpoints", "step-000000")}, args(filepath.Join(full, "out"))...)
	resize("size=100m")
	finish(t, dir, "train", "--resume", "-o", filepath.Join(full, "out"))
	got, want := losses(t, filepath.Join(full, "out")), losses(t, filepath.Join(dir, "unbroken"))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%d entries, want %d of an unbroken training, and the same", len(got), len(want))
	}
}

// A bundle that has no room is refused before it is written.
func TestExportWithoutRoom(t *testing.T) {
	t.Parallel()
	small, _ := disk(t, "8m")
	out := filepath.Join(small, "out")
	fails(t, t.TempDir(), []string{"export: " + out + " takes about 18 MB, and " + small + " has 8 MB left"},
		"export", "gpt2-l1-d64-f256-h4", "--weights", "random", "--tokenizer", "none", "-o", out, "--for", "optimum")
	if entries, err := os.ReadDir(small); err != nil || len(entries) > 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
}
