package machine

import (
	"slices"
	"testing"
)

func checkPinned(t *testing.T, cpu int) {
	t.Helper()
	got, err := affinity(0)
	if err != nil || !slices.Equal(got, []int{cpu}) {
		t.Errorf("the thread may run on %v, %v; want %d alone", got, err, cpu)
	}
	if on, ok := currentCPU(); !ok || on != cpu {
		t.Errorf("it runs on CPU %d, %v; want %d", on, ok, cpu)
	}
}

func checkUnpinned(t *testing.T, cpus []int) {
	t.Helper()
	if got, err := affinity(0); err != nil || !slices.Equal(got, cpus) {
		t.Errorf("the thread may run on %v, %v; want %v", got, err, cpus)
	}
}
