package weights

// transpose fills dst, rows of cols values, with src, which is cols rows of rows
// values. It goes in squares whose rows are one cache line, so that what is read and
// what is written stay in the nearest cache though rows are often a power of two
// apart, and writes four values at once.
func transpose(dst, src []float32, rows, cols int) {
	const square = 16
	for j0 := 0; j0 < cols; j0 += square {
		for i0 := 0; i0 < rows; i0 += square {
			w := min(square, rows-i0)
			j, end := j0, min(j0+square, cols)
			for ; j+4 <= end; j += 4 {
				a, b := src[j*rows+i0:][:w], src[(j+1)*rows+i0:][:w]
				c, d := src[(j+2)*rows+i0:][:w], src[(j+3)*rows+i0:][:w]
				for i := range a {
					out := dst[(i0+i)*cols+j:][:4]
					out[0], out[1], out[2], out[3] = a[i], b[i], c[i], d[i]
				}
			}
			for ; j < end; j++ {
				for i, v := range src[j*rows+i0:][:w] {
					dst[(i0+i)*cols+j] = v
				}
			}
		}
	}
}
