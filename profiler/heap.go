package profiler

import (
	"runtime"
	"runtime/metrics"
)

// heap collects garbage between blocks where much has come together: the
// collector does not run while a session is timed.
type heap struct {
	sample []metrics.Sample
	live   uint64 // bytes after the last collection
}

// heapGrowth is the garbage that a timing may carry along, bytes.
const heapGrowth = 64 << 20

func newHeap() heap {
	return heap{sample: []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}}
}

func (h *heap) bytes() uint64 {
	metrics.Read(h.sample)
	return h.sample[0].Value.Uint64()
}

func (h *heap) collect() {
	switch now := h.bytes(); {
	case h.live == 0:
		h.live = now
	case now > h.live+heapGrowth:
		runtime.GC()
		h.live = h.bytes()
	}
}
