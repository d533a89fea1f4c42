package workload

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lathe/profiler/record"
)

func TestDescribe(t *testing.T) {
	w := record.Workload{Name: "w", Description: "by hand"}
	for i := range 100 { // prompts 1..100; one in four shows nothing
		r := record.WorkloadRequest{PromptTokens: i + 1, GeneratedTokens: 2, Chars: 6, ThinkMS: 10 * (i + 1)}
		switch {
		case i%4 == 0:
			r.Chars = 0
		case i%4 == 1:
			r.GeneratedTokens = 4
		}
		w.Requests = append(w.Requests, r)
	}
	want := Description{
		Name: "w", Description: "by hand", Hash: w.Hash(), Requests: 100, Silent: 0.25, AfterPause: 0.01, CharsPerToken: 450.0 / 200,
		PromptTokens:    Dist{50.5, 50, 90, 95, 99, 100},
		GeneratedTokens: Dist{2.5, 2, 4, 4, 4, 4},
		Chars:           &Dist{6, 6, 6, 6, 6, 6},
		RequestRate:     &Dist{2.5, 3, 3, 3, 3, 3},
		ThinkMS:         Dist{505, 500, 900, 950, 990, 1000},
	}
	if diff := cmp.Diff(want, Describe(w), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Error(diff)
	}
	silent := Describe(record.Workload{Name: "w", Requests: []record.WorkloadRequest{{PromptTokens: 3}}})
	if silent.Chars != nil || silent.RequestRate != nil || silent.Silent != 1 || math.IsNaN(silent.CharsPerToken) {
		t.Errorf("%+v", silent)
	}
}
