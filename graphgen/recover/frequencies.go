package recover

import (
	"math"
	"slices"

	"lathe/graphgen/arch"
)

// rope finds what gives the frequencies that the layers turn by: the base, and how they
// are scaled. Where the graph does not say how many positions there are, it is told by
// the configuration beside the file, or assumed.
func (m *Model) rope(s *arch.Spec, layers []layer, half bool) error {
	byDim := map[int][]float64{}
	var freqs []float64 // of the longest heads, which say the most
	for i, l := range layers {
		a := l.attention
		if known := byDim[a.headDim]; known != nil && !slices.EqualFunc(known, a.freqs, func(x, y float64) bool { return near(x, y, 1e-6) }) {
			return notDecoder("layer %d turns by %v, and one before it by %v", i, a.freqs[:min(8, len(a.freqs))], known[:min(8, len(known))])
		}
		byDim[a.headDim] = a.freqs
		if len(a.freqs) > len(freqs) {
			freqs = a.freqs
		}
		if a.positions != 0 && (s.Positions == 0 || a.positions < s.Positions) {
			s.Positions = a.positions
		}
	}
	// Exporters compute in float32, some less well than others. Tables in float16 have
	// angles to 11 bits, and small ones to 2^-24.
	passes := []rounding{{5e-7, 0}, {3e-6, 0}, {2e-5, 0}}
	if half {
		passes = append(passes, rounding{1e-3, 0x1p-24})
	}
	within := passes[len(passes)-1]
	beside := m.configBeside(*s)
	if beside != nil && agrees(*beside, freqs, within) {
		s.RopeBase, s.RopeScaling = beside.RopeBase, beside.RopeScaling
		if s.Positions == 0 || s.Positions > beside.Positions {
			s.Positions = beside.Positions
			m.note("%d positions are what config.json says; the graph takes more", s.Positions)
		}
	} else if !slices.ContainsFunc(passes, func(within rounding) bool { return inferRope(s, freqs, within) }) {
		return notDecoder("no base and scaling (none, linear, llama3) give the rotary frequencies %v", freqs[:min(len(freqs), 8)])
	}
	for headDim, f := range byDim {
		if !agrees(*s, f, within) {
			return notDecoder("heads of %d do not turn by the base and scaling that heads of %d turn by", headDim, 2*len(freqs))
		}
	}
	if s.Positions == 0 {
		s.Positions = arch.NewSpec(arch.LLaMA, 1, 1, 1, 1).Positions
		m.note("the graph has no bound of positions, and no config.json beside it says one: %d are assumed", s.Positions)
	}
	return nil
}

// rounding is how far a number may be from what it was meant to be.
type rounding struct{ relative, absolute float64 }

// agrees reports whether a Spec has these frequencies.
func agrees(s arch.Spec, freqs []float64, within rounding) bool {
	have := s.RopeFrequencies(2 * len(freqs))
	for j, f := range freqs {
		if v := float64(have[j]); !near(v, f, within.relative) && math.Abs(v-f) > within.absolute {
			return false
		}
	}
	return true
}

// inferRope finds a base and a scaling that give the frequencies. Of several that do,
// the plainest is taken: no scaling, then a common factor, then LLaMA 3's, whose
// factors are told only up to a common one: low_freq_factor is then 1.
func inferRope(s *arch.Spec, freqs []float64, within rounding) bool {
	n := len(freqs)
	headDim := 2 * float64(n)
	try := func(base float64, r *arch.RopeScaling) bool {
		t := *s
		t.RopeBase, t.RopeScaling = base, r
		if !agrees(t, freqs, within) {
			return false
		}
		*s = t
		return true
	}
	factor := round(1 / freqs[0])
	if n == 1 { // a pair alone turns by 1, over a factor
		if factor == 1 && try(arch.DefaultRopeBase, nil) || try(arch.DefaultRopeBase, &arch.RopeScaling{Type: arch.RopeLinear, Factor: factor}) {
			return true
		}
		return false
	}
	// The usual bases; then what the first and the last frequency say, where they are
	// scaled alike; then what neighbours say, since some of them are.
	bases := append([]float64{arch.DefaultRopeBase, 500000, 1e6}, rounds(math.Pow(freqs[0]/freqs[n-1], headDim/2/float64(n-1)))...)
	for j := range n {
		for _, base := range bases {
			if !(base > 1) {
				continue
			}
			if try(base, nil) || factor > 1 && try(base, &arch.RopeScaling{Type: arch.RopeLinear, Factor: factor}) {
				return true
			}
			for _, r := range blends(base, freqs) {
				if try(base, &r) {
					return true
				}
			}
		}
		if j+1 < n {
			bases = rounds(math.Pow(freqs[j]/freqs[j+1], headDim/2))
		}
	}
	return false
}

