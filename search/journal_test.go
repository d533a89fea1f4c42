package search_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lathe/graphgen/arch"
	"lathe/search"

	"pgregory.net/rapid"
)

const begin = `{"begin":{"version":1,"method":"m","seed":1,"space_hash":"s","build":"b","baseline":"c","proxy":"p","evaluator":"e"}}`

func TestReadJournalRefuses(t *testing.T) {
	iteration := func(n string) string { return `{"iteration":{"number":` + n + `,"front":[]}}` }
	for _, c := range []struct{ text, want string }{
		{`{}`, "entry 1: search: journal entry has 0 of"},
		{`{"end":{}}`, "does not start with a begin"},
		{`{"begin":{"version":2}}`, "version 2"},
		{`{"begin":{}}`, "version 0"},
		{begin + "\n" + strings.Replace(begin, `"seed":1`, `"seed":2`, 1), "entry 2: search: the journal's seed is 1"},
		{begin + iteration("2"), "iteration 2 after 0"},
		{begin + iteration("1") + iteration("1"), "iteration 1 after 1"},
		{begin + iteration("0"), "iteration 0 after 0"},
		{begin + `{"evaluation":{"latency":-1}}`, "want a positive ratio"},
		{begin + `{"evaluation":{"latency":1,"latency_ci":[1]}}`, "want two ends, have 1"},
		{begin + `{"evaluation":{"latency":1,"latency_ci":[2,1]}}`, "low end above high end"},
		{begin + `{"evaluation":{"latency":"fast"}}`, "entry 2: json"},
		{begin + `{"evaluation":{"latency":1},"end":{}}`, "has 2 of"},
		{begin + `{"evaluation":{"la`, "entry 2: unexpected EOF"},
	} {
		j, err := search.ReadJournal(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.text, err, c.want)
		}
		if j == nil {
			t.Errorf("%s: no journal of what came before", c.text)
		}
	}
	if j, err := search.ReadJournal(strings.NewReader("")); err != nil || !reflect.DeepEqual(*j, search.Journal{}) {
		t.Errorf("nothing: %+v, %v", j, err)
	}
}

// Figures come back exactly: a resumed search must compare the same numbers.
func TestEvaluationRoundTrip(t *testing.T) {
	number := rapid.Custom(func(t *rapid.T) float64 {
		return math.Abs(rapid.Float64().Filter(func(v float64) bool { return v != 0 && !math.IsInf(v, 0) && !math.IsNaN(v) }).Draw(t, "v"))
	})
	rapid.Check(t, func(t *rapid.T) {
		e := search.Evaluation{
			Point:   arch.Point{NLayer: rapid.Int().Draw(t, "n_layer"), DModel: 64, DInner: 128, NHead: 2},
			Quality: number.Draw(t, "quality"), Latency: number.Draw(t, "latency"), PL: number.Draw(t, "pl"), TL: number.Draw(t, "tl"),
			Source: search.Predicted, Record: rapid.String().Draw(t, "record"), Dropped: rapid.StringMatching("[ -~]*").Draw(t, "dropped"),
		}
		switch rapid.IntRange(0, 3).Draw(t, "interval") {
		case 1:
			e.LatencyCI = search.Interval{Low: e.Latency / 2, High: e.Latency}
		case 2:
			e.LatencyCI = search.Interval{Low: e.Latency / 2, High: math.Inf(1)}
		case 3:
			e.LatencyCI = search.Interval{Low: math.Inf(-1), High: math.Inf(1)}
		}
		line, err := json.Marshal(search.Entry{Evaluation: &e})
		if err != nil {
			t.Fatal(err)
		}
		j, err := search.ReadJournal(strings.NewReader(begin + string(line)))
		if err != nil || len(j.Evaluations) != 1 {
			t.Fatalf("%s: %v", line, err)
		}
		if got := j.Evaluations[0]; got != e && strings.ToValidUTF8(e.Record, "\ufffd") == e.Record {
			t.Fatalf("%+v came back as %+v", e, got)
		}
	})
}

// Whatever is read is written again as something that reads the same.
func FuzzReadJournal(f *testing.F) {
	tp := new(tape)
	p := small(f)
	mustRun(f, search.Driver{Problem: p, Method: evolution(f), Evaluator: &lab{shake: 0.1}, Recorder: tp})
	f.Add(bytes.Join(tp.lines[:12], []byte("\n")))
	f.Add([]byte(begin + `{"evaluation":{"latency":1,"latency_ci":[null,2]}}{"iteration":{"number":1,"partial":true}}{"end":{}}`))
	f.Add([]byte(`{"begin":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := search.ReadJournal(bytes.NewReader(data))
		if err != nil || j.Begin == nil {
			return
		}
		var again []byte
		write := func(e search.Entry) {
			line, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			again = append(append(again, line...), '\n')
		}
		write(search.Entry{Begin: j.Begin})
		for i := range j.Evaluations {
			write(search.Entry{Evaluation: &j.Evaluations[i]})
		}
		for i := range j.Iterations {
			write(search.Entry{Iteration: &j.Iterations[i]})
		}
		k, err := search.ReadJournal(bytes.NewReader(again))
		if err != nil {
			t.Fatalf("%s\nwas written as\n%s\n%v", data, again, err)
		}
		if *k.Begin != *j.Begin || !slices.Equal(k.Evaluations, j.Evaluations) || len(k.Iterations) != len(j.Iterations) {
			t.Fatalf("%s\nwas written as\n%s", data, again)
		}
	})
}
