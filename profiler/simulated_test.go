package profiler

import (
	"context"
	"math"
	"math/rand/v2"
	"time"
)

// weather is what disturbs a simulated machine, besides the noise that each run
// has of its own on the quiet machine too.
type weather struct {
	name string
	// drift is by how much the machine slows down and recovers over minutes.
	driftMax float64
	// A neighbour comes and goes: the share of time that it is there, how long it
	// stays at a time in seconds, and by what it slows everything down meanwhile.
	dutyMin, dutyMax     float64
	lengthMin, lengthMax float64
	factorMin, factorMax float64
	// slice, if not 0, is how long a neighbour that shares the core runs at a time,
	// in seconds, and so do we: the factors are not used.
	slice float64
	// tail is the share of runs that take longer by a Pareto number.
	tail float64
}

var (
	quiet    = weather{name: "quiet"}
	drifting = weather{name: "drifting", driftMax: 1}
	bursty   = weather{name: "bursty", dutyMin: 0.2, dutyMax: 0.5, lengthMin: 0.05, lengthMax: 5, factorMin: 1.5, factorMax: 4}
	heavy    = weather{name: "heavy tails", tail: 0.05}
	shared   = weather{name: "shared core", dutyMin: 0.2, dutyMax: 0.5, lengthMin: 0.05, lengthMax: 5, slice: 0.004}
	stormy   = weather{name: "all at once", driftMax: 1, dutyMin: 0.2, dutyMax: 0.5, lengthMin: 0.05, lengthMax: 5, factorMin: 1.5, factorMax: 4, tail: 0.05}
)

var weathers = []weather{quiet, drifting, bursty, shared, heavy, stormy}

// Noise of each run, whatever the weather: log-normal with these deviations of
// the logarithm, of a run by itself and of what stays for a while (where memory
// lies, what the caches hold), which each side has of its own.
const (
	noiseRunMin, noiseRunMax = 0.02, 0.08
	noiseStay                = 0.01
	noiseStaySeconds         = 1.0
	// A run in the tail takes longer by a Pareto number less 1, times this, with
	// this exponent: its variance is infinite.
	tailScale, tailExponent = 0.3, 1.8
)

// virtual is a machine with a clock of its own.
type virtual struct {
	weather
	rng *rand.Rand
	now float64 // s

	driftHeight, driftPeriod, driftPhase float64

	duty   float64
	busy   bool
	factor float64
	until  float64 // s, when the neighbour comes or goes, or a slice of it does
	leaves float64 // s, when a neighbour that runs in slices goes
	noise  float64
}

func newVirtual(w weather, rng *rand.Rand) *virtual {
	between := func(a, b float64) float64 { return a + (b-a)*rng.Float64() }
	m := &virtual{weather: w, rng: rng, factor: 1, until: math.Inf(1)}
	m.noise = between(noiseRunMin, noiseRunMax)
	m.driftHeight, m.driftPeriod, m.driftPhase = between(0.1, 1)*w.driftMax, between(60, 300), 2*math.Pi*rng.Float64()
	if m.duty = between(w.dutyMin, w.dutyMax); m.duty > 0 {
		m.until = 0
		m.busy = rng.Float64() > m.duty
		m.turn()
	}
	return m
}

// turn lets the neighbour come or go.
func (m *virtual) turn() {
	if m.busy && m.slice > 0 && m.until < m.leaves {
		if m.factor == 1 {
			m.factor = math.Inf(1)
		} else {
			m.factor = 1
		}
		m.until = min(m.until+m.slice, m.leaves)
		return
	}
	length := m.lengthMin * math.Pow(m.lengthMax/m.lengthMin, m.rng.Float64())
	if m.busy = !m.busy; m.busy {
		m.factor = m.factorMin + (m.factorMax-m.factorMin)*m.rng.Float64()
	} else {
		m.factor = 1
		length *= (1 - m.duty) / m.duty
	}
	if m.busy && m.slice > 0 {
		m.factor, m.leaves = math.Inf(1), m.until+length
		length = min(length, m.slice)
	}
	m.until += length
}

// work lets time pass until so many seconds of the quiet machine's are done.
func (m *virtual) work(quiet float64) {
	for quiet > 0 {
		slow := m.factor
		if m.driftMax > 0 {
			slow *= 1 + m.driftHeight*(1+math.Sin(2*math.Pi*m.now/m.driftPeriod+m.driftPhase))/2
		}
		left := m.until - m.now
		if need := quiet * slow; need <= left {
			m.now += need
			return
		}
		quiet -= left / slow
		m.now = m.until
		m.turn()
	}
}

func (m *virtual) Now() time.Duration { return time.Duration(m.now * 1e9) }

func (m *virtual) Sleep(ctx context.Context, d time.Duration) error {
	end := m.now + d.Seconds()
	for m.until < end {
		m.now = m.until
		m.turn()
	}
	m.now = end
	return ctx.Err()
}

// PL of 64 tokens and TL of the seed's baseline, seconds; a prefill costs
// something even of one token, and a step a little more the longer the cache.
const (
	quietPL, quietTL       = 0.135, 0.026
	prefillBase, stepSlope = 0.1, 0.0005
)

// model is a session on a virtual machine.
type model struct {
	m          *virtual
	pl, tl     float64 // ratios to the baseline's times
	past, next int
	stay       float64 // of the noise that stays
	stayed     float64 // s, when that was
	ran        bool
}

func (s *model) Reset()                           { s.past = 0 }
func (s *model) PreparePrefill(ids []int64) error { s.next = len(ids); return nil }
func (s *model) PrepareStep(int64) error          { s.next = 1; return nil }

func (s *model) Run() error {
	s.m.work(s.quiet())
	s.past += s.next
	return nil
}

// quiet is what the run prepared takes on the quiet machine, its noise included.
func (s *model) quiet() float64 {
	m := s.m
	t := s.tl * quietTL * (1 + stepSlope*float64(s.past-64))
	if s.past == 0 {
		t = s.pl * quietPL * (prefillBase + (1-prefillBase)*float64(s.next)/64)
	}
	keep := 0.0
	if s.ran {
		keep = math.Exp((s.stayed - m.now) / noiseStaySeconds)
	}
	s.stay = keep*s.stay + math.Sqrt(1-keep*keep)*noiseStay*m.rng.NormFloat64()
	s.stayed, s.ran = m.now, true
	t *= math.Exp(s.stay + m.noise*m.rng.NormFloat64())
	if m.tail > 0 && m.rng.Float64() < m.tail {
		t *= 1 + tailScale*(math.Pow(1-m.rng.Float64(), -1/tailExponent)-1)
	}
	return t
}
