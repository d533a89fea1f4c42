package finetune

import "math"

// keep fills mask i of a batch: each value is false with probability rate, to 1/65536, by
// 16 bits of a random number. The numbers are a function of seed, step, batch and i
// alone, so that a run that is resumed drops what an unbroken one does.
func keep(mask []bool, rate float64, seed uint64, step, batch int64, i int) {
	state := mix(mix(mix(mix(seed)+uint64(step))+uint64(batch)) + uint64(i))
	threshold := uint64(math.Round(rate * (1 << 16)))
	for at := 0; at < len(mask); at += 4 {
		state += golden
		r := mix(state)
		for k := range mask[at:min(at+4, len(mask))] {
			mask[at+k] = r&0xffff >= threshold
			r >>= 16
		}
	}
}

// golden is 2^64 over the golden ratio, odd: SplitMix64's step.
const golden = 0x9e3779b97f4a7c15

// mix is the output function of SplitMix64 (Steele, Lea and Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
