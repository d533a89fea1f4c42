//go:build !unix && !windows

package machine

func (c *Counters) fill() {}