// blends are the scalings of LLaMA 3's form that may make the frequencies of a base's:
// those behind are divided by a factor, those before are kept, and between it is linear
// in the frequency. The published settings come first.
func blends(base float64, freqs []float64) (all []arch.RopeScaling) {
	n := len(freqs)
	plain := func(j int) float64 { return math.Pow(base, -float64(j)/float64(n)) }
	factor := round(plain(n-1) / freqs[n-1])
	if !(factor > 1) || factor > 1e6 {
		return nil
	}
	add := func(positions int, low, high float64) {
		all = append(all, arch.RopeScaling{Type: arch.RopeLLaMA3, Factor: factor, LowFreqFactor: low, HighFreqFactor: high, OriginalPositions: positions})
	}
	for positions := 16; positions <= 1<<17; positions *= 2 {
		add(positions, 1, 4)
	}
	// keep f + (1-keep) f/factor is the frequency; keep is 1 before and 0 behind.
	type point struct{ f, keep float64 }
	var between []point
	kept, divided := 2.0, 0.0 // the lowest that is kept, the highest that is divided; none is above 1
	for j, f := range freqs {
		p := point{plain(j), (f/plain(j) - 1/factor) / (1 - 1/factor)}
		switch {
		case p.keep > 1-1e-4:
			kept = min(kept, p.f)
		case p.keep < 1e-4:
			divided = max(divided, p.f)
		default:
			between = append(between, p)
		}
	}
	// It is keep = (f - low) / (high - low), between the frequencies low and high.
	var low, high float64
	switch len(between) {
	case 0:
		low, high = math.Sqrt(divided*kept), kept*(1-1e-6)
	case 1: // lines through one point that end between its neighbours
		p := between[0]
		low = max(divided, (p.f-p.keep*kept)/(1-p.keep))
		low = (low + p.f) / 2
	default:
		a, z := between[0], between[len(between)-1]
		slope := (a.keep - z.keep) / (a.f - z.f)
		low = z.f - z.keep/slope
		high = low + 1/slope
	}
	if !(low > 0) || 2*math.Pi/low > 1<<30 {
		return all
	}
	positions := int(math.Round(2 * math.Pi / low))
	unit := 2 * math.Pi / float64(max(1, positions))
	if len(between) == 1 { // with the whole number of positions, the line is another
		low = unit
		high = low + (between[0].f-low)/between[0].keep
	}
	for _, l := range rounds(low / unit) {
		for _, h := range rounds(high / unit) {
			if h > l {
				add(positions, l, h)
			}
		}
	}
	return all
}

// round is a number with four digits less than float32 has, if it is that but for
// rounding; else the number.
func round(v float64) float64 {
	if r := rounds(v); len(r) > 0 {
		return r[0]
	}
	return v
}

// rounds are numbers that a value, computed from float32, may have been meant to be, the
// shortest first.
func rounds(v float64) (all []float64) {
	if !(v > 0) || math.IsInf(v, 0) {
		return nil
	}
	exponent := math.Floor(math.Log10(v))
	for digits := 1.0; digits <= 6; digits++ {
		unit := math.Pow(10, exponent-digits+1)
		r := math.Round(v/unit) * unit
		if unit < 1 {
			r = math.Round(v*math.Round(1/unit)) / math.Round(1/unit)
		}
		if near(r, v, 2e-4) {
			all = append(all, r)
		}
	}
	return append(all, v)
}
