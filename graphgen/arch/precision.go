package arch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Types of weights. Activations, and scales of weights, are of the Build's FloatType.
const (
	// Unquantized weights are of the Build's FloatType, by whose name names have them.
	Unquantized = "float"
	// Int4 and Int8 are weight-only (MatMulNBits): blocks of weights along K share a
	// scale and, where they are asymmetric, a zero point.
	Int4 = "int4"
	Int8 = "int8"
	// Int8Dyn is int8 for weights and activations alike (DynamicQuantizeMatMul): a
	// scale for each column of weights, and one for all activations of a product,
	// found when it runs. It takes fp32 only.
	Int8Dyn = "int8dyn"
)

// DefaultBlock is the block size that int4 and int8 without one mean.
const DefaultBlock = 32

// Blocks are the block sizes that int4 and int8 weights can have.
var Blocks = []int{16, 32, 64, 128}

// Precision is how a weight matrix is stored. The zero value is the default of
// the place where it stands.
type Precision struct {
	Type  string // Unquantized, Int4, Int8 or Int8Dyn
	Block int    // weights that share a scale, along K: 16, 32, 64 or 128 for int4 and int8 (0: 32), 0 for others
	Asym  bool   // int4 and int8: a block has a zero point of its own, and is not symmetric about 0
}

// Bits is the size of one weight that is quantized, 0 for others.
func (p Precision) Bits() int {
	switch p.Type {
	case Int4:
		return 4
	case Int8, Int8Dyn:
		return 8
	}
	return 0
}

// Blockwise reports whether weights are quantized in blocks, activations left as
// they are: the form that an embedding can have as well as a product.
func (p Precision) Blockwise() bool { return p.Type == Int4 || p.Type == Int8 }

// or fills in a precision's block, or gives def for the zero value.
func (p Precision) or(def Precision) Precision {
	switch {
	case p == Precision{}:
		return def
	case p.Blockwise() && p.Block == 0:
		p.Block = DefaultBlock
	}
	return p
}

// asymSuffix ends the name of an asymmetric precision.
const asymSuffix = "asym"

// String returns the precision as names have it, int4b32, int4b32asym, int8dyn, or
// float where names have the Build's type of floats (see [Build.NameOf]).
func (p Precision) String() string {
	if !p.Blockwise() {
		return p.Type
	}
	s := p.Type + "b" + strconv.Itoa(p.or(p).Block)
	if p.Asym {
		s += asymSuffix
	}
	return s
}

// precisionNames are in the order that messages list them.
var precisionNames = func() []string {
	names := slices.Clone(floatNames)
	for _, t := range []string{Int4, Int8} {
		for _, b := range Blocks {
			names = append(names, Precision{Type: t, Block: b}.String())
		}
	}
	return append(names, Int8Dyn)
}()

func unknownPrecision(name string) string {
	return fmt.Sprintf("unknown precision %q: known are %s (int4 is int4b32, int8 is int8b32; with zero points int4b32asym)",
		name, strings.Join(precisionNames, ", "))
}

func blockProblem(kind, block string) string {
	return fmt.Sprintf("%s block %s: MatMulNBits takes 16, 32, 64 or 128, as in %sb32", kind, block, kind)
}

// problem is what is wrong with a precision whose block is filled in.
func (p Precision) problem() string {
	switch {
	case p.Blockwise():
		if !slices.Contains(Blocks, p.Block) {
			return blockProblem(p.Type, strconv.Itoa(p.Block))
		}
		return ""
	case p.Type != Unquantized && p.Type != Int8Dyn:
		return unknownPrecision(p.Type)
	case p.Block != 0:
		return fmt.Sprintf("%s has no block, got %d", p.Type, p.Block)
	case p.Asym:
		return fmt.Sprintf("%s has no zero points (asym): only int4 and int8 have", p.Type)
	}
	return ""
}

// parsePrecision reads a precision: a type of floats, which it returns beside it,
// int8dyn, or int4 or int8 with b<block> and asym, both optional.
func parsePrecision(text string) (p Precision, f FloatType, problem string) {
	switch {
	case text == Int8Dyn:
		return Precision{Type: text}, "", ""
	case slices.Contains(floatNames, text):
		return Precision{Type: Unquantized}, FloatType(text), ""
	}
	for _, t := range []string{Int4, Int8} {
		rest, ok := strings.CutPrefix(text, t)
		if !ok {
			continue
		}
		p = Precision{Type: t, Block: DefaultBlock}
		rest, p.Asym = strings.CutSuffix(rest, asymSuffix)
		if rest == "" {
			return p, "", ""
		}
		digits, ok := strings.CutPrefix(rest, "b")
		if !ok {
			break
		}
		i := slices.IndexFunc(Blocks, func(b int) bool { return digits == strconv.Itoa(b) })
		if i < 0 {
			return Precision{}, "", blockProblem(t, strconv.Quote(digits))
		}
		p.Block = Blocks[i]
		return p, "", ""
	}
	return Precision{}, "", unknownPrecision(text)
}

// bytes is the size of the matrix [n, k] as p stores it, beside floats of type f, each
// of its n rows by itself. Blocks fill k up to a whole number of them, each with a
// scale; zero points are as many bits as a weight has, and filled up to whole bytes for
// each row.
func (p Precision) bytes(k, n int, f FloatType) int64 {
	row := int64(k) * f.Bytes()
	switch {
	case p.Blockwise():
		blocks := (int64(k) + int64(p.Block) - 1) / int64(p.Block)
		bits := int64(p.Bits())
		row = blocks * (int64(p.Block)*bits/8 + f.Bytes())
		if p.Asym {
			row += (blocks*bits + 7) / 8
		}
	case p.Type == Int8Dyn:
		row = int64(k) + f.Bytes()
	}
	return int64(n) * row
}
