package operators

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// Session is one sequence at a time, as package profiler times it.
type Session interface {
	Reset()
	PreparePrefill(ids []int64) error
	PrepareStep(id int64) error
	Run() error
}

// Plan says what to run: rounds of a prompt and the tokens decoded after it.
type Plan struct {
	Prompt, Generated int // tokens
	Rounds            int
	// Prefill and Decode say which of a round's runs a profile is wanted of. Without
	// Decode the rounds are prompts alone.
	Prefill, Decode bool
	// KeepsLast: a prefill computes the logits of its last token only.
	KeepsLast bool
}

// Rounds of warm-up, whose runs touch a session's memory for the first time; of
// their decode steps only some.
const (
	warmUpRounds = 2
	warmUpSteps  = 3
)

// Validate reports a plan that cannot be followed.
func (p Plan) Validate() error {
	switch {
	case p.Rounds < 1:
		return fmt.Errorf("operators: %d rounds; 1 or more are needed", p.Rounds)
	case p.Prompt < 1:
		return fmt.Errorf("operators: %d prompt tokens; 1 or more are needed", p.Prompt)
	case !p.Prefill && !p.Decode:
		return fmt.Errorf("operators: the plan profiles neither the prefill nor the decode steps")
	case p.Decode && p.Generated < 1:
		return fmt.Errorf("operators: %d generated tokens; 1 or more are needed to profile decode steps", p.Generated)
	}
	return nil
}

// Schedule is every run of a session that the plan makes, in order.
func (p Plan) Schedule() (list []Step) {
	for round := range warmUpRounds + p.Rounds {
		prefill, decode, steps := Prefill, Decode, p.Generated
		if round < warmUpRounds {
			prefill, decode, steps = WarmUp, WarmUp, min(steps, warmUpSteps)
		}
		if !p.Prefill {
			prefill = WarmUp
		}
		if !p.Decode {
			steps = 0
		}
		kept := 1
		if !p.KeepsLast {
			kept = p.Prompt
		}
		list = append(list, Step{prefill, p.Prompt, 0, kept})
		for i := range steps {
			list = append(list, Step{decode, 1, p.Prompt + i, 1})
		}
	}
	return list
}

// Alternate makes the plan's runs in two sessions of one model, one traced and one
// not, and returns what each took, in nanoseconds by place in the schedule. They take
// turns by whole rounds, so that each finds its weights in the caches as it would
// alone, and who is first changes from round to round. ids are the tokens fed, one
// for each place; progress, if not nil, is told the share done.
//
// When ctx is done it stops between rounds with ctx's error.
func Alternate(ctx context.Context, traced, plain Session, p Plan, ids []int64, progress func(share float64)) (withTrace, without []int64, err error) {
	if err := p.Validate(); err != nil {
		return nil, nil, err
	}
	schedule := p.Schedule()
	if need := p.Prompt + p.Generated; len(ids) < need {
		return nil, nil, fmt.Errorf("operators: %d tokens to feed, the plan takes %d", len(ids), need)
	}
	sessions := [2]Session{traced, plain}
	var ns [2][]int64
	for i := range ns {
		ns[i] = make([]int64, len(schedule))
	}
	runtime.LockOSThread() // a session's own thread is the caller's
	defer runtime.UnlockOSThread()
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer traced.Reset()
	defer plain.Reset()
	for from, round := 0, 0; from < len(schedule); round++ {
		to := from + 1
		for to < len(schedule) && schedule[to].Past > 0 {
			to++
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		for turn := range sessions {
			side := (turn + round) % len(sessions)
			if err := runRound(sessions[side], schedule[from:to], ids, ns[side][from:to]); err != nil {
				return nil, nil, err
			}
		}
		from = to
		if progress != nil {
			progress(float64(to) / float64(len(schedule)))
		}
	}
	return ns[0], ns[1], nil
}

// runRound runs a prefill and the steps behind it.
func runRound(s Session, steps []Step, ids []int64, ns []int64) error {
	s.Reset()
	for i, step := range steps {
		var err error
		if step.Past == 0 {
			err = s.PreparePrefill(ids[:step.New])
		} else {
			err = s.PrepareStep(ids[step.Past])
		}
		if err != nil {
			return err
		}
		start := time.Now()
		err = s.Run()
		ns[i] = int64(time.Since(start))
		if err != nil {
			return err
		}
	}
	return nil
}
