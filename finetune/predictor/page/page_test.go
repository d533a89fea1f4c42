package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// echo is a completer that says who it is and what it was asked.
type echo struct {
	name string
	wait chan struct{} // completes when it may; nil: at once
	mu   sync.Mutex
	busy bool
}

func (e *echo) Complete(ctx context.Context, text string) (Completion, error) {
	e.mu.Lock()
	if e.busy {
		panic("asked by two at a time")
	}
	e.busy = true
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.busy = false
		e.mu.Unlock()
	}()
	if e.wait != nil {
		select {
		case <-e.wait:
		case <-ctx.Done():
			return Completion{}, ctx.Err()
		}
	}
	if text == "fail" {
		return Completion{}, errors.New("echo: told to fail")
	}
	return Completion{Suggestion: e.name + " " + text, Latency: 1.5, Read: 1, Kept: 2}, nil
}

func echoes(names ...string) (list []Completer) {
	for _, n := range names {
		list = append(list, &echo{name: n})
	}
	return list
}

func newPage(t testing.TB, o Options) *Page {
	t.Helper()
	if o.Models == nil {
		o.Models = []Model{{"pick", echoes("p")}, {"baseline", echoes("b")}}
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// post asks the page to complete something, as a program does.
func post(h http.Handler, body string, change func(r *http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8085/complete", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const good = `{"session": "0a", "model": 0, "text": "a b"}`

func TestComplete(t *testing.T) {
	h := newPage(t, Options{}).Handler()
	for model, want := range []string{"p a b", "b a b"} {
		w := post(h, fmt.Sprintf(`{"session": "0a", "model": %d, "text": "a b"}`, model), nil)
		var c Completion
		if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s: %v", w.Code, w.Body, err)
		}
		if want := (Completion{Suggestion: want, Latency: 1.5, Read: 1, Kept: 2}); c != want {
			t.Errorf("%+v, want %+v", c, want)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/models", nil))
	if got, want := strings.TrimSpace(w.Body.String()), `{"max_text_bytes":32768,"models":["pick","baseline"]}`; got != want {
		t.Errorf("models: %s, want %s", got, want)
	}
}

// What is wrong with a request is answered, as JSON, with the status that tells it.
func TestRefusals(t *testing.T) {
	var failures []string
	h := newPage(t, Options{MaxText: 100, Host: "box", Failed: func(err error) { failures = append(failures, err.Error()) }}).Handler()
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	for _, c := range []struct {
		name   string
		body   string
		change func(*http.Request)
		status int
		says   string
	}{
		{"good", good, nil, 200, "p a b"},
		{"its own name", good, host("BOX:8085"), 200, "p a b"},
		{"a tunnel", good, host("localhost:9000"), 200, "p a b"},
		{"IPv6", good, host("[::1]:8085"), 200, "p a b"},
		{"without a port", good, host("127.0.0.1"), 200, "p a b"},
		{"its own origin", good, header("Origin", "http://127.0.0.1:8085"), 200, "p a b"},
		{"fetched by itself", good, header("Sec-Fetch-Site", "same-origin"), 200, "p a b"},
		{"a rebound name", good, host("evil.example"), 403, `host \"evil.example\"`},
		{"another address", good, host("192.168.1.7:8085"), 403, "host"},
		{"a name that begins alike", good, host("localhost.evil.example"), 403, "host"},
		{"no host", good, host(""), 403, "host"},
		{"another origin", good, header("Origin", "http://evil.example"), 403, "comes from"},
		{"another port's origin", good, header("Origin", "http://127.0.0.1:9999"), 403, "comes from"},
		{"no origin of its own", good, header("Origin", "null"), 403, "comes from"},
		{"two origins", good, func(r *http.Request) { r.Header["Origin"] = []string{"http://127.0.0.1:8085", "x"} }, 403, "comes from"},
		{"another site", good, header("Sec-Fetch-Site", "cross-site"), 403, "cross-site"},
		{"a form", good, header("Content-Type", "text/plain"), 415, "want application/json"},
		{"no type", good, header("Content-Type", ""), 415, "want application/json"},
		{"compressed", good, header("Content-Encoding", "gzip"), 415, "gzip"},
		{"nothing", ``, nil, 400, "it is empty"},
		{"no JSON", `x`, nil, 400, "invalid character"},
		{"half of it", good[:20], nil, 400, "unexpected EOF"},
		{"more behind it", good + good, nil, 400, "more behind"},
		{"a list", `[]`, nil, 400, "cannot unmarshal"},
		{"a number for a text", `{"session": "0a", "text": 1}`, nil, 400, "cannot unmarshal"},
		{"an unknown field", `{"session": "0a", "txt": ""}`, nil, 400, "unknown field"},
		{"no UTF-8", `{"session": "0a", "text": "` + "\xff" + `"}`, nil, 400, "no UTF-8"},
		{"no session", `{"text": "a"}`, nil, 400, "session"},
		{"another's session", `{"session": "../x", "text": "a"}`, nil, 400, "session"},
		{"no such model", `{"session": "0a", "model": 2, "text": "a"}`, nil, 400, "model 2: want 0 to 1"},
		{"a model below", `{"session": "0a", "model": -1, "text": "a"}`, nil, 400, "model -1"},
		{"a long text", `{"session": "0a", "text": "` + strings.Repeat("a", 101) + `"}`, nil, 413, "text of 101 bytes"},
		{"a long body", strings.Repeat(" ", 1<<20), nil, 413, "more than 1624 bytes"},
		{"a failing model", `{"session": "0a", "text": "fail"}`, nil, 500, "told to fail"},
		{"to read", "", func(r *http.Request) { r.Method = http.MethodGet }, 405, "want POST"},
		{"to preflight", "", func(r *http.Request) { r.Method = http.MethodOptions }, 405, "want POST"},
		{"elsewhere", "", func(r *http.Request) { r.URL.Path = "/etc/passwd" }, 404, "there is no"},
		{"a page's text", "", func(r *http.Request) { r.URL.Path = "/" }, 405, "want GET"},
	} {
		w := post(h, c.body, c.change)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d %s, want %d with %q", c.name, w.Code, w.Body, c.status, c.says)
		}
		checkHeaders(t, w.Result())
		var e struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || (w.Code != http.StatusOK) != (e.Error != "") {
			t.Errorf("%s: %d %s: no JSON with an error: %v", c.name, w.Code, w.Body, err)
		}
	}
	if len(failures) != 1 || !strings.Contains(failures[0], "pick: echo: told to fail") {
		t.Errorf("failures %q", failures)
	}
	// Who follows a link comes from elsewhere, and may.
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8085/", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), "<!doctype html>") {
		t.Errorf("the page: %d", w.Code)
	}
	checkHeaders(t, w.Result())
	// A page for all addresses takes any of them, and no name.
	all := newPage(t, Options{Host: "0.0.0.0", AnyAddress: true}).Handler()
	if w := post(all, good, host("192.168.1.7:8085")); w.Code != http.StatusOK {
		t.Errorf("an address: %d", w.Code)
	}
	if w := post(all, good, host("evil.example")); w.Code != http.StatusForbidden {
		t.Errorf("a name: %d", w.Code)
	}
}

func checkHeaders(t *testing.T, r *http.Response) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": contentPolicy, "Access-Control-Allow-Origin": "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// A session has its own completer while there are enough; then the one that was quiet
// longest gives its own away.
func TestTexts(t *testing.T) {
	all := echoes("1", "2", "3")
	x := newTexts(all)
	got := map[string]Completer{}
	for _, s := range []string{"a", "b", "c"} {
		got[s] = x.of(s)
	}
	if got["a"] == got["b"] || got["b"] == got["c"] || got["a"] == got["c"] {
		t.Fatal("two sessions have one completer")
	}
	for _, s := range []string{"b", "a", "c", "a"} {
		if x.of(s) != got[s] {
			t.Errorf("%s has another one", s)
		}
	}
	if x.of("d") != got["b"] {
		t.Error("d has not the one of b, who was quiet longest")
	}
	if x.of("b") != got["c"] || x.of("a") != got["a"] {
		t.Error("b has not the one of c, or a has lost its own")
	}
	if n := len(x.kept) + len(x.free); n != 3 {
		t.Errorf("%d completers, want 3", n)
	}
}

// One completion runs at a time; as many may wait as are allowed, and not for ever.
func TestTurns(t *testing.T) {
	wait := make(chan struct{})
	slow := &echo{name: "s", wait: wait}
	p := newPage(t, Options{Models: []Model{{"slow", []Completer{slow}}, {"fast", echoes("f")}}, Waiting: 2, Timeout: time.Minute})
	h := p.Handler()
	answers := make(chan int)
	ask := func(model int, ctx context.Context) {
		w := post(h, fmt.Sprintf(`{"session": "0a", "model": %d, "text": "a"}`, model), func(r *http.Request) { *r = *r.WithContext(ctx) })
		answers <- w.Code
	}
	until := func(n int32) {
		for p.waiting.Load() != n {
			time.Sleep(time.Millisecond)
		}
	}
	go ask(0, t.Context())
	until(1)
	left, leave := context.WithCancel(t.Context())
	go ask(1, left)
	until(2)
	w := post(h, good, nil)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "2 at most") {
		t.Errorf("a third: %d %s", w.Code, w.Body)
	}
	leave() // the second has typed on
	<-answers
	until(1)
	close(wait)
	if code := <-answers; code != http.StatusOK {
		t.Errorf("the first: %d", code)
	}
	until(0)

	p = newPage(t, Options{Models: []Model{{"slow", []Completer{&echo{wait: make(chan struct{})}}}}, Timeout: time.Millisecond})
	if w := post(p.Handler(), good, nil); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "longer than 1ms") {
		t.Errorf("without end: %d %s", w.Code, w.Body)
	}
}

func TestNew(t *testing.T) {
	for _, o := range []Options{
		{}, {Models: []Model{{"a", nil}}}, {Models: []Model{{"a", echoes("a")}}, Waiting: -1},
		{Models: []Model{{"a", echoes("a")}, {"b", echoes("b")}, {"c", echoes("c")}}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestListen(t *testing.T) {
	for _, address := range []string{"", "8085", "127.0.0.1", "127.0.0.1:99999", "[::1:0", "127.0.0.1:http:80"} {
		if _, err := Listen(t.Context(), address, true); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{"0.0.0.0:0", "192.0.2.1:0", "[::]:0"} {
		if _, err := Listen(t.Context(), address, false); !errors.Is(err, ErrAddress) || !strings.Contains(err.Error(), "other machines") {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{":0", "127.0.0.1:0", "localhost:0"} {
		ln, err := Listen(t.Context(), address, false)
		if err != nil {
			t.Fatalf("%q: %v", address, err)
		}
		if ip := ln.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
			t.Errorf("%q listens at %v", address, ip)
		}
		if _, err := Listen(t.Context(), ln.Addr().String(), false); !errors.Is(err, ErrAddress) || !strings.Contains(err.Error(), "another program listens there") {
			t.Errorf("%q, a second time: %v", address, err)
		}
		ln.Close()
	}
	ln, err := Listen(t.Context(), "0.0.0.0:0", true)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
}

// serve starts a page; stop ends it and waits.
func serve(t testing.TB, p *Page) (url string, stop func() error) {
	t.Helper()
	ln, err := Listen(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, ln) }()
	once := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { once() })
	return "http://" + ln.Addr().String(), once
}

// A page that is stopped lets what runs end, and its completers are then asked no more.
func TestServeStops(t *testing.T) {
	wait := make(chan struct{})
	p := newPage(t, Options{Models: []Model{{"slow", []Completer{&echo{name: "s", wait: wait}}}}})
	url, stop := serve(t, p)
	got := make(chan string)
	go func() {
		r, err := http.Post(url+"/complete", "application/json", strings.NewReader(good))
		if err != nil {
			got <- err.Error()
			return
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}()
	for p.waiting.Load() != 1 {
		time.Sleep(time.Millisecond)
	}
	go func() {
		time.Sleep(20 * time.Millisecond)
		close(wait)
	}()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if body := <-got; !strings.Contains(body, "s a b") {
		t.Errorf("what ran came to %q", body)
	}
	p.o.Timeout = 10 * time.Millisecond
	if _, err := p.complete(t.Context(), 0, "0a", ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a completer was asked afterwards: %v", err)
	}
}
