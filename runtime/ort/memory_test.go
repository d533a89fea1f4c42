package ort

import "testing"

func TestEnough(t *testing.T) {
	const info = "MemTotal:       24000000 kB\nMemFree:  1 kB\nMemAvailable:   1000 kB\n"
	for _, c := range []struct {
		info string
		size int64
		ok   bool
	}{
		{info, 1000 << 10, true}, {info, 1000<<10 + 1, false}, {"", 1 << 40, true},
		{"MemAvailable: much", 1 << 40, true}, {"MemAvailable:", 1 << 40, true},
	} {
		if _, ok := enough([]byte(c.info), c.size); ok != c.ok {
			t.Errorf("%d bytes of %q: %v, want %v", c.size, c.info, ok, c.ok)
		}
	}
}
