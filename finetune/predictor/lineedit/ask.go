package lineedit

import "context"

// asker asks for suggestions, one at a time, beside whoever types.
type asker struct {
	ctx     context.Context
	texts   chan question // the newest that waits
	answers chan answer
	stop    context.CancelFunc // ends what is under way
	done    chan struct{}      // is closed when nothing is
}

type question struct {
	ctx  context.Context
	text string
}

type answer struct {
	text string
	s    Suggestion
	err  error
}

func newAsker(ctx context.Context, suggest func(context.Context, string) (Suggestion, error)) *asker {
	a := &asker{ctx: ctx, texts: make(chan question, 1), answers: make(chan answer), stop: func() {}, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		for {
			select {
			case <-ctx.Done():
				return
			case q := <-a.texts:
				s, err := suggest(q.ctx, q.text)
				if q.ctx.Err() != nil {
					continue // it was given up
				}
				select {
				case a.answers <- answer{q.text, s, err}:
				case <-q.ctx.Done():
				}
			}
		}
	}()
	return a
}

// ask asks about a text, and gives up what was asked before.
func (a *asker) ask(text string) {
	a.drop()
	ctx, stop := context.WithCancel(a.ctx)
	a.stop = stop
	a.texts <- question{ctx, text} // drop has made room
}

// drop gives up what was asked.
func (a *asker) drop() {
	a.stop()
	select {
	case <-a.texts:
	default:
	}
}
