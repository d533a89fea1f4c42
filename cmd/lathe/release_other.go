//go:build !linux

package main

// releaseMemory does nothing: memory is kept where mallocTunables are obeyed.
func releaseMemory() {}
