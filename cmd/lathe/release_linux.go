package main

// #include <stdlib.h>
// #ifdef __GLIBC__
// #include <malloc.h>
// static void release(void) { malloc_trim(0); }
// #else
// static void release(void) {}
// #endif
import "C"

// releaseMemory gives back to the system what the C library keeps of closed
// sessions for the next one, see mallocTunables.
func releaseMemory() { C.release() }
