package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// noise makes requests that are wrong in many ways; whole is one that is right.
type noise struct{ *rand.Rand }

const whole = "POST /complete HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 42\r\n\r\n" + good

func (n noise) bytes(most int) []byte {
	b := make([]byte, n.IntN(most+1))
	for i := range b {
		b[i] = byte(n.Uint32())
	}
	return b
}

func (n noise) of(list ...string) string { return list[n.IntN(len(list))] }

// body is a JSON text that went wrong.
func (n noise) body() []byte {
	switch n.IntN(6) {
	case 0:
		return n.bytes(200)
	case 1:
		return []byte(good)[:n.IntN(len(good))]
	case 2:
		return bytes.Repeat([]byte(n.of("[", `{"a":`, "[{", `"\u`)), n.IntN(20000))
	case 3:
		return []byte(strings.Replace(good, n.of("0a", "0,", "a b", ":", "{"), string(n.bytes(20)), 1))
	case 4:
		return []byte(n.of("null", "1e999", `{"model": 1e9}`, `{"session": null, "text": null}`, `{"text": "\ud800"}`, "NaN", "{}{}", `{"text":{}}`))
	default:
		return bytes.Repeat([]byte(" "), 200000+n.IntN(100000))
	}
}

// request is the bytes of one that is no request, or not whole, or asks for what is not
// there.
func (n noise) request() []byte {
	head := "POST /complete HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
	var b bytes.Buffer
	switch n.IntN(14) {
	case 0:
		return n.bytes(2000)
	case 1: // some bytes are others
		m := []byte(whole)
		for range 1 + n.IntN(8) {
			m[n.IntN(len(m))] = byte(n.Uint32())
		}
		return m
	case 2:
		return []byte(whole[:n.IntN(len(whole))])
	case 3: // chunks that end early, or whose sizes are none
		fmt.Fprintf(&b, "%sTransfer-Encoding: chunked\r\n\r\n%s\r\n%s", head, n.of("5", "ffffffffffffffff", "-1", "0x10", "", "g", "5;"+strings.Repeat("x", 5000)), n.bytes(8))
	case 4:
		fmt.Fprintf(&b, "%sX-Long: %s\r\n\r\n", head, strings.Repeat("a", 10000+n.IntN(60000)))
	case 5:
		b.WriteString(head)
		for i := range 100 + n.IntN(2000) {
			fmt.Fprintf(&b, "X-%d: %d\r\n", i, n.Uint32())
		}
		b.WriteString("\r\n")
	case 6:
		fmt.Fprintf(&b, "%sContent-Length: %s\r\n\r\n%s", head, n.of("-1", "99999999999999999999", "1000000", "4 2", "0x2a", "+42", "1,2"), good)
	case 7: // two lengths, two bodies
		fmt.Fprintf(&b, "%sContent-Length: 5\r\nTransfer-Encoding: %s\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n", head, n.of("chunked", "identity", "gzip, chunked", "x"))
	case 8:
		fmt.Fprintf(&b, "%s %s %s\r\nHost: %s\r\n\r\n", n.of("GET", "PUT", "DELETE", "CONNECT", "TRACE", "PRI", "get", "", "A\tB"),
			n.of("*", "//", "/../../etc/passwd", "/%00", "/%zz", "http://evil.example/", "/models?"+strings.Repeat("a", 9000), "", "complete"),
			n.of("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "HTTP", "", "SIP/2.0"), n.of("127.0.0.1", "evil.example", "", "a b", "[::1", strings.Repeat("h", 300)))
	case 9:
		return append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), n.bytes(300)...)
	case 10: // somebody speaks TLS
		return append([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, n.bytes(500)...)
	case 11:
		fmt.Fprintf(&b, "%s%s\r\n\r\n", head, n.of("no colon", ": no name", "A: b\r\n folded", "Host: twice", "Expect: 200-ok", "Upgrade: websocket\r\nConnection: upgrade", "Sp ace: x", "N\x00l: x"))
	case 12:
		return bytes.Repeat([]byte(n.of("\r\n", "\x00", "GET ", "\xff")), n.IntN(5000))
	default:
		body := n.body()
		fmt.Fprintf(&b, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
	}
	return b.Bytes()
}

// The server outlives 10,000 malformed requests, and keeps nothing of them.
func TestMalformed(t *testing.T) {
	const at = 8 // at a time
	overTCP, direct := 7000, 3000
	if testing.Short() { // under the race detector
		overTCP, direct = 700, 300
	}
	var panicked atomic.Value
	p := newPage(t, Options{Failed: func(err error) { panicked.Store(err) }})
	p.headerTime, p.readTime, p.connections = time.Second, time.Second, overTCP // see maxConnections
	url, stop := serve(t, p)
	address := strings.TrimPrefix(url, "http://")
	goroutines, heap := settled()

	var wg sync.WaitGroup
	statuses := [600]atomic.Int32{}
	for worker := range at {
		wg.Go(func() {
			n := noise{rand.New(rand.NewPCG(1, uint64(worker)))}
			for range overTCP / at {
				status, body, err := exchange(address, n.request())
				if err != nil {
					t.Error(err)
					return
				}
				statuses[status].Add(1)
				checkAnswer(t, status, body)
			}
			h := p.Handler()
			for range direct / at {
				r := httptest.NewRequest(n.of("GET", "POST", "PATCH", "HEAD", "OPTIONS"), "/", bytes.NewReader(n.body()))
				r.Host = n.of("127.0.0.1", "localhost", string(n.bytes(20)))
				r.URL.Path = n.of("/", "/complete", "/complete", "/models", "/"+string(n.bytes(30)))
				for range n.IntN(6) {
					r.Header.Add(n.of("Origin", "Content-Type", "Content-Type", "Sec-Fetch-Site", "Content-Encoding", string(n.bytes(5))),
						n.of("application/json", "application/json; charset=utf-8", "http://127.0.0.1", "null", string(n.bytes(50))))
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				statuses[w.Code].Add(1)
				checkAnswer(t, w.Code, w.Body.Bytes())
			}
		})
	}
	wg.Wait()

	r, err := http.Post(url+"/complete", "application/json", strings.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusOK || !strings.Contains(string(body), "p a b") {
		t.Errorf("afterwards: %d %s: %v", r.StatusCode, body, err)
	}
	r.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err := panicked.Load(); err != nil {
		t.Errorf("it failed: %v", err)
	}
	// Connections close in their own time; a few may be on their way.
	after, heapAfter := settled()
	for late := time.Now().Add(5 * time.Second); after > goroutines+5 && time.Now().Before(late); after, heapAfter = settled() {
		time.Sleep(20 * time.Millisecond)
	}
	if after > goroutines+5 {
		t.Errorf("%d goroutines, and %d before", after, goroutines)
	}
	if heapAfter > heap+8<<20 { // the requests together had hundreds
		t.Errorf("%d bytes of memory, and %d before", heapAfter, heap)
	}
	if n := p.waiting.Load(); n != 0 {
		t.Errorf("%d completions wait", n)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	said := ""
	for code := range statuses {
		if n := statuses[code].Load(); n > 0 {
			said += fmt.Sprintf(" %d: %d", code, n)
		}
	}
	t.Logf("answers:%s", said)
	few := int32(overTCP / 140)
	if statuses[http.StatusBadRequest].Load() < 20*few || statuses[http.StatusForbidden].Load() < 2*few || statuses[http.StatusRequestEntityTooLarge].Load() < few {
		t.Error("few of the requests came as far as they were meant to")
	}
}

func settled() (goroutines int, heap uint64) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}

// exchange sends bytes and no more, and reads the first answer; status 0: there was none.
func exchange(address string, b []byte) (status int, body []byte, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 0, nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Write(b); err != nil {
		return 0, nil, nil // it has hung up already
	}
	c.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(io.LimitReader(c, 1<<20))
	if e, ok := err.(net.Error); ok && e.Timeout() {
		return 0, nil, fmt.Errorf("no answer to %.200q", b)
	}
	head, body, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	if fmt.Sscanf(string(head), "HTTP/1.1 %d", &status); status < 0 || status >= 600 {
		return 0, nil, fmt.Errorf("an answer of %q", head)
	}
	return status, body, nil
}

// checkAnswer holds an answer to be none that a server gives that is in trouble. Below 400
// are those to what was right after all; errors of ours are JSON, those of net/http text.
func checkAnswer(t *testing.T, status int, body []byte) {
	t.Helper()
	if status >= 500 && status != http.StatusHTTPVersionNotSupported && status != http.StatusNotImplemented {
		t.Errorf("%d %.200s", status, body)
	}
	if status >= 400 && bytes.HasPrefix(body, []byte("{")) {
		var e struct{ Error string }
		first, _, _ := bytes.Cut(body, []byte("\n")) // what follows answers a second request
		if err := json.Unmarshal(first, &e); err != nil || e.Error == "" {
			t.Errorf("%d %.200s: %v", status, body, err)
		}
	}
}

// Who begins requests and never ends them holds places, and loses them in time.
func TestSlowClients(t *testing.T) {
	p := newPage(t, Options{})
	p.headerTime, p.readTime = 200*time.Millisecond, 400*time.Millisecond
	url, _ := serve(t, p)
	for i := range 2 * maxConnections {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, []string{"GET / HT", whole[:len(whole)-5]}[i%2])
	}
	client := &http.Client{Timeout: 20 * time.Second}
	r, err := client.Get(url + "/models")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	client.CloseIdleConnections()
}

// No body and no headers make the page fail.
func FuzzComplete(f *testing.F) {
	f.Add([]byte(good), "application/json", "127.0.0.1:8085", "http://127.0.0.1:8085")
	f.Add([]byte(`{"session": "0a", "model": -1, "text": "\ud800"}`), "application/json; charset=utf-8", "[::1]:80", "null")
	f.Add([]byte("{}{}"), "text/plain", "evil.example", "")
	h := newPage(f, Options{MaxText: 200}).Handler()
	f.Fuzz(func(t *testing.T, body []byte, kind, host, origin string) {
		w := post(h, string(body), func(r *http.Request) {
			r.Host = host
			r.Header.Set("Content-Type", kind)
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
		})
		var e struct {
			Error      string
			Suggestion string
		}
		err := json.Unmarshal(w.Body.Bytes(), &e)
		if err != nil || w.Code >= 500 || (w.Code == http.StatusOK) == (e.Error != "") {
			t.Errorf("%d %s: %v", w.Code, w.Body, err)
		}
	})
}
