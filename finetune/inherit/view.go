package inherit

import (
	"fmt"

	"lathe/graphgen/weights"
)

// line is a row or a column of a new matrix: the sum of some of the old one's, scaled.
type line struct {
	of    []int
	scale float32
}

// keep is lines that are as they were.
func keep(places []int) []line {
	out := make([]line, len(places))
	for i := range places {
		out[i] = line{places[i : i+1], 1}
	}
	return out
}

// shifted is lines of a matrix that stands further right, or down, in another.
func shifted(lines []line, by int) []line {
	out := make([]line, len(lines))
	for i, l := range lines {
		out[i] = line{make([]int, len(l.of)), l.scale}
		for k, at := range l.of {
			out[i].of[k] = at + by
		}
	}
	return out
}

// view is a matrix of lines of another.
type view struct {
	m          weights.Matrix
	rows, cols []line
}

// see is a view of m; of nil lines all stay.
func see(m weights.Matrix, rows, cols []line) (weights.Matrix, error) {
	r, c := m.Size()
	for _, axis := range []struct {
		what string
		list *[]line
		n    int64
	}{{"rows", &rows, r}, {"columns", &cols, c}} {
		if *axis.list == nil {
			*axis.list = keep(first(int(axis.n)))
		}
		for _, l := range *axis.list {
			for _, at := range l.of {
				if int64(at) >= axis.n {
					return nil, fmt.Errorf("it has %d %s, and number %d is wanted", axis.n, axis.what, at)
				}
			}
		}
	}
	return view{m, rows, cols}, nil
}

// Size implements [weights.Matrix].
func (v view) Size() (rows, cols int64) { return int64(len(v.rows)), int64(len(v.cols)) }

// Read implements [weights.Matrix]. Of each row of m it reads what lies between the first
// and the last column that is wanted.
func (v view) Read(dst []float32, r0, r1, c0, c1 int64) error {
	cols := v.cols[c0:c1]
	if len(cols) == 0 {
		return nil
	}
	lo, hi := cols[0].of[0], cols[0].of[0]
	for _, c := range cols {
		for _, at := range c.of {
			lo, hi = min(lo, at), max(hi, at)
		}
	}
	row := make([]float32, hi-lo+1)
	for _, r := range v.rows[r0:r1] {
		out := dst[:len(cols)]
		dst = dst[len(cols):]
		for k, at := range r.of {
			if err := v.m.Read(row, int64(at), int64(at)+1, int64(lo), int64(hi)+1); err != nil {
				return err
			}
			for i, c := range cols {
				sum := row[c.of[0]-lo]
				for _, more := range c.of[1:] {
					sum += row[more-lo]
				}
				if sum *= r.scale * c.scale; k == 0 { // a sum with 0 would lose the sign of -0
					out[i] = sum
				} else {
					out[i] += sum
				}
			}
		}
	}
	return nil
}

// first is 0 to n-1.
func first(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
