package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"
)

// loop is a training under way.
type loop struct {
	Options
	pos         Position
	log         *log
	checkpoints checkpoints
	saved       int // step of the newest checkpoint; -1: none
	tried       int // step after which the last was to be written
	unsaved     error
	unpruned    bool      // there may be more checkpoints than are kept
	began       time.Time // less the seconds of before it was resumed
	ids, labels []int64   // of a step's batch
	scaling     *Scaling  // the model's; nil: none
}

// Run trains until the schedule's last step, until patience is over, or until ctx is
// cancelled: then the step under way is the last, a checkpoint is written, and the
// result is Interrupted and no error.
//
// A loss or gradient that is not finite ends it with ErrDiverged; the last checkpoint whose
// parameters made a step stays the newest. A checkpoint or a line of the log that cannot be written is a warning, and
// tried again with the next; it is an error where there is no next.
func Run(ctx context.Context, o Options) (_ *Result, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	l := &loop{Options: o.withDefaults(), pos: Position{Looked: -1}, saved: -1}
	l.checkpoints = checkpoints{filepath.Join(o.Dir, CheckpointsDir), o.Of}
	if l.scaling = o.Model.State().Scaling; l.scaling != nil {
		l.pos.Scaling = *l.scaling
	}
	if err := l.begin(); err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := l.log.close(); err == nil {
			err = closeErr
		}
	}()
	ending, err := l.run(ctx)
	if err != nil {
		return nil, err
	}
	if l.pos.Step != max(l.saved, l.tried) {
		l.save()
	}
	if l.unsaved != nil {
		return nil, l.unsaved
	}
	l.prune()
	res := &Result{Ending: ending, Position: l.pos, Of: l.pos.Step}
	if ending != Interrupted {
		res.Of, err = l.takeBest()
	}
	return res, err
}

// takeBest makes the model's parameters those of the lowest loss on Dev, if its
// checkpoint is whole, and returns the step that they are of.
func (l *loop) takeBest() (step int, err error) {
	s, best := l.Model.State(), l.pos.BestStep
	if best == 0 || best == l.pos.Step {
		return l.pos.Step, nil
	}
	_, err = l.checkpoints.read(best, s, s.parts()[:1])
	if errors.Is(err, ErrDamaged) {
		l.warn(fmt.Errorf("%w: it was the best; the last is taken", err))
		best = l.pos.Step
		_, err = l.checkpoints.read(best, s, s.parts()[:1])
	}
	return best, err
}

// begin opens log and checkpoints, where they were left or anew.
func (l *loop) begin() error {
	steps, err := l.checkpoints.list()
	if err != nil {
		return err
	}
	path := filepath.Join(l.Dir, LogFile)
	switch {
	case l.Resume:
		if err := l.checkpoints.sweep(); err != nil {
			return fmt.Errorf("train: %w", err)
		}
		p, found, err := l.checkpoints.newest(l.Model.State(), l.warn)
		if err != nil {
			return err
		}
		if found {
			if err := l.rescale(p); err != nil {
				return err
			}
			l.pos, l.saved = p, p.Step
			l.Model.Stepped(p.Step - p.Scaling.Skipped)
			if err := l.checkpoints.after(p.Step); err != nil {
				return fmt.Errorf("train: %w", err)
			}
			l.Observe(Event{Resumed: &p})
		}
	case len(steps) > 0:
		return fmt.Errorf("train: %s has a training, %d steps of it: resume it, or choose another folder", l.Dir, steps[0])
	}
	l.began = l.Now().Add(-time.Duration(l.pos.Seconds * float64(time.Second)))
	l.ids = make([]int64, l.Passes*l.Rows*l.Sequence)
	l.labels = make([]int64, len(l.ids))
	if l.log, err = openLog(path, l.pos.LogBytes); err == nil && l.log.lost != nil {
		l.warn(l.log.lost)
	}
	return err
}

// rescale gives the model the scale of a position that is gone back to.
func (l *loop) rescale(p Position) error {
	if (l.scaling == nil) != (p.Scaling == Scaling{}) {
		return fmt.Errorf("train: %s: the checkpoint after step %d: %w: of the one's losses and the other's one is scaled", l.checkpoints.dir, p.Step, ErrOther)
	}
	if l.scaling != nil {
		*l.scaling = p.Scaling
	}
	return nil
}

