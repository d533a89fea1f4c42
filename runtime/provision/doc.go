// Package provision finds the ONNX Runtime shared library that Lathe is
// pinned to, or obtains it.
//
// [Find] looks, and [Obtain] looks and then obtains. Both look in one order:
//
//  1. the path in the configuration; if it is set and will not do, that is an
//     error, and nothing else is looked at;
//  2. the user cache, whose files must have their pinned SHA-256;
//  3. the system's library folders;
//  4. an installed Python package named onnxruntime.
//
// Obtain then asks a package client of the user's (pip, or uv) for the pinned
// Python package by its hash, takes the library out of it, verifies the
// library's own hash, and places it in the cache: atomically, and under a lock
// between processes. The client's configuration, mirrors and credentials
// apply; no registry's address is written here. Python itself is not used: a
// wheel is a zip file that has the library in it, so one wheel serves whatever
// Python the user has.
//
// A library is judged without being loaded: by its header (which system and
// CPU it is for), by whether it is whole, by the one symbol that every ONNX
// Runtime exports, and by the version written in it. To load it is the work of
// runtime/ort, which takes [Library.Path].
//
// The two lines that any test or program needs:
//
//	dir, err := provision.DefaultCacheDir()
//	lib, err := provision.Obtain(ctx, provision.Options{CacheDir: dir})
//
// The package imports nothing else of Lathe's. It reads no environment
// variable but those that os.UserCacheDir and exec.LookPath read, and prints
// nothing: what happens is told through [Options.Progress].
package provision
