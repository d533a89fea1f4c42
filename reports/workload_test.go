package reports

import (
	"bytes"
	"testing"

	"lathe/profiler/record"
	"lathe/profiler/workload"
)

func TestWorkloadTable(t *testing.T) {
	both(t, "workload.golden", func(w *bytes.Buffer, style Style) error {
		return WorkloadTable(w, style, workload.Describe(workload.Typing(1)))
	})
	silent := record.Workload{Name: "w", Description: "nothing shown", Requests: []record.WorkloadRequest{{PromptTokens: 3}}}
	both(t, "workload-silent.golden", func(w *bytes.Buffer, style Style) error {
		return WorkloadTable(w, style, workload.Describe(silent))
	})
}