// run steps until something ends it. What is due at a position is done before the
// next step, so that a training that stopped between the two takes it up there.
func (l *loop) run(ctx context.Context) (Ending, error) {
	for {
		if l.lookDue() && ctx.Err() == nil {
			if err := l.look(ctx); err != nil && !errors.Is(err, context.Canceled) {
				return "", err
			}
		}
		p, every := &l.pos, l.CheckpointEvery
		best := p.BestStep == p.Step && p.Looked == p.Step
		if p.Step > l.saved && p.Step > 0 && (best || every > 0 && p.Step%every == 0) {
			l.save()
		}
		switch {
		case ctx.Err() != nil:
			return Interrupted, nil
		case l.Patience > 0 && p.Stale >= l.Patience:
			return StoppedEarly, nil
		case p.Step >= l.Schedule.Steps:
			return Finished, nil
		}
		if err := l.step(); err != nil {
			return "", err
		}
	}
}

// step makes a step with the batch that is its own.
func (l *loop) step() error {
	step := l.pos.Step + 1
	pass := l.Rows * l.Sequence
	counted := 0
	for i := range l.Passes {
		ids, labels := l.ids[i*pass:(i+1)*pass], l.labels[i*pass:(i+1)*pass]
		if err := l.Train.Fill(l.pos.Step*l.Passes+i, ids, labels); err != nil {
			return fmt.Errorf("train: rows of step %d: %w", step, err)
		}
		for _, label := range labels {
			if label != NoLabel {
				counted++
			}
		}
	}
	if counted == 0 {
		return fmt.Errorf("train: step %d: no token of its %d rows counts: larger batches or longer rows have some", step, l.Passes*l.Rows)
	}
	var sum float64
	for i := range l.Passes {
		s, _, err := l.Model.Accumulate(l.ids[i*pass:(i+1)*pass], l.labels[i*pass:(i+1)*pass], float32(1/float64(counted)))
		if err != nil {
			return fmt.Errorf("train: step %d: %w", step, err)
		}
		sum += s
	}
	loss, e := sum/float64(counted), Entry{LR: l.Schedule.At(step), LossScale: l.pos.Scaling.Scale}
	if !finite(loss) && l.scaling == nil {
		return l.diverged(step, "loss", loss)
	}
	norm, err := l.Model.Apply(e.LR)
	switch e.Skipped = errors.Is(err, ErrSkipped); {
	case e.Skipped:
	case err != nil:
		return fmt.Errorf("train: step %d: %w", step, err)
	case !finite(norm):
		return l.diverged(step, "norm of the gradient", norm)
	default:
		e.GradNorm = norm
	}
	if finite(loss) {
		e.Loss = &loss
	}
	l.pos.Step, l.pos.Tokens = step, l.pos.Tokens+int64(counted)
	if l.scaling != nil {
		l.pos.Scaling = *l.scaling
	}
	if !e.Skipped {
		l.prune()
	}
	l.record(e)
	return nil
}

func (l *loop) lookDue() bool {
	p := &l.pos
	return l.Dev != nil && p.Looked < p.Step && (p.Step == 0 || p.Step >= l.Schedule.Steps || l.EvalEvery > 0 && p.Step%l.EvalEvery == 0)
}

// look finds the loss on the development set. One that ctx cut short has not been.
func (l *loop) look(ctx context.Context) error {
	ids, labels := l.ids[:l.Rows*l.Sequence], l.labels[:l.Rows*l.Sequence]
	var sum float64
	counted := 0
	for k := range l.DevBatches {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.Dev.Fill(k, ids, labels); err != nil {
			return fmt.Errorf("train: rows of the development set: %w", err)
		}
		s, n, err := l.Model.Loss(ids, labels)
		if err != nil {
			return fmt.Errorf("train: development set after step %d: %w", l.pos.Step, err)
		}
		sum, counted = sum+s, counted+n
	}
	if counted == 0 {
		return fmt.Errorf("train: no token of the development set's %d batches counts", l.DevBatches)
	}
	p, loss := &l.pos, sum/float64(counted)
	if !finite(loss) {
		return l.diverged(p.Step, "loss on the development set", loss)
	}
	p.Looked, p.DevLoss = p.Step, loss
	switch {
	case p.Step == 0: // of what was there before
	case p.BestStep == 0 || loss < p.BestLoss:
		p.BestStep, p.BestLoss, p.Stale = p.Step, loss, 0
	default:
		p.Stale++
	}
	l.record(Entry{DevLoss: &loss, DevTokens: counted})
	return nil
}

