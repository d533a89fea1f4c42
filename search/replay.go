package search

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// errJournalEnds is what the evaluator of a replay says when it is asked for more than
// the journal has.
var errJournalEnds = errors.New("the journal has no more evaluations")

// recorded is the evaluator of a replay, under the name of the one that was there.
type recorded struct{ name string }

func (r recorded) Name() string { return r.name }

func (recorded) Evaluate(context.Context, []Genome, func(Evaluation) error) error {
	return errJournalEnds
}

// Replay runs the method again on what a journal recorded, and evaluates and records
// nothing. It fails unless every iteration and the end come out with the front that the
// journal has. The result has the end's Status, an empty one where the search was killed
// since it last ended: then there is no such front, and what came out after the last
// whole iteration was compared with nothing. A journal without evaluations (see
// FrontsOnly) cannot be replayed. The driver's evaluator, recorder and limits are not used.
func (d *Driver) Replay(ctx context.Context, j *Journal) (*Result, error) {
	if j.Begin == nil || len(j.Evaluations) == 0 {
		return nil, errors.New("search: replay: the journal has no evaluations: those of a model are made anew by searching again")
	}
	again := Driver{Problem: d.Problem, Method: d.Method, Evaluator: recorded{j.Begin.Evaluator}}
	again.Settings.Seed, again.Settings.Resume = j.Begin.Seed, j
	again.Settings.MaxEvaluations = math.MaxInt // the journal ends it; for methods that want a limit
	again.Settings.Progress = d.Settings.Progress
	res, err := again.Run(ctx)
	switch {
	case res == nil || err != nil && !errors.Is(err, errJournalEnds):
		return res, err
	case ctx.Err() != nil:
		return res, ctx.Err()
	case res.Replayed != len(j.Evaluations):
		return res, fmt.Errorf("search: replay: the method asked for %d of the journal's %d evaluations: it was made by another version of this method", res.Replayed, len(j.Evaluations))
	case j.End == nil:
		res.Status = Status{}
		return res, nil
	case !sameFront(j.End.Front, frontPoints(d.Problem.Space, res.Front)):
		return res, fmt.Errorf("search: replay: the front has %d points and is another one than the journal's, which has %d", len(res.Front), len(j.End.Front))
	}
	res.Status = j.End.Status
	return res, nil
}
