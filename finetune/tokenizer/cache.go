package tokenizer

import (
	"strings"
	"sync"
)

// The pieces of text that are kept with their ids: words, mostly, which come again
// and again. Both bounds together are some 10 MB.
const (
	maxSeen      = 1 << 16
	maxSeenBytes = 48
)

// cache has the ids of pieces that were seen before. It is safe for concurrent use;
// the zero value is empty.
type cache struct {
	mu   sync.RWMutex
	seen map[string][]int
}

// get returns the ids of s, which nobody may change.
func (c *cache) get(s string) ([]int, bool) {
	if len(s) > maxSeenBytes {
		return nil, false
	}
	c.mu.RLock()
	ids, ok := c.seen[s]
	c.mu.RUnlock()
	return ids, ok
}

// put keeps a copy of ids, if s is short and there is room.
func (c *cache) put(s string, ids []int) {
	if len(s) > maxSeenBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string][]int{}
	}
	if len(c.seen) < maxSeen {
		c.seen[strings.Clone(s)] = append([]int(nil), ids...)
	}
}

// empty forgets everything.
func (c *cache) empty() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.seen)
}
