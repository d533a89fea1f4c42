package main

import (
	"testing"
	"time"

	"lathe/search"
)

func TestSearchMeter(t *testing.T) {
	m := &searchMeter{limit: 30, fresh: 5, sampler: &sampler{timed: 4}}
	pr := search.Progress{Iteration: 3, Front: 7, Evaluations: 15, Replayed: 10, Hypervolume: 1.25}
	want := "iteration 3, front of 7, hypervolume 1.250 of the first, 4 measured, 30s left"
	if got := m.text(pr, 10*time.Second); got != want { // 2 s for each of the 5 that were not replayed
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := (&searchMeter{}).text(search.Progress{Iteration: 1}, 0), "iteration 1, front of 0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
