package profiler

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"lathe/profiler/nightly"
)

// What a machine of sampled sessions is like.
const (
	// From process to process, by docs/BENCHMARKS.md: the upper ends of the coefficients
	// of variation measured there, TL 0.89 and PL 0.93 %.
	simProcessTL, simProcessPL = 0.0089, 0.0093
	// Of one run: 2.2 %, by the 0.2 % to which the median of 384 pairs is known there, and
	// half as much again.
	simNoiseMin, simNoiseMax = 0.02, 0.035
	// From night to night: nothing is measured; as much as the gate takes for granted.
	simNight = 0.003
)

// simSession is the plan of a session: the default one of lathe nightly.
var simSession = Plan{PromptTokens: 64, GeneratedTokens: 16, PLPairs: 24, TLPairs: 128}

// sampledSessions are taken by the real sampler on a virtual clock.
type sampledSessions struct {
	weather weather
	offset  [simThings][2]float64 // of the night
}

func newSampled(seed uint64) (*rand.Rand, simSessions) {
	return rand.New(rand.NewPCG(seed, 365)), new(sampledSessions)
}

// begin draws the weather: machines are mostly quiet at night, and at times all else.
func (s *sampledSessions) begin(rng *rand.Rand) {
	s.weather = quiet
	if rng.Float64() >= 0.5 {
		s.weather = weathers[rng.IntN(len(weathers))]
	}
	for i := range s.offset {
		s.offset[i] = [2]float64{simNight * rng.NormFloat64(), simNight * rng.NormFloat64()}
	}
}

func (s *sampledSessions) session(ctx context.Context, rng *rand.Rand, thing int, slower float64) (nightly.Session, error) {
	m := newVirtual(s.weather, rng)
	m.noise = simNoiseMin + (simNoiseMax-simNoiseMin)*rng.Float64()
	pl := slower * math.Exp(s.offset[thing][0]+simProcessPL*rng.NormFloat64())
	tl := slower * math.Exp(s.offset[thing][1]+simProcessTL*rng.NormFloat64())
	res, err := Time(ctx, &model{m: m, pl: 1, tl: 1}, []Session{&model{m: m, pl: 0.9 * pl, tl: 0.8 * tl}},
		Options{Plan: simSession, Vocab: 100, Rand: rng, Clock: m})
	if err != nil {
		return nightly.Session{}, err
	}
	out := nightly.Session{Figures: map[string]nightly.Figure{}}
	for _, metric := range simMetrics {
		own, partner := series(res.Timed[0], metric)
		if f, ok := nightly.FigureOf(metric, own, partner); ok {
			out.Figures[metric] = f
		}
	}
	return out, nil
}

// BenchmarkYear is a year of nights of several machines: false alarms, and slow-downs of
// 5 % found.
//
//	go test ./profiler -run '^$' -bench 'Year$' -benchtime 1x -v
func BenchmarkYear(b *testing.B) {
	for b.Loop() {
		years(4, simNights, 7, 1.05, newSampled).report(b)
	}
}

// TestNights is BenchmarkYear in small. These are a history's first nights, in which least
// is known of what lies between nights, and most cannot be told.
func TestNights(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	c := years(2, 20, 4, 1.05, newSampled)
	if c.alarms > 0 || c.second < c.cases-1 || c.unsure > 8 {
		t.Errorf("%d alarms and %d unsure of %d nights, %d of %d slow-downs found by the second night", c.alarms, c.unsure, c.nights, c.second, c.cases)
	}
}
