package profiler

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// ticking is a clock that sessions move.
type ticking struct{ now time.Duration }

func (c *ticking) Now() time.Duration                             { return c.now }
func (c *ticking) Sleep(_ context.Context, d time.Duration) error { c.now += d; return nil }

// reader is a session that takes a second for each token it reads, and remembers them.
type reader struct {
	clock *ticking
	ran   [][]int64 // by request
	next  []int64
	fails error
}

func (s *reader) Reset() { s.ran = append(s.ran, nil) }
func (s *reader) PreparePrefill(ids []int64) error {
	s.next = ids
	return nil
}
func (s *reader) PrepareStep(id int64) error {
	s.next = []int64{id}
	return nil
}
func (s *reader) Run() error {
	s.ran[len(s.ran)-1] = append(s.ran[len(s.ran)-1], s.next...)
	s.clock.now += time.Duration(len(s.next)) * time.Second
	return s.fails
}

// Each side runs its own tokens of each request, in orders that are balanced, and has its
// own times and characters.
func TestTimeGiven(t *testing.T) {
	clock := new(ticking)
	base, cand := &reader{clock: clock}, &reader{clock: clock}
	partner := []Given{{Prompt: []int64{1, 2, 3}, Chars: 0}, {Prompt: []int64{4, 5}, Then: []int64{6}, Chars: 9}}
	own := []Given{{Prompt: []int64{1, 2}, Then: []int64{7, 8}, Chars: 5}, {Prompt: []int64{9}, Chars: 3}}
	res, err := TimeGiven(t.Context(), base, cand, partner, own, GivenOptions{Rand: rand.New(rand.NewPCG(1, 1)), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	pairs := res.Timed[0].Requests
	if len(pairs) != 2 || pairs[0].PartnerFirst == pairs[1].PartnerFirst {
		t.Fatalf("orders are not balanced: %+v", pairs)
	}
	second := int64(time.Second)
	for i, want := range []struct {
		own, partner     int64
		ownTL, partnerTL []int64
	}{{2 * second, 3 * second, []int64{second, second}, []int64{}}, {second, 2 * second, []int64{}, []int64{second}}} {
		p := pairs[i]
		if p.Own.PL != want.own || p.Partner.PL != want.partner || !slices.Equal(p.Own.TL, want.ownTL) || !slices.Equal(p.Partner.TL, want.partnerTL) {
			t.Errorf("request %d: %+v, want %+v", i, p, want)
		}
	}
	if p := pairs[0]; p.Own.Chars != 5 || p.Own.GeneratedTokens != 3 || p.Partner.Chars != 0 || p.Partner.PromptTokens != 3 {
		t.Errorf("counts: %+v", p)
	}
	timed := func(s *reader) (list [][]int64) { // the last two that ran anything
		for _, ids := range s.ran {
			if ids != nil {
				list = append(list, ids)
			}
		}
		return list[len(list)-2:]
	}
	if got := timed(cand); !slices.EqualFunc(got, [][]int64{{1, 2, 7, 8}, {9}}, slices.Equal[[]int64]) {
		t.Errorf("the candidate ran %v", got)
	}
	if got := timed(base); !slices.EqualFunc(got, [][]int64{{1, 2, 3}, {4, 5, 6}}, slices.Equal[[]int64]) {
		t.Errorf("the baseline ran %v", got)
	}
}

func TestTimeGivenRefuses(t *testing.T) {
	clock := new(ticking)
	rng := rand.New(rand.NewPCG(1, 1))
	one := []Given{{Prompt: []int64{1}}}
	for name, lists := range map[string][2][]Given{
		"none":      {},
		"of two":    {one, append(one, one...)},
		"no prompt": {one, {{Then: []int64{1}}}},
	} {
		if _, err := TimeGiven(t.Context(), &reader{clock: clock}, &reader{clock: clock}, lists[0], lists[1], GivenOptions{Rand: rng, Clock: clock}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	fails := &reader{clock: clock, fails: errors.New("no")}
	_, err := TimeGiven(t.Context(), &reader{clock: clock}, fails, one, one, GivenOptions{Rand: rng, Clock: clock})
	var side *SideError
	if !errors.As(err, &side) || side.Side != 1 {
		t.Errorf("a run that fails: %v", err)
	}
}
