package main

import (
	"context"
	"fmt"
	"math"
	"time"
)

// setBudget turns what a training may take into steps. What it timed for that, or all
// the same where it has to, it returns.
func (t *training) setBudget(ctx context.Context, budget string, always bool) (timed *stepTimes, err error) {
	c, p := t.a.cfg.Train, t.plan
	if budget == "minutes" || always {
		if timed, err = t.time(ctx); err != nil {
			return nil, err
		}
	}
	steps := float64(c.Steps)
	switch budget {
	case "epochs":
		steps = c.Epochs * float64(t.rows.Rows()) / float64(p.Rows*p.Passes)
	case "tokens":
		steps = c.Tokens / float64(p.stepTokens())
	case "minutes":
		looks := 21.0
		if p.EvalEvery > 0 {
			looks = 2
			timed.step += timed.look / float64(p.EvalEvery)
		}
		steps = math.Floor((60*c.Minutes - looks*timed.look) / timed.step)
	}
	if steps > 1e9 {
		return nil, badInput(fmt.Errorf("%s: %.0f steps are more than 1e9", p.Command, steps))
	}
	p.setSteps(max(1, int(math.Ceil(steps))))
	return timed, badInput(p.Schedule.Validate())
}

// stepTimes are the seconds of a step and of a look at the development set.
type stepTimes struct{ step, look float64 }

// time makes some steps that leave all as it is: gradients times zero, applied at a
// learning rate of zero. The model has no weights yet.
func (t *training) time(ctx context.Context) (*stepTimes, error) {
	p := t.plan
	n := p.Rows * p.Sequence
	ids, labels := make([]int64, n), make([]int64, n)
	if err := t.rows.Fill(0, ids, labels); err != nil {
		return nil, err
	}
	step := func() error {
		for range p.Passes {
			if _, _, err := t.model.Accumulate(ids, labels, 0); err != nil {
				return err
			}
		}
		_, err := t.model.Apply(0)
		return err
	}
	var out stepTimes
	measure := func(into *float64, what func() error) error {
		if err := what(); err != nil { // the first allocates
			return err
		}
		began := time.Now()
		const least, most = 2 * time.Second, 20
		runs := 0
		for ; runs < 2 || runs < most && time.Since(began) < least; runs++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := what(); err != nil {
				return err
			}
		}
		*into = time.Since(began).Seconds() / float64(runs)
		return nil
	}
	if err := measure(&out.step, step); err != nil {
		return nil, err
	}
	if batches := t.looks(t.dev); batches > 0 {
		err := measure(&out.look, func() error { _, _, err := t.model.Loss(ids, labels); return err })
		if err != nil {
			return nil, err
		}
		out.look *= float64(batches)
	}
	return &out, nil
}
