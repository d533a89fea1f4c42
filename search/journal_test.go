package search_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lathe/search"

	"pgregory.net/rapid"
)

const begin = `{"begin":{"version":2,"method":"m","seed":1,"space_hash":"s","build":"b","baseline":"c","proxy":"p","objectives":"o","evaluator":"e"}}`

func TestReadJournalRefuses(t *testing.T) {
	iteration := func(n string) string { return `{"iteration":{"number":` + n + `,"front":[]}}` }
	for _, c := range []struct{ text, want string }{
		{`{}`, "entry 1: search: journal entry has 0 of"},
		{`{"end":{}}`, "does not start with a begin"},
		{`{"begin":{"version":1}}`, "version 1"},
		{`{"begin":{"version":3}}`, "version 3"},
		{`{"begin":{}}`, "version 0"},
		{begin + "\n" + strings.Replace(begin, `"seed":1`, `"seed":2`, 1), "entry 2: search: the journal's seed is 1"},
		{begin + iteration("2"), "iteration 2 after 0"},
		{begin + iteration("1") + iteration("1"), "iteration 1 after 1"},
		{begin + iteration("0"), "iteration 0 after 0"},
		{begin + `{"evaluation":{"point":{"n_layer":2}}}`, `no values of {"n_layer":2} and no reason`},
		{begin + `{"evaluation":{"values":[1],"intervals":[null,null]}}`, "has 1 values of  and 2 intervals"},
		{begin + `{"evaluation":{"values":[1],"intervals":[[1]]}}`, "want two ends, have 1"},
		{begin + `{"evaluation":{"values":[1],"intervals":[[2,1]]}}`, "low end above high end"},
		{begin + `{"evaluation":{"values":["fast"]}}`, "entry 2: json"},
		{begin + `{"evaluation":{"values":[1]},"end":{}}`, "has 2 of"},
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
			Point:  json.RawMessage(`{"n_layer":3}`),
			Values: []float64{number.Draw(t, "quality"), number.Draw(t, "latency")}, PL: number.Draw(t, "pl"), TL: number.Draw(t, "tl"),
			Kind: search.Predicted, Record: rapid.String().Draw(t, "record"), Dropped: rapid.StringMatching("[ -~]*").Draw(t, "dropped"),
		}
		v := e.Values[latency]
		switch rapid.IntRange(0, 3).Draw(t, "interval") {
		case 1:
			e.Intervals = []search.Interval{{}, {Low: v / 2, High: v}}
		case 2:
			e.Intervals = []search.Interval{{}, {Low: v / 2, High: math.Inf(1)}}
		case 3:
			e.Intervals = []search.Interval{{}, {Low: math.Inf(-1), High: math.Inf(1)}}
		}
		line, err := json.Marshal(search.Entry{Evaluation: &e})
		if err != nil {
			t.Fatal(err)
		}
		j, err := search.ReadJournal(strings.NewReader(begin + string(line)))
		if err != nil || len(j.Evaluations) != 1 {
			t.Fatalf("%s: %v", line, err)
		}
		if got := j.Evaluations[0]; !reflect.DeepEqual(got, e) && strings.ToValidUTF8(e.Record, "\ufffd") == e.Record {
			t.Fatalf("%+v came back as %+v", e, got)
		}
	})
}

// Whatever is read is written again as something that reads the same.
func FuzzReadJournal(f *testing.F) {
	tp := new(tape)
	p := small(f)
	mustRun(f, search.Driver{Problem: p, Method: evolution(f), Evaluator: &lab{space: spaceOf(p), shake: 0.1}, Recorder: tp})
	f.Add(bytes.Join(tp.lines[:12], []byte("\n")))
	f.Add([]byte(begin + `{"evaluation":{"point":{"a":1},"values":[1],"intervals":[[null,2]]}}{"iteration":{"number":1,"partial":true}}{"end":{}}`))
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
		if *k.Begin != *j.Begin || !slices.EqualFunc(k.Evaluations, j.Evaluations, search.Evaluation.Equal) || len(k.Iterations) != len(j.Iterations) {
			t.Fatalf("%s\nwas written as\n%s", data, again)
		}
	})
}
