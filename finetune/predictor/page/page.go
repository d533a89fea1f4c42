// Package page serves a page with a text box that models complete while somebody types in
// it, a baseline beside a pick, each with the time that it took: so that the difference is
// felt and not only read.
//
// What completes is a Completer, which whoever starts the page has made; the package runs
// no model and knows no tokens. It is a small server for one machine, closed to everything
// that is not the page itself: it checks whom a request was meant for and where it comes
// from, bounds what it reads, how much waits and for how long, and answers what is
// malformed with an error in JSON. Many users, encryption and passwords are not its
// business: who wants these puts it behind something that has them.
//
// One completion runs at a time, whoever asks: its time would otherwise be that of two.
// A typing session keeps a Completer of its own, and with it what the model has read
// (see texts), as long as no more sessions are active than there are Completers.
package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Completion is what a model says to a text.
type Completion struct {
	Suggestion string   `json:"suggestion"`          // "": nothing
	Why        string   `json:"why_nothing"`         // is suggested; "" where something is
	Score      *float64 `json:"first_word_log_prob"` // nil where no word was found
	Latency    float64  `json:"latency_ms"`
	Read       int      `json:"read_tokens"`      // of the text, that were computed now
	Kept       int      `json:"kept_tokens"`      // of the text, that were in the cache
	Generated  int      `json:"generated_tokens"` // by runs of the model
	Cut        int      `json:"cut_chars"`        // of the text's beginning, for want of room
	Invalid    int      `json:"invalid_bytes"`    // of the text: no UTF-8
}

// Completer completes a text that is being typed. It is asked by one goroutine at a time.
type Completer interface {
	Complete(ctx context.Context, text string) (Completion, error)
}

// Model is a model of the page.
type Model struct {
	Name string
	// Completers are as many as texts are kept for at once, at least one.
	Completers []Completer
}

// Options say what a page has. Zeros are the defaults.
type Options struct {
	Models []Model // one, or a pick and its baseline
	// Host is the name or address that the page was told to listen at; requests may name
	// it, beside the loopback's names. "": none but these.
	Host string
	// AnyAddress lets requests name any IP address, for a page that listens at all of the
	// machine's. Names of others stay refused: a foreign page's name may have been made to
	// lead here (DNS rebinding), an address cannot be.
	AnyAddress bool
	MaxText    int             // bytes; 0: 32 KiB
	Waiting    int             // completions that run or wait, at most; 0: 16
	Timeout    time.Duration   // of a completion with its waiting; 0: 30 s
	Failed     func(err error) // is told of what fails in the server; nil: nobody is
}

// Defaults of Options: a text of 32 KiB is longer than any model here reads, and sixteen
// are more than one person's keystrokes can have waiting.
const (
	defaultMaxText = 32 << 10
	defaultWaiting = 16
	defaultTimeout = 30 * time.Second
)

// Page is a page that can be served.
type Page struct {
	o       Options
	models  []texts
	running chan struct{} // holds a token while a completion runs, which owns models
	waiting atomic.Int32

	// Others in tests.
	headerTime, readTime time.Duration
	connections          int
}

// New makes a page.
func New(o Options) (*Page, error) {
	if n := len(o.Models); n < 1 || n > 2 {
		return nil, fmt.Errorf("page: %d models: want one, or a pick and its baseline", n)
	}
	if o.MaxText == 0 {
		o.MaxText = defaultMaxText
	}
	if o.Waiting == 0 {
		o.Waiting = defaultWaiting
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxText < 0 || o.Waiting < 0 || o.Timeout < 0 {
		return nil, fmt.Errorf("page: texts of %d bytes, %d completions, %v: want more than 0", o.MaxText, o.Waiting, o.Timeout)
	}
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
	p := &Page{o: o, running: make(chan struct{}, 1), headerTime: headerTime, readTime: readTime, connections: maxConnections}
	for _, m := range o.Models {
		if len(m.Completers) == 0 {
			return nil, fmt.Errorf("page: %s has no completer: want one or more", m.Name)
		}
		p.models = append(p.models, newTexts(m.Completers))
	}
	return p, nil
}

var errBusy = errors.New("page: too many completions wait")

// complete runs a completion when its turn comes.
func (p *Page) complete(ctx context.Context, model int, session, text string) (Completion, error) {
	defer p.waiting.Add(-1)
	if int(p.waiting.Add(1)) > p.o.Waiting {
		return Completion{}, errBusy
	}
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	select {
	case p.running <- struct{}{}:
		defer func() { <-p.running }()
	case <-ctx.Done():
		return Completion{}, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return Completion{}, err
	}
	return p.models[model].of(session).Complete(ctx, text)
}

// Handler answers the page's requests.
func (p *Page) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", p.serveOther)
	mux.HandleFunc("/{$}", p.only(http.MethodGet, p.serveHTML))
	mux.HandleFunc("/models", p.only(http.MethodGet, p.serveModels))
	mux.HandleFunc("/complete", p.only(http.MethodPost, p.serveComplete))
	return p.guard(mux)
}
