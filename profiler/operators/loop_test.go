package operators

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// said is a session that writes down what it was asked for.
type said struct {
	name string
	log  *[]string
	past int
	fail int // runs until one fails; 0: none
	next string
}

func (s *said) Reset() { s.past = 0 }

func (s *said) PreparePrefill(ids []int64) error {
	s.next = fmt.Sprintf("%s %v", s.name, ids)
	s.past = len(ids)
	return nil
}

func (s *said) PrepareStep(id int64) error {
	s.next = fmt.Sprintf("%s %d@%d", s.name, id, s.past)
	s.past++
	return nil
}

func (s *said) Run() error {
	*s.log = append(*s.log, s.next)
	if s.fail--; s.fail == 0 {
		return errors.New("broken")
	}
	return nil
}

func TestAlternate(t *testing.T) {
	var log []string
	a, b := &said{name: "a", log: &log}, &said{name: "b", log: &log}
	p := Plan{Prompt: 2, Generated: 1, Rounds: 1, Prefill: true, Decode: true, KeepsLast: true}
	var shares []float64
	with, without, err := Alternate(t.Context(), a, b, p, []int64{7, 8, 9}, func(s float64) { shares = append(shares, s) })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a [7 8]", "a 9@2", "b [7 8]", "b 9@2", "b [7 8]", "b 9@2", "a [7 8]", "a 9@2", "a [7 8]", "a 9@2", "b [7 8]", "b 9@2"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Error(diff)
	}
	if len(with) != 6 || len(without) != 6 || len(shares) != 3 || shares[2] != 1 {
		t.Errorf("%v, %v, %v", with, without, shares)
	}
	schedule := []Step{{WarmUp, 2, 0, 1}, {WarmUp, 1, 2, 1}, {WarmUp, 2, 0, 1}, {WarmUp, 1, 2, 1}, {Prefill, 2, 0, 1}, {Decode, 1, 2, 1}}
	if diff := cmp.Diff(schedule, p.Schedule()); diff != "" {
		t.Error(diff)
	}
}

func TestScheduleOfOnePhase(t *testing.T) {
	count := func(p Plan) map[Phase]int {
		n := map[Phase]int{}
		for _, s := range p.Schedule() {
			n[s.Phase]++
		}
		return n
	}
	if diff := cmp.Diff(map[Phase]int{WarmUp: 2, Prefill: 3}, count(Plan{Prompt: 4, Generated: 9, Rounds: 3, Prefill: true})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[Phase]int{WarmUp: 2*4 + 3, Decode: 27}, count(Plan{Prompt: 4, Generated: 9, Rounds: 3, Decode: true})); diff != "" {
		t.Error(diff)
	}
	if s := (Plan{Prompt: 4, Rounds: 1, Prefill: true}).Schedule(); s[0].Kept != 4 {
		t.Errorf("a prefill that keeps all rows keeps %d", s[0].Kept)
	}
}

func TestAlternateRefuses(t *testing.T) {
	both := Plan{Prompt: 2, Generated: 1, Rounds: 1, Prefill: true, Decode: true}
	var log []string
	for _, c := range []struct {
		want string
		plan Plan
		fail int
	}{
		{"0 rounds", Plan{Prompt: 2, Prefill: true}, 0},
		{"0 prompt tokens", Plan{Rounds: 1, Prefill: true}, 0},
		{"neither the prefill", Plan{Rounds: 1, Prompt: 1}, 0},
		{"0 generated tokens", Plan{Rounds: 1, Prompt: 1, Decode: true}, 0},
		{"3 tokens to feed, the plan takes 9", Plan{Rounds: 1, Prompt: 8, Generated: 1, Decode: true}, 0},
		{"broken", both, 3},
	} {
		_, _, err := Alternate(t.Context(), &said{log: &log}, &said{log: &log, fail: c.fail}, c.plan, make([]int64, 3), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	// A cancelled run stops between rounds.
	ctx, cancel := context.WithCancel(t.Context())
	log = nil
	_, _, err := Alternate(ctx, &said{log: &log}, &said{log: &log}, both, make([]int64, 3), func(float64) { cancel() })
	if !errors.Is(err, context.Canceled) || len(log) != 4 {
		t.Errorf("error %v after %d runs", err, len(log))
	}
}
