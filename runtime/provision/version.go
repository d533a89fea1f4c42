package provision

import (
	"cmp"
	"regexp"
	"strconv"
)

// A version is major, minor, patch.
type version [3]int

// versionPattern: as in libonnxruntime.so.1.32.0, VERS_1.32.0,
// libonnxruntime.1.32.0.dylib, 1.33.0-dev. A soname's lone "1" is none.
var versionPattern = regexp.MustCompile(`(?:^|[^0-9])([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,9}))?`)

// parseVersion finds the first version in a text.
func parseVersion(s string) (version, bool) {
	m := versionPattern.FindStringSubmatch(s)
	if m == nil {
		return version{}, false
	}
	var v version
	for i := range v {
		v[i], _ = strconv.Atoi(m[i+1]) // at most nine digits, or empty: 0
	}
	return v, true
}

// pinned is Version.
var pinned, _ = parseVersion(Version)

func (v version) compare(w version) int {
	return cmp.Or(cmp.Compare(v[0], w[0]), cmp.Compare(v[1], w[1]), cmp.Compare(v[2], w[2]))
}

func (v version) String() string {
	return strconv.Itoa(v[0]) + "." + strconv.Itoa(v[1]) + "." + strconv.Itoa(v[2])
}
