package profiler

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"lathe/profiler/nightly"
	"lathe/profiler/record"
)

// measuredSession is what a real session of a model that did not change said of PL and TL:
// how far its ratio's logarithm lay from the middle of all, and the standard error that it
// gave itself.
type measuredSession struct{ pl, plSE, tl, tlSE float64 }

// readSessions reads testdata/sessions.csv: sessions of 24 pairs of PL and 256 of TL, a
// process each, of a model of 20 layers and d_model 128 beside one of 16 layers, on a shared
// virtual machine of two cores; "hog" are those beside a process that was busy on the same
// core in bursts, 40 % of the time.
func readSessions(tb testing.TB) map[string][]measuredSession {
	f, err := os.Open("testdata/sessions.csv")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string][]measuredSession{}
	for _, line := range lines[1:] {
		var v [4]float64
		for i := range v {
			if v[i], err = strconv.ParseFloat(line[i+1], 64); err != nil {
				tb.Fatal(err)
			}
		}
		out[line[0]] = append(out[line[0]], measuredSession{v[0], v[1], v[2], v[3]})
	}
	return out
}

// measuredSessions are drawn from those that were measured.
type measuredSessions struct {
	all    map[string][]measuredSession
	night  float64               // standard deviation from night to night
	hogged float64               // share of nights with a hog
	of     []measuredSession     // tonight's
	offset [simThings][2]float64 // of the night
}

// newMeasured makes such machines, for years.
func newMeasured(tb testing.TB, night, hogged float64) func(seed uint64) (*rand.Rand, simSessions) {
	all := readSessions(tb)
	return func(seed uint64) (*rand.Rand, simSessions) {
		return rand.New(rand.NewPCG(seed, 366)), &measuredSessions{all: all, night: night, hogged: hogged}
	}
}

func (s *measuredSessions) begin(rng *rand.Rand) {
	s.of = s.all["quiet"]
	if rng.Float64() < s.hogged {
		s.of = s.all["hog"]
	}
	for i := range s.offset {
		for k := range s.offset[i] { // Student's t of 4 degrees, with the standard deviation asked for
			chi := 0.0
			for range 4 {
				z := rng.NormFloat64()
				chi += z * z
			}
			s.offset[i][k] = s.night * rng.NormFloat64() / math.Sqrt(chi/4) / math.Sqrt2
		}
	}
}

func (s *measuredSessions) session(_ context.Context, rng *rand.Rand, thing int, slower float64) (nightly.Session, error) {
	d := s.of[rng.IntN(len(s.of))]
	figure := func(log, se, offset float64, pairs int) nightly.Figure {
		return nightly.Figure{Ratio: slower * math.Exp(log+offset), LogSE: se, Pairs: pairs}
	}
	return nightly.Session{Figures: map[string]nightly.Figure{
		record.MetricPL: figure(d.pl, d.plSE, s.offset[thing][0], 24),
		record.MetricTL: figure(d.tl, d.tlSE, s.offset[thing][1], 256),
	}}, nil
}

// BenchmarkMeasuredYears is years of nights whose sessions are drawn from measured ones.
//
//	go test ./profiler -run '^$' -bench MeasuredYears -benchtime 1x -v
func BenchmarkMeasuredYears(b *testing.B) {
	for _, w := range []struct{ night, hogged float64 }{{0, 0}, {0.003, 0.3}, {0.003, 1}, {0.006, 0.3}} {
		b.Run(fmt.Sprintf("night=%g%%,hogged=%g%%", 100*w.night, 100*w.hogged), func(b *testing.B) {
			for b.Loop() {
				years(8, simNights, 7, 1.05, newMeasured(b, w.night, w.hogged)).report(b)
			}
		})
	}
}

// TestMeasuredNights is BenchmarkMeasuredYears in small: no alarm without a change, where one
// session in some 300 is off by 5 % and does not know it.
func TestMeasuredNights(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	c := years(4, 90, 6, 1.05, newMeasured(t, 0.003, 0.3))
	if c.alarms > 2 || c.second < c.cases-1 || c.unsure > 12 {
		t.Errorf("%d alarms and %d unsure of %d nights, %d of %d slow-downs found by the second night", c.alarms, c.unsure, c.nights, c.second, c.cases)
	}
}
