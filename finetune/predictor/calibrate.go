package predictor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"lathe/profiler/stat"
)

// Goal is what thresholds are looked for by: a baseline's rates, or a bound.
type Goal struct {
	// Both set: the rule whose rates are nearest to these.
	TriggerRate float64 `json:"trigger_rate,omitempty"`
	Saving      float64 `json:"character_saving_rate,omitempty"`
	// Else set: the rule that saves most characters of those with no more extra ones a
	// suggestion.
	MaxAEC float64 `json:"max_aec_chars,omitempty"`
	// MaxTriggerRate bounds how often there is a suggestion; 0: it is not bounded. It goes
	// with MaxAEC.
	MaxTriggerRate float64 `json:"max_trigger_rate,omitempty"`
}

// Validate reports a goal that says nothing, or two things.
func (g Goal) Validate() error {
	match, bound := g.TriggerRate != 0 || g.Saving != 0, g.MaxAEC != 0
	switch {
	case match == bound:
		return errors.New("predictor: want either a trigger rate and a character-saving rate to reach, or a bound of the extra characters")
	case match && !(g.TriggerRate > 0 && g.TriggerRate <= 1):
		return fmt.Errorf("predictor: a trigger rate of %g: want more than 0, 1 at most: there is nothing to match in a predictor that shows nothing", g.TriggerRate)
	case match && !(g.Saving > 0 && g.Saving <= 1):
		return fmt.Errorf("predictor: a character-saving rate of %g: want more than 0, 1 at most", g.Saving)
	case match && g.MaxTriggerRate != 0, g.MaxTriggerRate < 0, g.MaxTriggerRate > 1, math.IsNaN(g.MaxTriggerRate):
		return fmt.Errorf("predictor: a bound of %g of the trigger rate: want more than 0, 1 at most, beside a bound of the extra characters", g.MaxTriggerRate)
	case bound && !(g.MaxAEC > 0):
		return fmt.Errorf("predictor: %g extra characters a suggestion at most: want more than 0", g.MaxAEC)
	}
	return nil
}

// Calibration is a rule that was found, and how sure the choice of it is.
type Calibration struct {
	Rule Rule `json:"rule"`
	// ShowCI and StopCI are 95 % intervals of the thresholds, by a bootstrap over cases in
	// each of which they were looked for anew; nil where none was asked for.
	ShowCI *stat.Interval `json:"show_log_prob_ci"`
	StopCI *stat.Interval `json:"stop_log_prob_ci"`
	// Measures are of the cases that the rule was chosen on: of others expect less.
	Measures Measures `json:"measures"`
	Curve    []Place  `json:"curve"`
	Warnings []string `json:"warnings"`
}

// Place is a point of the curve that show thresholds make, with the rule's stop threshold.
type Place struct {
	Show        float64 `json:"show_log_prob"`
	TriggerRate float64 `json:"trigger_rate"`
	Saving      float64 `json:"character_saving_rate"`
	ASC         float64 `json:"asc_chars"`
	AEC         float64 `json:"aec_chars"`
}

// CalibrateOptions say how a rule is looked for.
type CalibrateOptions struct {
	Scoring   Scoring    // "": Tokens
	Resamples int        // of the thresholds' intervals; 0: none are made
	Rand      *rand.Rand // draws them
	Progress  func(done, total int)
}

// tolerance is by how much, relatively, a rate may miss what it is to match without a
// warning.
const tolerance = 0.02

