package ort

// A session copies its weights into the layouts of its kernels, hundreds of
// megabytes. By default glibc gives that memory back to the system when the
// session closes, and the next session has it faulted in again, page by page and
// zeroed: half of the time that a session takes to create, and a search creates
// one after another. So glibc is told to keep what is freed. The pages are the
// ordinary ones either way, and timings do not change.
//
// It is told before the program's first thread is made, since threads made
// earlier would have heaps of their own that cannot keep large blocks.
//
// Note: huge pages (glibc.malloc.hugetlb=1) save the same time where the system
// has them ready, and cost seconds where it has to compact memory first; tokens
// do not get faster. Other C libraries have no such switch and go without.

/*
#ifdef __linux__
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>

__attribute__((constructor)) static void keep_freed_memory(void) {
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, 0x7fffffff);
}
#endif
#endif
*/
import "C"
