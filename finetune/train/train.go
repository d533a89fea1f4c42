// Package train is the loop that trains a model: it feeds rows of tokens, follows a
// learning rate's schedule, watches a development set, writes a log and checkpoints,
// and ends as it was told to.
//
// What it trains is an interface, [Model], which package finetune implements with
// graphs, and what it trains on another, [Rows], of which finetune/text has one. It
// knows neither graphs nor tokenizers, and never what a model is for: the command
// joins these.
//
// A training is a function of its options: batch k is the same rows whenever it is
// asked for, and a step's masks are those of its number. A training that is killed
// and resumed therefore logs the numbers that it would have logged, to the last bit,
// on the same machine with as many threads.
package train

import (
	"errors"
	"fmt"
	"time"
)

// Model is what is trained. Its calls are made by one goroutine.
type Model interface {
	// Accumulate adds scale times the gradient of the summed loss of a pass's tokens to
	// the gradients. ids and labels are [rows*sequence]; a label of -100 does not count.
	// lossSum, in nats, is not scaled; tokens is how many count.
	Accumulate(ids, labels []int64, scale float32) (lossSum float64, tokens int, err error)
	// Apply makes a step with the accumulated gradients, which are zero from then on, and
	// returns their norm before clipping. Where they overflowed under a scale of the loss,
	// it changes nothing but that, and the error is ErrSkipped.
	Apply(lr float64) (gradNorm float64, err error)
	// Loss is what Accumulate returns, without gradients.
	Loss(ids, labels []int64) (lossSum float64, tokens int, err error)
	// State is the memory of parameters and of the moments of their gradients between
	// two steps: what a checkpoint holds. Each call returns the same names in the same
	// order.
	State() State
	// Stepped tells the model how many steps were made, without those that were skipped,
	// after its State was filled or without any: corrections of moments and masks of dropout
	// depend on it.
	Stepped(steps int)
}

// State is a model's numbers, in its own memory: they change with every step, and who
// writes them changes the model.
type State struct {
	Parameters, First, Second []Tensor
	Scaling                   *Scaling // nil: the loss is not scaled
}

// Scaling is the state of a scale of the loss, under which gradients of 16 bits neither
// overflow nor vanish; the model says how it changes.
type Scaling struct {
	Scale   float64 `json:"scale"`
	Good    int     `json:"good_steps"`       // since it changed
	Skipped int     `json:"skipped_steps"`    // of all
	Row     int     `json:"skipped_in_a_row"` // the last ones, without a good one between
}

// ErrSkipped marks a step that was not made, since the gradient overflowed under the
// loss's scale. The training goes on with the next batch.
var ErrSkipped = errors.New("skipped")

// Tensor is one of them.
type Tensor struct {
	Name   string
	Shape  []int64
	Values []float32
}

// Rows gives rows of tokens: Fill writes batch k, which is a function of k alone, to
// ids and labels, both [rows*sequence].
type Rows interface {
	Fill(k int, ids, labels []int64) error
}

// NoLabel is the label of a token that does not count.
const NoLabel = -100

// Options say how a model is trained. Zero values are the defaults that are named.
type Options struct {
	Model Model
	Train Rows
	// Dev is what the loss is watched on: its batches 0 to DevBatches-1, the same every
	// time. nil: none, and the last step's parameters are the result.
	Dev        Rows
	DevBatches int

	Sequence int // tokens of a row
	Rows     int // of a pass through the model
	Passes   int // of a step: Rows*Passes rows are its batch; 0: 1
	Schedule Schedule

	// EvalEvery is the steps between two looks at Dev, with one before the first step and
	// one after the last. 0: those two.
	EvalEvery int
	// Patience is how many looks in a row may find no loss lower than the lowest before
	// the training ends. 0: any number.
	Patience int

	// Dir is the folder of log and checkpoints.
	Dir string
	// CheckpointEvery is the steps between two checkpoints, besides those of the lowest
	// loss on Dev so far and of the end. 0: those.
	CheckpointEvery int
	Keep            int // newest checkpoints that stay, besides the best; 0: 2
	// Of names what the training is of, such as the model and the text. A checkpoint of
	// anything else is no checkpoint of this training.
	Of map[string]string
	// Resume goes on from Dir's newest whole checkpoint, or starts where there is none
	// yet. Without it, a Dir with a training in it is refused.
	Resume bool

	Now     func() time.Time // the clock; nil: no time is told
	Observe func(Event)      // told what happens; nil: nobody
}

func (o Options) withDefaults() Options {
	if o.Passes == 0 {
		o.Passes = 1
	}
	if o.Keep == 0 {
		o.Keep = 2
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Time{} }
	}
	if o.Observe == nil {
		o.Observe = func(Event) {}
	}
	return o
}

// Validate reports the first option that cannot be followed.
func (o Options) Validate() error {
	switch {
	case o.Model == nil || o.Train == nil:
		return errors.New("train: no model or no rows")
	case o.Dir == "":
		return errors.New("train: no folder for log and checkpoints")
	case o.Sequence < 1 || o.Rows < 1 || o.Passes < 0:
		return fmt.Errorf("train: steps of %d passes of %d rows of %d tokens: want one of each at least", o.Passes, o.Rows, o.Sequence)
	case o.Dev != nil && o.DevBatches < 1:
		return fmt.Errorf("train: a development set of %d batches: want one at least", o.DevBatches)
	case o.EvalEvery < 0 || o.Patience < 0 || o.CheckpointEvery < 0 || o.Keep < 0:
		return fmt.Errorf("train: eval every %d, patience %d, checkpoint every %d, keep %d: want 0 or more", o.EvalEvery, o.Patience, o.CheckpointEvery, o.Keep)
	case o.Patience > 0 && o.Dev == nil:
		return errors.New("train: patience without a development set: there is no loss to wait for")
	}
	return o.Schedule.Validate()
}

// Position is where a training stands between two steps.
type Position struct {
	Step    int     `json:"step"`    // steps made, or skipped
	Tokens  int64   `json:"tokens"`  // that counted, of all steps
	Seconds float64 `json:"seconds"` // that all of it took

	Looked   int     `json:"looked"` // the last step that Dev was looked at after; -1: none
	DevLoss  float64 `json:"dev_loss"`
	BestStep int     `json:"best_step"` // of the lowest loss on Dev, from step 1 on; 0: none yet
	BestLoss float64 `json:"best_loss"`
	Stale    int     `json:"stale"` // looks since

	Scaling Scaling `json:"scaling,omitzero"` // zero where the loss is not scaled

	LogBytes int64 `json:"log_bytes"`
}

// Ending is why a training ended.
type Ending string

// The endings.
const (
	Finished     Ending = "finished"      // all steps were made
	StoppedEarly Ending = "stopped early" // Patience was over
	Interrupted  Ending = "interrupted"   // ctx was cancelled; it can be resumed
)

// Result is how a training ended. Unless it was interrupted, the model's parameters
// are those of step Of: the best on Dev, or the last.
type Result struct {
	Ending Ending
	Position
	Of int
}

// Event is something that happened: one of its fields is set.
type Event struct {
	Resumed    *Position
	Logged     *Entry
	Checkpoint string // the folder of one that was written
	Warning    error
}

// ErrDiverged marks a training whose loss or gradient is no finite number.
var ErrDiverged = errors.New("not finite")