// Calibrate looks for the rule that reaches a goal on a sample. A goal that no rule reaches
// gives the nearest, with a warning; a predictor that would then show nothing is an error.
func Calibrate(ctx context.Context, s *Sample, g Goal, o CalibrateOptions) (*Calibration, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	if o.Scoring == "" {
		o.Scoring = Tokens
	}
	if !slices.Contains(Scorings, o.Scoring) {
		return nil, fmt.Errorf("predictor: scoring %q: want %s or %s", o.Scoring, Tokens, Cumulative)
	}
	columns := s.columns(o.Scoring)
	found, ok := s.look(columns, nil, g)
	if !ok {
		return nil, unreachable(columns, g)
	}
	c := &Calibration{Warnings: []string{}}
	c.Rule = Rule{Scoring: o.Scoring, Show: found.show, Stop: found.stop, MaxTokens: s.maxTokens, MaxChars: s.maxChars}.withDefaults()
	var err error
	if c.Measures, err = s.Measure(c.Rule, o.Rand); err != nil {
		return nil, err
	}
	c.Curve = s.curve(found.stop, o.Scoring)
	if g.MaxAEC == 0 {
		for _, f := range []struct {
			what       string
			is, wanted float64
		}{{"trigger rate", found.trigger, g.TriggerRate}, {"character-saving rate", found.saving, g.Saving}} {
			if math.Abs(f.is/f.wanted-1) > tolerance {
				c.Warnings = append(c.Warnings, fmt.Sprintf("no thresholds reach a %s of %.4g together with the other rate: the nearest have %.4g", f.what, f.wanted, f.is))
			}
		}
	}
	var shows, ends []float64
	for i := range o.Resamples {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		times := make([]int, len(s.cases))
		for range times {
			times[o.Rand.IntN(len(times))]++
		}
		if f, ok := s.look(columns, times, g); ok {
			shows, ends = append(shows, f.show), append(ends, f.stop)
		}
		if o.Progress != nil {
			o.Progress(i+1, o.Resamples)
		}
	}
	if len(shows) > 0 {
		c.ShowCI, c.StopCI = middle(shows), middle(ends)
		if missed := o.Resamples - len(shows); missed > 0 {
			c.Warnings = append(c.Warnings, fmt.Sprintf("in %d of %d resamples of the cases no thresholds reach the goal: the intervals are of the others", missed, o.Resamples))
		}
	}
	return c, nil
}

// middle is the interval that holds 95 % of the values.
func middle(x []float64) *stat.Interval {
	slices.Sort(x)
	out := len(x) / 40
	return &stat.Interval{Low: x[out], High: x[len(x)-1-out]}
}

// found is a pair of thresholds.
type found struct{ stop, show, trigger, saving, miss float64 }

// look finds the thresholds, where each case counts as often as times says; nil: once.
func (s *Sample) look(columns []column, times []int, g Goal) (best found, ok bool) {
	rest := s.rest
	if times != nil {
		rest = 0
		for i, n := range times {
			rest += n * s.cases[i].rest
		}
	}
	n := float64(len(s.cases))
	for i := range columns {
		c := &columns[i]
		c.each(times, func(p point) bool {
			f := found{stop: c.stop, trigger: float64(p.n) / n, saving: float64(p.accepted) / float64(rest)}
			switch {
			case g.MaxAEC == 0:
				f.miss = math.Abs(f.trigger/g.TriggerRate-1) + math.Abs(f.saving/g.Saving-1)
			case g.MaxTriggerRate > 0 && f.trigger > g.MaxTriggerRate:
				return false
			case p.accepted == 0 || float64(p.shown-p.accepted)/float64(p.n) > g.MaxAEC:
				return true
			default:
				f.miss = -f.saving
			}
			if !ok || f.miss < best.miss {
				f.show = c.show(p)
				best, ok = f, true
			}
			return true
		})
	}
	return best, ok
}

// unreachable says what is nearest to a goal that no rule reaches.
func unreachable(columns []column, g Goal) error {
	least, shows := math.Inf(1), false
	for i := range columns {
		columns[i].each(nil, func(p point) bool {
			shows = true
			if p.accepted > 0 {
				least = min(least, float64(p.shown-p.accepted)/float64(p.n))
			}
			return true
		})
	}
	switch {
	case !shows:
		return errors.New("predictor: the model suggests no whole word in any case, so that no threshold ever shows one: is it trained, and the tokenizer its own?")
	case math.IsInf(least, 1):
		return errors.New("predictor: no suggestion of the model has a word that is right: there is nothing to choose thresholds by; is it trained on such text?")
	}
	return fmt.Errorf("predictor: no thresholds keep the extra characters at %g a suggestion and save any: the least is %.3g", g.MaxAEC, least)
}

// curve is what show thresholds give beside a stop threshold, at some places.
func (s *Sample) curve(stop float64, scoring Scoring) []Place {
	const most = 60 // make a smooth line
	c := s.column(stop, scoring)
	list, next := []Place{}, 0
	c.each(nil, func(p point) bool {
		if p.n < next && p.n < len(c.items) {
			return true
		}
		next = p.n + (len(c.items)+most-1)/most
		list = append(list, Place{
			Show: c.show(p), TriggerRate: float64(p.n) / float64(len(s.cases)), Saving: float64(p.accepted) / float64(s.rest),
			ASC: float64(p.accepted) / float64(p.n), AEC: float64(p.shown-p.accepted) / float64(p.n),
		})
		return true
	})
	return list
}