// record logs what happened at the position.
func (l *loop) record(e Entry) {
	l.pos.Seconds = l.Now().Sub(l.began).Seconds()
	e.Step, e.Tokens, e.Seconds = l.pos.Step, l.pos.Tokens, l.pos.Seconds
	if err := l.log.add(e); err != nil {
		l.warn(fmt.Errorf("%w; it is tried again", err))
	}
	l.Observe(Event{Logged: &e})
}

// save writes a checkpoint.
func (l *loop) save() {
	l.tried = l.pos.Step
	l.unsaved = func() (err error) {
		if l.pos.LogBytes, err = l.log.sync(); err != nil {
			return fmt.Errorf("train: checkpoint after step %d: %w", l.pos.Step, err)
		}
		dir, err := l.checkpoints.write(l.Model.State(), l.pos, l.Schedule)
		if err != nil {
			return err
		}
		l.saved, l.unpruned = l.pos.Step, true
		l.Observe(Event{Checkpoint: dir})
		return nil
	}()
	if l.unsaved != nil {
		l.unsaved = fmt.Errorf("%w; %s", l.unsaved, l.kept())
		l.warn(l.unsaved)
	}
}

// kept says where a training that ends now can be taken up.
func (l *loop) kept() string {
	if l.saved < 0 {
		return "there is no checkpoint yet"
	}
	return fmt.Sprintf("the last good checkpoint is %s", filepath.Join(l.checkpoints.dir, name(l.saved)))
}

// prune removes the checkpoints that are no longer kept, when a step with the newest one's
// parameters has shown that these are good: until then, the one before may be needed.
func (l *loop) prune() {
	if !l.unpruned {
		return
	}
	l.unpruned = false
	if err := l.checkpoints.prune(l.Keep, l.pos.BestStep); err != nil {
		l.warn(fmt.Errorf("train: old checkpoints: %w", err))
	}
}

// diverged is the end of a training of which a number is not finite. A checkpoint of the
// parameters that it came of is no place to go on from: it is put aside.
func (l *loop) diverged(step int, what string, v float64) error {
	var aside []string
	for l.saved >= 0 && l.saved >= l.pos.Step-l.pos.Scaling.Row { // steps that were skipped changed none
		dir, err := l.checkpoints.setAside(l.saved)
		if err != nil {
			l.warn(fmt.Errorf("train: the checkpoint after step %d is of no use: %w", l.saved, err))
			break
		}
		aside = append(aside, fmt.Sprintf("the checkpoint after step %d, from which it came, is now %s; ", l.saved, dir))
		l.saved = -1
		if steps, err := l.checkpoints.list(); err == nil && len(steps) > 0 {
			l.saved = steps[0]
		}
	}
	if n := len(aside); n > 1 {
		aside = append(aside[:1:1], fmt.Sprintf("so are %d before it, of the same parameters; ", n-1))
	}
	advice := "A lower learning rate, a longer warm-up or stronger clipping may keep it finite"
	if l.scaling != nil {
		advice += ", unless it is what the model computes that passes the range of 16-bit floats: bf16 and fp32 have more"
		if n := l.pos.Scaling.Row; n > 0 {
			advice = fmt.Sprintf("The %d steps before it were skipped, to scale the loss less and less. %s", n, advice)
		}
	}
	return fmt.Errorf("train: step %d: the %s is %v: %w; %s%s. %s", step, what, v, ErrDiverged, strings.Join(aside, ""), l.kept(), advice)
}

func (l *loop) warn(err error) { l.Observe(Event{Warning: err}) }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
