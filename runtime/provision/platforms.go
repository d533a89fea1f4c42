package provision

import (
	"maps"
	"runtime"
	"slices"
	"strings"
)

// Version is the ONNX Runtime that Lathe is pinned to. It is also the oldest
// that is accepted from the configuration, the system or Python: timings of
// different versions do not compare, and no older one was tested. (The C API
// that runtime/ort asks for, ORT_API_VERSION 24, came with 1.24.)
const Version = "1.32.0"

// requirement is what a package client is asked for, and what a user can ask
// for by hand.
const requirement = "onnxruntime==" + Version

// A Platform is an operating system and a CPU, by Go's names.
type Platform struct{ GOOS, GOARCH string }

// Host is the platform that this program was built for.
func Host() Platform { return Platform{runtime.GOOS, runtime.GOARCH} }

func (p Platform) String() string { return p.GOOS + "/" + p.GOARCH }

// dir is the platform's folder name in the cache.
func (p Platform) dir() string { return p.GOOS + "-" + p.GOARCH }

// A pin is one platform's package and the files that are taken out of it.
type pin struct {
	tag         string // the wheel's platform tag, for pip --platform
	uvPlatform  string // the same for uv --python-platform
	wheelSize   int64  // bytes
	wheelSHA256 string
	files       []pinnedFile // the library is the first
}

// library is the file that runtime/ort loads.
func (p pin) library() pinnedFile { return p.files[0] }

// A pinnedFile is one file of a wheel.
type pinnedFile struct {
	member string // its path in the wheel
	name   string // its name in the cache
	size   int64  // bytes
	sha256 string
}

// pythonTag names the wheel among those of one platform. All of them carry
// the same library; one is fixed for all users since only the library is used,
// and the hash is of one file. Without a dot pip understands it at any age.
const pythonTag = "312"

// pins was made with, for each tag,
//
//	pip download --no-deps --only-binary=:all: --implementation cp \
//	    --python-version 312 --abi cp312 --platform TAG onnxruntime==1.32.0
//	pip hash *.whl; unzip -l *.whl; unzip *.whl; sha256sum onnxruntime/capi/*
//
// and the libraries' hashes were compared with those that the wheel's RECORD
// has. For another version, do the same; see also TestObtainForReal.
//
// Note: two other sources were looked at and left out. The npm package
// onnxruntime-node carries libraries for the same platforms, but its newest
// release is 1.30.0: there is no 1.32.0 to pin, and an older library is what
// this package refuses. The ONNX Runtime project's release archives exist for
// 1.32.0, but they are another build than the wheels' (another file, another
// hash), and no hash of theirs could be had from a source that we can check; a
// hash that nobody computed is worse than one client fewer.
var pins = map[Platform]pin{
	{"linux", "amd64"}: {
		tag:         "manylinux_2_28_x86_64",
		uvPlatform:  "x86_64-manylinux_2_28",
		wheelSize:   27780211,
		wheelSHA256: "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8",
		files: []pinnedFile{
			{"onnxruntime/capi/libonnxruntime.so.1.32.0", "libonnxruntime.so.1.32.0",
				34824680, "6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f"},
			{"onnxruntime/capi/libonnxruntime_providers_shared.so", "libonnxruntime_providers_shared.so",
				14632, "8ef51f6bf2c621fc129f625b22241fa6f9a5870bc08eaf2fdd279169ec40d09a"},
		},
	},
	{"linux", "arm64"}: {
		tag:         "manylinux_2_28_aarch64",
		uvPlatform:  "aarch64-manylinux_2_28",
		wheelSize:   23196724,
		wheelSHA256: "e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054",
		files: []pinnedFile{
			{"onnxruntime/capi/libonnxruntime.so.1.32.0", "libonnxruntime.so.1.32.0",
				27165936, "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a"},
			{"onnxruntime/capi/libonnxruntime_providers_shared.so", "libonnxruntime_providers_shared.so",
				198792, "f91fa2b0a2b8dba9cbc319254d342fa8201fd94b5912b9ce717f82e2207ee3d5"},
		},
	},
	{"darwin", "arm64"}: {
		tag:         "macosx_14_0_arm64",
		uvPlatform:  "aarch64-apple-darwin",
		wheelSize:   22519308,
		wheelSHA256: "d52510bbbcc880c13b826f7d75cdf33ac5cf0bb864d960000fc29ce73f0cb83e",
		files: []pinnedFile{
			{"onnxruntime/capi/libonnxruntime.1.32.0.dylib", "libonnxruntime.1.32.0.dylib",
				35272344, "fa585fabbea65b823b9a8f7e27d46aee3989d1be7e36b528203d3a1fd613aae7"},
		},
	},
	{"windows", "amd64"}: {
		tag:         "win_amd64",
		uvPlatform:  "x86_64-pc-windows-msvc",
		wheelSize:   16698767,
		wheelSHA256: "efe7456952c243a05a53d5b8732953625144642c2f3989094277f6217f0c0c40",
		files: []pinnedFile{
			{"onnxruntime/capi/onnxruntime.dll", "onnxruntime.dll",
				22668640, "443c0065fcdba17618ddef05050308f4b471893c5c7da0337d6957c9073ad8a7"},
			{"onnxruntime/capi/onnxruntime_providers_shared.dll", "onnxruntime_providers_shared.dll",
				21816, "b7ce00a1246473401b9b7fed2816852c1f9ecd70f2e68a136761c40d6523b712"},
		},
	},
}

// Platforms lists those that a library is known for.
func Platforms() []Platform {
	return slices.SortedFunc(maps.Keys(pins), func(a, b Platform) int {
		return strings.Compare(a.String(), b.String())
	})
}

// systemDirs are the folders in which a system's packages, or a user with a
// release archive, put shared libraries.
func systemDirs(p Platform) []string {
	switch p {
	case Platform{"linux", "amd64"}:
		return []string{"/usr/local/lib", "/usr/local/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/opt/onnxruntime/lib"}
	case Platform{"linux", "arm64"}:
		return []string{"/usr/local/lib", "/usr/local/lib64", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/opt/onnxruntime/lib"}
	case Platform{"darwin", "arm64"}:
		return []string{"/opt/homebrew/lib", "/usr/local/lib", "/opt/onnxruntime/lib"}
	}
	// Windows has no such folder; the onnxruntime.dll in System32 is the
	// system's own, years older, and not for others to use.
	return nil
}

// libraryGlobs match the names under which the library is installed.
func libraryGlobs(goos string) []string {
	switch goos {
	case "darwin":
		return []string{"libonnxruntime.dylib", "libonnxruntime.*.dylib"}
	case "windows":
		return []string{"onnxruntime.dll"}
	}
	return []string{"libonnxruntime.so", "libonnxruntime.so.*"}
}
