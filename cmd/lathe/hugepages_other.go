//go:build !linux

package main

// Huge pages are asked for where glibc is.
func hugePages() bool        { return false }
func hugePagesAllowed() bool { return false }
func restartWithHugePages()  {}
