package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestMachineWarnings(t *testing.T) {
	for _, c := range []struct {
		m    machineState
		want []string
	}{
		{machineState{CPUs: []int{0, 1}, OthersPercent: 4, StealPercent: 1}, nil},
		{machineState{CPUs: []int{0, 1}, OthersPercent: 97.4}, []string{"other processes use 97 % of a core"}},
		{machineState{CPUs: []int{0, 1}, StealPercent: 12, CPUQuotaCores: 1.5}, []string{"12 % of a core to other machines", "the time of 1.5 of 2 cores"}},
		{machineState{CPUs: []int{0, 1}, CPUQuotaCores: 4}, nil},
		{machineState{Warnings: []string{"no memory to read"}, OthersPercent: 60}, []string{"no memory", "60 %"}},
	} {
		c.m.warn()
		if c.m.Warnings == nil || len(c.m.Warnings) != len(c.want) {
			t.Errorf("%+v: warnings %q, want %d", c.m, c.m.Warnings, len(c.want))
			continue
		}
		for i, w := range c.want {
			if !strings.Contains(c.m.Warnings[i], w) {
				t.Errorf("warning %q lacks %q", c.m.Warnings[i], w)
			}
		}
	}
}

func TestLookIsCalledOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	if _, err := lookAtMachine(ctx, nil, true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if d := time.Since(began); d > loadSample {
		t.Errorf("it looked on for %v", d)
	}
}
