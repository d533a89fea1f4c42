package predictor

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
)

// completions are cases of which a model is right the more often the surer it is.
func completions(t *testing.T, n int, seed uint64) *Sample {
	t.Helper()
	rng := generator(seed)
	var traced []Traced
	var cases []Case
	for range n {
		rest, tr := "", Trace{End: EndLimit}
		wrong := false
		for k := range 6 {
			p := rng.Float64()
			word := fmt.Sprintf(" w%d", k)
			rest += word
			if wrong = wrong || rng.Float64() > p; wrong {
				word = fmt.Sprintf(" x%d", k)
			}
			tr.Tokens = append(tr.Tokens, Token{Bytes: word, LogProb: math.Log(p)})
		}
		traced = append(traced, Traced{Trace: tr})
		cases = append(cases, Case{Rest: rest + "."})
	}
	s, err := NewSample(traced, cases, 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rates are those of a rule.
func rates(t *testing.T, s *Sample, r Rule) (trigger, saving, aec float64) {
	t.Helper()
	judged, err := s.Judge(r)
	if err != nil {
		t.Fatal(err)
	}
	var all totals
	for _, j := range judged {
		all.add(j)
	}
	return all.suggestions / all.cases, all.accepted / all.rest, (all.shown - all.accepted) / all.suggestions
}

// No thresholds of a fine grid save more within the bound than those that were chosen, but
// for what lies between the stop thresholds that are tried.
func TestCalibrateBound(t *testing.T) {
	for _, scoring := range Scorings {
		s := completions(t, 200, 1)
		const bound = 1.5
		c, err := Calibrate(t.Context(), s, Goal{MaxAEC: bound}, CalibrateOptions{Scoring: scoring, Rand: generator(2)})
		if err != nil {
			t.Fatal(err)
		}
		_, saving, aec := rates(t, s, c.Rule)
		if aec > bound || *c.Measures.Saving.Value != saving || *c.Measures.AEC.Value != aec {
			t.Errorf("%s: AEC %v, saving %v; said %v, %v", scoring, aec, saving, *c.Measures.AEC.Value, *c.Measures.Saving.Value)
		}
		best := 0.0
		for show := -4.0; show <= 0; show += 0.1 {
			for stop := -4.0; stop <= 0; stop += 0.1 {
				if _, x, aec := rates(t, s, Rule{Scoring: scoring, Show: show, Stop: stop, MaxTokens: 5}); aec <= bound {
					best = max(best, x)
				}
			}
		}
		if saving < best-0.002 {
			t.Errorf("%s: saves %.4f, %.4f is possible", scoring, saving, best)
		}
		bounded, err := Calibrate(t.Context(), s, Goal{MaxAEC: bound, MaxTriggerRate: 0.3}, CalibrateOptions{Scoring: scoring, Rand: generator(2)})
		if err != nil {
			t.Fatal(err)
		}
		if trigger, x, _ := rates(t, s, bounded.Rule); trigger > 0.3 || x > saving || trigger < 0.2 {
			t.Errorf("%s: a trigger rate of %v, 0.3 at most, saves %v", scoring, trigger, x)
		}
	}
}

// The rates of any rule are found again, by another model's thresholds too, and the
// thresholds' intervals hold those that were chosen.
func TestCalibrateMatch(t *testing.T) {
	a, b := completions(t, 400, 1), completions(t, 400, 2)
	for _, r := range []Rule{{Show: -0.5, Stop: -1, MaxTokens: 5}, {Show: -0.3, Stop: -2, MaxTokens: 5}, {Scoring: Cumulative, Show: -1, Stop: -2, MaxTokens: 5}} {
		trigger, saving, _ := rates(t, a, r)
		for _, s := range []*Sample{a, b} {
			c, err := Calibrate(t.Context(), s, Goal{TriggerRate: trigger, Saving: saving}, CalibrateOptions{Scoring: r.Scoring, Resamples: 40, Rand: generator(2)})
			if err != nil {
				t.Fatal(err)
			}
			gotTrigger, gotSaving, _ := rates(t, s, c.Rule)
			if math.Abs(gotTrigger/trigger-1) > tolerance || math.Abs(gotSaving/saving-1) > tolerance || len(c.Warnings) > 0 {
				t.Errorf("%+v: trigger rate %.4f, want %.4f; saving %.4f, want %.4f: %v", r, gotTrigger, trigger, gotSaving, saving, c.Warnings)
			}
			if c.ShowCI == nil || !(c.ShowCI.Low <= c.Rule.Show && c.Rule.Show <= c.ShowCI.High) || !(c.StopCI.Low <= c.Rule.Stop && c.Rule.Stop <= c.StopCI.High) {
				t.Errorf("%+v: show %v in %v, stop %v in %v", r, c.Rule.Show, c.ShowCI, c.Rule.Stop, c.StopCI)
			}
		}
	}
	c, err := Calibrate(t.Context(), a, Goal{TriggerRate: 0.1, Saving: 0.9}, CalibrateOptions{Rand: generator(2)})
	if err != nil || len(c.Warnings) == 0 {
		t.Errorf("rates that do not go together: %+v, %v", c, err)
	}
}

func TestCalibrateCurve(t *testing.T) {
	c, err := Calibrate(t.Context(), completions(t, 300, 1), Goal{MaxAEC: 1.5}, CalibrateOptions{Rand: generator(2)})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range c.Curve {
		if i > 0 && (p.Show >= c.Curve[i-1].Show || p.TriggerRate <= c.Curve[i-1].TriggerRate || p.Saving < c.Curve[i-1].Saving) {
			t.Errorf("point %d %+v behind %+v", i, p, c.Curve[i-1])
		}
	}
	if n := len(c.Curve); n < 20 || n > 80 {
		t.Errorf("%d points", n)
	}
}

func TestCalibrateRefuses(t *testing.T) {
	wrong, err := NewSample([]Traced{{Trace: Trace{End: EndText, Tokens: []Token{{Bytes: " no", LogProb: -1}, {}}}}}, []Case{{Rest: " yes."}}, 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	silent, err := NewSample([]Traced{{Trace: Trace{End: EndText, Tokens: []Token{{}}}}}, []Case{{Rest: " yes."}}, 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	half, err := NewSample([]Traced{{Trace: Trace{End: EndText, Tokens: []Token{{Bytes: " yes no", LogProb: -1}, {}}}}}, []Case{{Rest: " yes."}}, 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		s    *Sample
		g    Goal
		want string
	}{
		"no goal":      {wrong, Goal{}, "want either"},
		"two goals":    {wrong, Goal{MaxAEC: 1, Saving: 0.1, TriggerRate: 0.1}, "want either"},
		"half a goal":  {wrong, Goal{TriggerRate: 0.1}, "character-saving rate"},
		"never right":  {wrong, Goal{MaxAEC: 5}, "no suggestion of the model has a word that is right"},
		"never shown":  {silent, Goal{MaxAEC: 5}, "no threshold ever shows one"},
		"out of reach": {half, Goal{MaxAEC: 2}, "the least is 3"},
	} {
		if _, err := Calibrate(t.Context(), c.s, c.g, CalibrateOptions{Rand: generator(1)}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	if _, err := wrong.Judge(Rule{MaxTokens: 6}); err == nil {
		t.Error("a rule of more tokens than were decoded: no error")
	}
}

// Thresholds survive a file, minus infinity among them; what is no rule is refused.
func TestRuleJSON(t *testing.T) {
	for _, r := range []Rule{Everything().withDefaults(), {Scoring: Cumulative, Show: -1.25, Stop: 0, MaxTokens: 3, MaxChars: 40}} {
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var got Rule
		if err := json.Unmarshal(data, &got); err != nil || got != r {
			t.Errorf("%s is read as %+v: %v", data, got, err)
		}
	}
	for _, text := range []string{`{"show_log_prob": 1}`, `{"scoring": "sum"}`, `{"max_tokens": -1}`, `[]`} {
		if err := json.Unmarshal([]byte(text), new(Rule)); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

// FuzzRule reads what may stand in a file of thresholds: it is a rule that can be followed,
// or an error.
func FuzzRule(f *testing.F) {
	for _, s := range []string{`{"scoring":"token","show_log_prob":-0.5,"stop_log_prob":null,"max_tokens":16,"max_chars":0}`, `{}`, `null`, `{"show_log_prob":1e999}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Rule
		if json.Unmarshal(data, &r) != nil {
			return
		}
		if err := r.Validate(); err != nil {
			t.Fatalf("%s is read as %+v: %v", data, r, err)
		}
	})
}
