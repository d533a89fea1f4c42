//go:build !linux

package main

// exchange gives two folders each other's place.
func exchange(from, to string) error { return exchangeByRenames(from, to) }

// freeSpace is not asked for here.
func freeSpace(string) (bytes int64, known bool) { return 0, false }
