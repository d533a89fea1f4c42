package search

import (
	"context"
	"errors"
	"fmt"
)

// Reason is the kind of a stop.
type Reason string

// The reasons for which a search stops. The empty one means that it has not.
const (
	Converged       Reason = "converged"        // the method sees nothing more to gain
	IterationLimit  Reason = "iteration_limit"  // the iterations asked for are done
	EvaluationLimit Reason = "evaluation_limit" // the budget of evaluations is spent
	TimeLimit       Reason = "time_limit"       // the context's deadline passed
	Cancelled       Reason = "cancelled"        // the context was cancelled
	SpaceExhausted  Reason = "space_exhausted"  // every point of the space is evaluated
	Failed          Reason = "failed"           // an error ended it
)

// Status says why a search stopped. Detail has the figures: how many
// iterations, which budget.
type Status struct {
	Reason Reason `json:"reason"`
	Detail string `json:"detail,omitempty"`
	Err    error  `json:"-"` // of a failed search, or the context's
}

// String explains the stop in one line.
func (s Status) String() string {
	var what string
	switch s.Reason {
	case "":
		return "still running"
	case Converged:
		what = "converged"
	case IterationLimit:
		what = "all iterations done"
	case EvaluationLimit:
		what = "budget of evaluations spent"
	case TimeLimit:
		what = "out of time"
	case Cancelled:
		what = "cancelled"
	case SpaceExhausted:
		what = "every point of the space is evaluated"
	case Failed:
		what = "failed"
	default:
		what = string(s.Reason)
	}
	switch {
	case s.Detail != "":
		return what + ": " + s.Detail
	case s.Err != nil:
		return what + ": " + s.Err.Error()
	}
	return what
}

// Early reports whether the search was ended from outside before it came to an
// end of its own, so that resuming it has something to go on with.
func (s Status) Early() bool {
	switch s.Reason {
	case EvaluationLimit, TimeLimit, Cancelled, Failed:
		return true
	}
	return false
}

// stopped is the status of a search whose context is done.
func stopped(ctx context.Context, evaluated int) Status {
	detail := fmt.Sprintf("after %s; what was evaluated is kept, and the search can be resumed", count(evaluated, "evaluation"))
	cause := context.Cause(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return Status{TimeLimit, detail, cause}
	}
	return Status{Cancelled, detail, cause}
}

func failed(err error) Status { return Status{Failed, err.Error(), err} }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
