package main

import (
	"os"
	"strings"
	"syscall"
)

// mallocTunables have glibc put large blocks into huge pages, and keep what a
// closed session frees for the next one.
//
// With ordinary pages a session's speed depends on where the system happened to
// put its weights: two sessions of one model differ by 5 %, more than the
// candidates that a search tells apart. Huge pages leave no such luck, and
// tokens are some per cent faster. Kept memory saves the faulting in of hundreds
// of megabytes, half of the time that a session takes to create; alone, with
// ordinary pages, it would favour whichever session is opened later.
//
// glibc reads them when a program starts, so the program starts itself again.
// Other C libraries ignore them.
var mallocTunables = []string{
	"glibc.malloc.hugetlb=1",
	"glibc.malloc.mmap_max=0",
	"glibc.malloc.trim_threshold=17179869184",
	"glibc.malloc.arena_max=1", // other heaps hold no large blocks
}

const (
	tunablesVariable = "GLIBC_TUNABLES"
	thpSetting       = "/sys/kernel/mm/transparent_hugepage/enabled"
)

// hugePages reports whether this process has its sessions in huge pages.
func hugePages() bool {
	return strings.Contains(os.Getenv(tunablesVariable), mallocTunables[0]) && hugePagesAllowed()
}

// hugePagesAllowed reports whether the system gives huge pages to who asks.
func hugePagesAllowed() bool {
	b, err := os.ReadFile(thpSetting)
	return err == nil && !strings.Contains(string(b), "[never]")
}

// restartWithHugePages replaces the process by itself with the tunables set. It
// returns only if that failed, or has been done, or is of no use here.
func restartWithHugePages() {
	have := os.Getenv(tunablesVariable)
	if strings.Contains(have, "glibc.malloc.hugetlb") || !hugePagesAllowed() {
		return
	}
	exe, err := os.Executable()
	if err != nil {
		return
	}
	all := strings.Join(mallocTunables, ":")
	if have != "" {
		all = have + ":" + all
	}
	env := []string{tunablesVariable + "=" + all}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, tunablesVariable+"=") {
			env = append(env, kv)
		}
	}
	syscall.Exec(exe, os.Args, env)
}
