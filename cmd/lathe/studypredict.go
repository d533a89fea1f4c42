package main

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"lathe/finetune/predictor"
	"lathe/finetune/text"
	"lathe/profiler"
	"lathe/profiler/record"
)

// studyCases are sentences to complete.
type studyCases struct {
	Dev       []predictor.Case    `json:"dev"`
	Test      []predictor.Case    `json:"test"`
	DevStats  predictor.CaseStats `json:"dev_stats"`
	TestStats predictor.CaseStats `json:"test_stats"`
}

// cases cuts the sentences of the task's development and test documents.
func (s *study) cases() (*studyCases, error) {
	return step(s, "cases", "cutting sentences to complete", func() (*studyCases, error) {
		c := s.a.cfg
		out := new(studyCases)
		rng := rand.New(rand.NewPCG(c.Seed, casesStream))
		for _, of := range []struct {
			part  text.Part
			cases *[]predictor.Case
			stats *predictor.CaseStats
		}{{text.Dev, &out.Dev, &out.DevStats}, {text.Test, &out.Test, &out.TestStats}} {
			documents, err := s.part(c.Study.task(), of.part)
			if err != nil {
				return nil, err
			}
			all := func(yield func(string, error) bool) {
				for _, d := range documents {
					if !yield(d, nil) {
						return
					}
				}
			}
			o := predictor.CaseOptions{Cases: c.Study.Cases, PerDocument: c.Study.PerDocument, MaxContext: c.Study.ContextChars}
			if *of.cases, *of.stats, err = predictor.Cases(s.ctx, all, o, rng); err != nil {
				return nil, unlessStopped(s.ctx, fmt.Errorf("study: the %s part of the task: %w", of.part, err))
			}
		}
		s.detail("%d to calibrate on, %d held out", len(out.Dev), len(out.Test))
		return out, nil
	})
}

// predicts is how the study's models read.
func predicts(tk string) *predictFlags { return &predictFlags{tokenizer: tk, bos: bosAuto} }

// calibrationResamples give intervals of thresholds: their ends have 5 beyond each.
const calibrationResamples = 200

// calibrate finds the thresholds of a finetuned model that reach a goal on the development
// cases.
func (s *study) calibrate(m studyModel, tk string, cases *studyCases, goal predictor.Goal, what string) (*predictor.Calibration, error) {
	return step(s, "calibrate-"+m.Label, "calibrating "+m.Label+" to "+what, func() (c *predictor.Calibration, err error) {
		err = s.scored("tuned", m, func(model *scored) error {
			found, err := s.a.chooseRule(s.ctx, model, predicts(tk), cases.Dev, s.a.cfg.Study.rule(), goal, calibrationResamples)
			if err == nil {
				c = found.Calibration
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("study: %s on the development cases: %w", m.Label, err)
		}
		s.told("on the development cases", c.Measures)
		return c, nil
	})
}

// told says what suggestions were worth.
func (s *study) told(where string, m predictor.Measures) {
	show := func(f predictor.Figure, times float64) string {
		if f.Value == nil {
			return "-"
		}
		return fmt.Sprintf("%.3g", *f.Value*times)
	}
	s.detail("%s: a suggestion in %s %%, %s %% of the characters saved, %s accepted and %s extra characters a suggestion",
		where, show(m.TriggerRate, 100), show(m.Saving, 100), show(m.ASC, 1), show(m.AEC, 1))
}

// studyCompleted is what a finetuned model suggests for the held-out cases.
type studyCompleted struct {
	completed
	Judged []predictor.Judged `json:"judged"` // by case
	Given  []profiler.Given   `json:"given"`  // the requests, as this model answers them
}

// complete has a finetuned model complete the held-out cases by its thresholds.
func (s *study) complete(m studyModel, tk string, cases *studyCases, r predictor.Rule) (*studyCompleted, error) {
	return step(s, "complete-"+m.Label, "completing the held-out sentences with "+m.Label, func() (out *studyCompleted, err error) {
		err = s.scored("tuned", m, func(model *scored) error {
			c, err := s.a.complete(s.ctx, model, predicts(tk), r, cases.Test)
			if err == nil {
				out = &studyCompleted{*c, c.judged, c.given}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		s.told("on the held-out cases", out.Measures)
		return out, nil
	})
}

// requests times the very requests in which a suggestion is shown on one side at least:
// each side reads its own prompt, runs the tokens that it did run, and shows the characters
// that it did show. The baseline is the partner.
func (s *study) requests(base, pick studyModel, tk string, a, b *studyCompleted) (*record.Record, error) {
	return step(s, stepRequests, "timing those requests in pairs, the baseline beside "+pick.Label, func() (r *record.Record, err error) {
		var partner, own []profiler.Given
		for i := range a.Given {
			if a.Given[i].Chars+b.Given[i].Chars > 0 {
				partner, own = append(partner, a.Given[i]), append(own, b.Given[i])
			}
		}
		if len(own) == 0 {
			return nil, badInput(errors.New("study: no held-out case has a suggestion of either model: there is no request to time; more cases, or another study.max_aec, may give some"))
		}
		n := s.a.cfg.Study.Requests
		if n == 0 {
			n = len(own)
		}
		err = s.scored("tuned", base, func(p *scored) error {
			return s.scored("tuned", pick, func(q *scored) error {
				r, err = s.a.timeCompleted(s.ctx, p, q, predicts(tk), partner, own, n)
				return err
			})
		})
		if err == nil {
			err = s.ctx.Err() // what was timed before is too little
		}
		return r, err
	})
}

// chance draws what intervals rest on.
func (s *study) chance(stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(s.a.cfg.Seed, stream))
}
