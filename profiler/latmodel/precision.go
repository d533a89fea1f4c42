package latmodel

import (
	"math"

	"lathe/graphgen/arch"
)

// precision is how a matrix is stored.
type precision struct {
	bits  int     // of one weight that is quantized; 0: it is not
	block float64 // weights that share a scale, along k; 0: a scale for each output
	asym  bool    // a block has a zero point
	float float64 // bytes of a scale, and of a weight that is not quantized
}

func newPrecision(p arch.Precision, f arch.FloatType) precision {
	return precision{p.Bits(), float64(p.Block), p.Asym, float64(f.Bytes())}
}

// bytes of a matrix [k, n]. Blocks fill k up, each with a scale; the zero points of one
// output are whole bytes.
func (p precision) bytes(k, n float64) float64 {
	bits := float64(p.bits)
	switch {
	case p.bits == 0:
		return k * n * p.float
	case p.block == 0:
		return n * (k + p.float)
	}
	blocks := math.Ceil(k / p.block)
	row := blocks * (p.block*bits/8 + p.float)
	if p.asym {
		row += math.Ceil(blocks * bits / 8)
	}
	return n * row
}
