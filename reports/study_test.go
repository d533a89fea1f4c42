package reports

import (
	"bytes"
	"testing"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/profiler/stat"
)

func measure(v float64, ends ...float64) Measure {
	m := Measure{Value: &v}
	if len(ends) == 2 {
		m.CI = &stat.Interval{Low: ends[0], High: ends[1]}
	}
	return m
}

func studyData(t *testing.T) StudyData {
	t.Helper()
	spec := func(name string) arch.Spec {
		c, err := arch.ParseCandidate(name)
		if err != nil {
			t.Fatal(err)
		}
		return c.Spec
	}
	times := func(pl, tl float64) record.Summary {
		return record.Summary{PL: &record.Dist{P50: pl}, TL: &record.Dist{P50: tl}, Level: stat.DefaultLevel}
	}
	pick := times(4.1, 0.62)
	pick.Ratio = &record.Ratios{PL: &record.MedianRatio{Median: 0.71, CI: &stat.Interval{Low: 0.69, High: 0.73}}, TL: &record.MedianRatio{Median: 0.655}}
	return StudyData{
		Title: "A study of a model", Outcome: []string{"One sentence.", "Another."},
		Conditions: []KeyValue{{Key: "machine", Value: "one, 2 cores"}}, Rounds: []string{"Round 1: C1."},
		Models: []StudyModel{
			{Name: "baseline", Spec: spec("gpt2-l12-d128-f512-h8-v4096-p256"), Summary: times(5.8, 0.95), Text: measure(61.5, 58, 65), Lambada: measure(43210, 3.1e4, 5.2e4), Accuracy: measure(0.0123, 0.007, 0.018)},
			{Name: "C1-h4", Spec: spec("gpt2-l4-d256-f704-h4-v4096-p256"), Summary: pick, Text: measure(60, 57, 64), Lambada: measure(4.1e4), Relative: measure(0.95, 0.9, 1.01), Accuracy: measure(0.02), Passes: true},
			{Name: "C1-h8", Spec: spec("gpt2-l4-d256-f704-h8-v4096-p256"), Text: measure(60), Lambada: measure(5.1e4), Relative: measure(1.18), Accuracy: measure(0.02)},
		},
		Finetuned: []string{"baseline: finetuned."},
		StudySuggestions: StudySuggestions{
			Pick: "C1-h4", Baseline: MeasuresRow{TriggerRate: measure(0.3, 0.28, 0.33), Saving: measure(0.05), ASC: measure(4.2, 3.9, 4.6), AEC: measure(2.2), AcceptedShare: measure(0.6)},
			Own: MeasuresRow{TriggerRate: measure(0.31), ASC: measure(4.4)}, Difference: MeasuresRow{ASC: measure(0.2, -0.1, 0.5), TriggerRate: measure(0.01)},
			Tail: measure(2.31, 2.1, 2.6), OwnTail: measure(1.71), TailChange: measure(0.74, 0.71, 0.78), Remarks: []string{"Of 300 requests."},
			Exact: []ExactRow{{Name: "baseline", Words: "1", Suggestions: 20, Exact: measure(0.5)}},
		},
		Claims:  []StudyClaim{{"Fewer layers", "6 of 12", "4 of 12", "agrees"}},
		Figure1: "figure1.svg", Figure3: "figure3.svg", Warnings: []string{"others were at work"},
	}
}

func TestStudyMarkdown(t *testing.T) {
	var out bytes.Buffer
	if err := StudyMarkdown(&out, studyData(t)); err != nil {
		t.Fatal(err)
	}
	golden(t, "study.golden", out.Bytes())
	if err := StudyMarkdown(&out, StudyData{}); err == nil {
		t.Error("a study without a model is reported")
	}
}
