package weights

import "fmt"

// Cut is the rectangle of m with rows r0 to r1 and columns c0 to c1, the ends left
// out. It must lie within m.
func Cut(m Matrix, r0, r1, c0, c1 int64) Matrix {
	rows, cols := m.Size()
	if r0 < 0 || c0 < 0 || r0 > r1 || c0 > c1 || r1 > rows || c1 > cols {
		panic(fmt.Sprintf("weights: rows %d to %d and columns %d to %d of a matrix [%d, %d]", r0, r1, c0, c1, rows, cols))
	}
	if r0 == 0 && c0 == 0 && r1 == rows && c1 == cols {
		return m
	}
	return cut{m, r0, r1, c0, c1}
}

type cut struct {
	m              Matrix
	r0, r1, c0, c1 int64
}

func (c cut) Size() (rows, cols int64) { return c.r1 - c.r0, c.c1 - c.c0 }

func (c cut) Read(dst []float32, r0, r1, c0, c1 int64) error {
	return c.m.Read(dst, c.r0+r0, c.r0+r1, c.c0+c0, c.c0+c1)
}
