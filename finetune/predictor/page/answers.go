package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"unicode/utf8"
)

// request is what the page sends to have a text completed.
type request struct {
	Session string `json:"session"` // names a window, so that its cache is kept
	Model   int    `json:"model"`   // by its number in /models
	Text    string `json:"text"`
}

// sessionName is what a session may be called: hexadecimal digits, as the page makes them.
var sessionName = regexp.MustCompile(`^[0-9a-f]{1,64}$`)

// serveComplete answers with a Completion.
func (p *Page) serveComplete(w http.ResponseWriter, r *http.Request) {
	req, status, err := p.readRequest(w, r)
	if err != nil {
		fail(w, status, err)
		return
	}
	c, err := p.complete(r.Context(), req.Model, req.Session, req.Text)
	switch {
	case err == nil:
		answer(w, http.StatusOK, c)
	case r.Context().Err() != nil: // nobody waits for it any more
	case errors.Is(err, errBusy):
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, fmt.Errorf("%w: %d at most; ask again in a moment", err, p.o.Waiting))
	case errors.Is(err, context.DeadlineExceeded):
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, fmt.Errorf("page: the completion took longer than %v", p.o.Timeout))
	default:
		p.o.Failed(fmt.Errorf("page: %s: %w", p.o.Models[req.Model].Name, err))
		fail(w, http.StatusInternalServerError, err)
	}
}

// readRequest reads what is asked, and says what is wrong with it.
func (p *Page) readRequest(w http.ResponseWriter, r *http.Request) (req request, status int, err error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return req, http.StatusUnsupportedMediaType, fmt.Errorf("page: a body of type %.80q: want application/json", r.Header.Get("Content-Type"))
	}
	if r.Header.Get("Content-Encoding") != "" {
		return req, http.StatusUnsupportedMediaType, fmt.Errorf("page: a body in the encoding %.80q: want none", r.Header.Get("Content-Encoding"))
	}
	// In JSON a byte of text may take six.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(6*p.o.MaxText+1024)))
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		return req, http.StatusRequestEntityTooLarge, fmt.Errorf("page: a body of more than %d bytes: %d of text are the most", tooLong.Limit, p.o.MaxText)
	}
	if err != nil {
		return req, http.StatusBadRequest, fmt.Errorf("page: the body: %w", err)
	}
	if !utf8.Valid(body) {
		return req, http.StatusBadRequest, errors.New("page: the body is no UTF-8")
	}
	if err := decode(body, &req); err != nil {
		return req, http.StatusBadRequest, fmt.Errorf(`page: the body: %w; want {"session": "0a1b", "model": 0, "text": "..."}`, err)
	}
	switch {
	case !sessionName.MatchString(req.Session):
		return req, http.StatusBadRequest, fmt.Errorf("page: session %.80q: want 1 to 64 of 0-9a-f", req.Session)
	case req.Model < 0 || req.Model >= len(p.models):
		return req, http.StatusBadRequest, fmt.Errorf("page: model %d: want 0 to %d", req.Model, len(p.models)-1)
	case len(req.Text) > p.o.MaxText:
		return req, http.StatusRequestEntityTooLarge, fmt.Errorf("page: a text of %d bytes: want %d at most", len(req.Text), p.o.MaxText)
	}
	return req, 0, nil
}

func (p *Page) serveModels(w http.ResponseWriter, _ *http.Request) {
	names := make([]string, len(p.o.Models))
	for i, m := range p.o.Models {
		names[i] = m.Name
	}
	answer(w, http.StatusOK, map[string]any{"models": names, "max_text_bytes": p.o.MaxText})
}

// fail answers with an error.
func fail(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"error": err.Error()})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // who does not read it any more has gone
}
