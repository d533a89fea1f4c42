package text

import "math/bits"

// permutation is an order of 0 to n-1 that is computed and not kept: a Feistel network
// over the least even number of bits that has n values, gone through again for a result
// of n or more (cycle walking: Black and Rogaway, "Ciphers with Arbitrary Finite
// Domains", 2002). It mixes; it keeps no secrets.
type permutation struct {
	n    uint64
	half int // bits of a half
	key  uint64
}

func newPermutation(n, seed, epoch uint64) permutation {
	half := max(1, (bits.Len64(n-1)+1)/2)
	return permutation{n, half, mix(mix(seed) + epoch)}
}

// rounds of the network: 4 are enough for halves that are long; those of a small text
// are short.
const rounds = 8

// at is what is in place i, less than n.
func (p permutation) at(i uint64) uint64 {
	mask := uint64(1)<<p.half - 1
	for {
		left, right := i>>p.half, i&mask
		for r := range uint64(rounds) {
			left, right = right, left^mix(p.key+r<<32^right)&mask
		}
		if i = left<<p.half | right; i < p.n {
			return i
		}
	}
}

// mix is the output function of SplitMix64 (Steele, Lea and Flood, "Fast Splittable
// Pseudorandom Number Generators", 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
