package weights

import "sync"

// bandBytes is about what is read of a matrix at once, as float32.
const bandBytes = 4 << 20

// band is how many rows of cols values are read at once.
func band(cols int64) int64 { return max(1, bandBytes/(4*max(1, cols))) }

// bands are buffers of a band's values, which goroutines take in turns.
var bands sync.Pool

// borrow is a buffer of n values, whatever they are, to be given back.
func borrow(n int64) []float32 {
	if b, ok := bands.Get().(*[]float32); ok && int64(cap(*b)) >= n {
		return (*b)[:n]
	}
	return make([]float32, n)
}

func giveBack(b []float32) { bands.Put(&b) }
