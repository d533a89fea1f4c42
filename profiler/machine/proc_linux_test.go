package machine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// unpack makes the files of a machine in testdata, and returns where "/" is.
func unpack(t *testing.T, name string) (root string) {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir() + "/"
	if err := txtar.Write(a, root); err != nil {
		t.Fatal(err)
	}
	return root
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStat(t *testing.T) {
	for _, c := range []struct {
		machine     string
		cpus        []int
		busy, steal int64
	}{
		{"bare-metal", []int{0, 1, 2, 3, 4, 5, 6, 7}, 8*(480000+1200+91000+2400) + 28*(1000+10+1), 0},
		{"bare-metal", []int{2}, 482000 + 1200 + 91020 + 2402, 0},
		{"virtual-machine", []int{0, 1}, 332479 + 72090 + 167 + 505553 + 87269 + 2260, 587 + 568},
		{"container-v2", []int{3, 12}, 400000 + 1300000 + 2*20100, 40 + 130},
		// As many as there are, by other numbers: a container that counts from 0.
		{"virtual-machine", []int{6, 7}, 332479 + 72090 + 167 + 505553 + 87269 + 2260, 587 + 568},
		{"container-v1", []int{0, 1}, 30, 0}, // a kernel of four columns
	} {
		root := unpack(t, c.machine)
		busy, steal := parseStat(read(t, root+"proc/stat"), c.cpus)
		if busy != c.busy || steal != c.steal {
			t.Errorf("%s, CPUs %v: %d busy and %d stolen ticks, want %d and %d", c.machine, c.cpus, busy, steal, c.busy, c.steal)
		}
	}
}

func TestClockRate(t *testing.T) {
	for _, c := range []struct {
		machine string
		cpu     int
		mhz     float64
	}{
		{"bare-metal", 0, 3412.775},
		{"bare-metal", 3, 4801.112},
		{"bare-metal", 7, 1203.41}, // has no driver's file here
		{"virtual-machine", 1, 2596.096},
		{"virtual-machine", 2, 0}, // there is none
		{"container-v1", 1, 0},    // the architecture does not tell
		{"nested-v2", 0, 0},       // no file at all
	} {
		if got := clockRate(unpack(t, c.machine), c.cpu); got != c.mhz {
			t.Errorf("%s, CPU %d: %g MHz, want %g", c.machine, c.cpu, got, c.mhz)
		}
	}
}

func TestAvailableMemoryOf(t *testing.T) {
	for machine, want := range map[string]int64{
		"bare-metal":      24106532 << 10,
		"virtual-machine": 23743056 << 10,
		"container-v2":    2147483648 - (1610612736 - 268435456 - 1073741824),
		"nested-v2":       0, // over the limit
		"container-v1":    536870912 - (500000000 - 250000000),
	} {
		if got, ok := availableMemory(unpack(t, machine)); got != want || !ok {
			t.Errorf("%s: %d bytes, %v; want %d", machine, got, ok, want)
		}
	}
	if got, ok := availableMemory(t.TempDir() + "/"); ok {
		t.Errorf("a system that tells nothing: %d bytes, want none", got)
	}
}

func TestCPUQuotaOf(t *testing.T) {
	for machine, want := range map[string]float64{
		"bare-metal": 0, "virtual-machine": 0, "container-v2": 1.5, "nested-v2": 0.5, "container-v1": 2.5,
	} {
		if got, ok := cpuQuota(unpack(t, machine)); got != want || ok != (want > 0) {
			t.Errorf("%s: %g cores, %v; want %g", machine, got, ok, want)
		}
	}
}

func TestGroupBelowMount(t *testing.T) {
	for _, c := range []struct{ mount, member, want string }{
		{"/", "/", "/"},
		{"/", "/a/b", "/a/b"},
		{"/docker/x", "/docker/x", "/"},
		{"/docker/x", "/docker/x/y", "/y"},
		{"/docker/x", "/docker/xy", "/"},
		{"/docker/x", "/elsewhere", "/"},
		{"/", "/../../outside", "/outside"}, // seen from a namespace; no folder, so no limit
	} {
		if got := relative(c.mount, c.member); got != c.want {
			t.Errorf("group %s below a mount of %s: %s, want %s", c.member, c.mount, got, c.want)
		}
	}
	var dirs []string
	for d := range (group{mount: "/sys/fs/cgroup", below: "/a/b"}).upwards() {
		dirs = append(dirs, d)
	}
	if len(dirs) != 3 || dirs[0] != "sys/fs/cgroup/a/b" || dirs[2] != "sys/fs/cgroup" {
		t.Errorf("folders %q, want those of /a/b, /a and /", dirs)
	}
}

// FuzzParsers: nothing that a system could write makes a reading negative,
// infinite or the program stop.
func FuzzParsers(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatal("no machines in testdata")
	}
	for _, name := range files {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			f.Add(file.Data, 1)
		}
	}
	f.Add([]byte("cpu0 9223372036854775807 9223372036854775807 1 1 1 1 1 9223372036854775807\n"), 0)
	f.Add([]byte("processor : 0\ncpu MHz : 1e999\n"), 0)
	f.Add([]byte("MemAvailable: 9223372036854775807 kB\nmax 0"), 0)
	f.Fuzz(func(t *testing.T, b []byte, cpu int) {
		busy, steal := parseStat(b, []int{cpu})
		if busy < 0 || steal < 0 || busy > maxTicks || steal > maxTicks {
			t.Errorf("%d busy and %d stolen ticks", busy, steal)
		}
		if mhz := parseMHz(b, cpu); !(mhz >= 0) || mhz > 1e300 && mhz*2 == mhz {
			t.Errorf("%g MHz", mhz)
		}
		if mhz := parseKHz(b); !(mhz >= 0) {
			t.Errorf("%g MHz", mhz)
		}
		if n, ok := parseMeminfo(b, "MemAvailable"); n < 0 || !ok && n != 0 {
			t.Errorf("%d bytes available, %v", n, ok)
		}
		if n := parseStatField(b, "inactive_file"); n < 0 {
			t.Errorf("%d bytes of files", n)
		}
		if q, p := parseCPUMax(b); q < 0 || p < 0 {
			t.Errorf("quota %g of %g", q, p)
		}
		for _, m := range parseMounts(b) {
			for _, v2 := range []bool{false, true} {
				member, _ := parseMembership(b, "memory", v2)
				for dir := range (group{mount: m.point, below: relative(m.root, member)}).upwards() {
					if filepath.IsAbs(dir) {
						t.Errorf("folder %q has its slash", dir)
					}
				}
			}
		}
	})
}
