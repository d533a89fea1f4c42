package reports

import (
	"bytes"
	"testing"
)

func operatorProfile() OperatorProfile {
	return OperatorProfile{
		What: "operator", RunMS: 25.2, DispatchMS: 0.7, RoundingMS: 0.061,
		Rows: []OperatorRow{
			{Name: "MatMul", Kernels: 48, MS: 17.207, AtMemoryMS: 16.594, AtComputeMS: 1.42, LimitMS: 16.594, MemoryMS: 17.207, WeightBytes: 604e6, CacheAnd: 1.1e6},
			{Name: "FusedMatMul", Kernels: 1, MS: 5.8, AtMemoryMS: 5.654, AtComputeMS: 6, LimitMS: 6, ComputeMS: 5.8, WeightBytes: 206e6, CacheAnd: 2e5},
			{Name: "GroupQueryAttention", Kernels: 12, MS: 1.0, AtMemoryMS: 0.2, AtComputeMS: 0.2, LimitMS: 0.3, MemoryMS: 0.5, ComputeMS: 0.5, CacheAnd: 7e6},
			{Name: "Mystery|Op", Kernels: 1.5, MS: 0.393, AtMemoryMS: 0.01, LimitMS: 0.01, MemoryMS: 0.393, CacheAnd: 4e5, UnknownOperations: true},
			{Name: "Reshape", Kernels: 4, MS: 0.1},
		},
		PlainMS: 24.9, TracedRatio: 1.012, TracedCI: ci(1.004, 1.02),
		ReadBytesPerSecond: 36.4e9, FlopsPerSecond: 213e9, Flops: 409e6, AttainedShare: 0.92,
		Warnings: []string{"the runs differ much"},
	}
}

func TestOperatorTable(t *testing.T) {
	both(t, "operators.golden", func(w *bytes.Buffer, s Style) error { return OperatorTable(w, s, operatorProfile()) })
	// The longest two, without a machine's rates or times without a trace, and by
	// layer: the order stays.
	p := operatorProfile()
	p.Rows[0], p.Rows[4] = p.Rows[4], p.Rows[0]
	p.What, p.Top, p.PlainMS, p.FlopsPerSecond, p.Warnings = "layer", 2, 0, 0, nil
	both(t, "operators-top.golden", func(w *bytes.Buffer, s Style) error { return OperatorTable(w, s, p) })
	p = operatorProfile()
	p.Brief, p.Top = true, 4 // one other is no row of others
	both(t, "operators-brief.golden", func(w *bytes.Buffer, s Style) error { return OperatorTable(w, s, p) })
	if err := OperatorTable(new(bytes.Buffer), Text, OperatorProfile{}); err != errNoRows {
		t.Errorf("error %v", err)
	}
}
