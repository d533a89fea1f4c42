package latmodel

import (
	"math"

	"lathe/graphgen/arch"
)

// precision is how a matrix is stored.
type precision struct {
	bits  int     // of one weight
	block float64 // weights that share a scale, along k; 0: fp32, or a scale for each output
	asym  bool    // a block has a zero point
}

const (
	fp32Bytes = 4
	fp32Bits  = 8 * fp32Bytes
)

func newPrecision(p arch.Precision) precision {
	return precision{p.Bits(), float64(p.Block), p.Asym}
}

// bytes of a matrix [k, n]. Blocks fill k up, each with an fp32 scale; the zero points
// of one output are whole bytes.
func (p precision) bytes(k, n float64) float64 {
	bits := float64(p.bits)
	switch {
	case p.bits == fp32Bits:
		return k * n * fp32Bytes
	case p.block == 0:
		return n * (k + fp32Bytes)
	}
	blocks := math.Ceil(k / p.block)
	row := blocks * (p.block*bits/8 + fp32Bytes)
	if p.asym {
		row += math.Ceil(blocks * bits / 8)
	}
	return n * row
}
