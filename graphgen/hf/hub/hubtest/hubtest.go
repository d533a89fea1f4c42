// Package hubtest is a hub for tests: it serves one model's files over HTTP as the real
// one does, small ones at once and large ones by a redirect to their store.
package hubtest

import (
	"crypto/sha1" //nolint:gosec // what git names its objects by
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Commit is that of everything a Hub serves.
const Commit = "0123456789abcdef0123456789abcdef01234567"

// Hub serves a model. Once it has served, its fields are changed and read by Do.
type Hub struct {
	mu     sync.Mutex
	ID     string
	Files  map[string][]byte
	Commit string
	Token  string // that is asked for; "" for a public model
	// Large is from how many bytes on a file is kept in the store.
	Large int
	// Breaks and Spoils are files whose transfer ends half way, and whose content changes
	// on the way.
	Breaks, Spoils string
	// ETag, if not "", is what every file's content is called.
	ETag string

	Fetched []string // files that were sent, in order
	server  *httptest.Server
}

// New starts a hub, until the test ends.
func New(t testing.TB, id string, files map[string][]byte) *Hub {
	h := Start(id, files)
	t.Cleanup(h.Close)
	return h
}

// Start starts a hub, until it is closed.
func Start(id string, files map[string][]byte) *Hub {
	h := &Hub{ID: id, Files: files, Commit: Commit, Large: 1 << 10}
	h.server = httptest.NewServer(h)
	return h
}

// Do does something between requests.
func (h *Hub) Do(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// URL is its endpoint.
func (h *Hub) URL() string { return h.server.URL }

// Close ends it.
func (h *Hub) Close() { h.server.Close() }

// ServeHTTP implements http.Handler.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if name, ok := strings.CutPrefix(r.URL.Path, "/store/"); ok {
		w.Header().Set("ETag", fmt.Sprintf("%q", "store-"+sum256(h.Files[name])[:16]))
		h.send(w, r, name)
		return
	}
	if h.Token != "" && r.Header.Get("Authorization") != "Bearer "+h.Token {
		http.Error(w, "a token is needed", http.StatusUnauthorized)
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/api/models/"+h.ID+"/revision/"); ok && (rest == "main" || rest == h.Commit) {
		h.info(w)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/"+h.ID+"/resolve/"+h.Commit+"/")
	data, has := h.Files[name]
	if !ok || !has {
		http.NotFound(w, r)
		return
	}
	if len(data) >= h.Large {
		w.Header().Set("X-Linked-Etag", fmt.Sprintf("%q", sum256(data)))
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(data)))
		http.Redirect(w, r, "/store/"+name, http.StatusFound)
		return
	}
	git := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(data), data)) //nolint:gosec // as above
	etag := hex.EncodeToString(git[:])
	if h.ETag != "" {
		etag = h.ETag
	}
	w.Header().Set("ETag", fmt.Sprintf("%q", etag))
	h.send(w, r, name)
}

func (h *Hub) info(w http.ResponseWriter) {
	type sibling struct {
		Name string `json:"rfilename"`
	}
	var siblings []sibling
	for name := range h.Files {
		siblings = append(siblings, sibling{name})
	}
	slices.SortFunc(siblings, func(a, b sibling) int { return strings.Compare(a.Name, b.Name) })
	json.NewEncoder(w).Encode(map[string]any{"id": h.ID, "sha": h.Commit, "siblings": siblings}) //nolint:errcheck // the client sees it
}

func (h *Hub) send(w http.ResponseWriter, r *http.Request, name string) {
	data := h.Files[name]
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	if r.Method == http.MethodHead {
		return
	}
	h.Fetched = append(h.Fetched, name)
	switch name {
	case h.Breaks:
		w.Write(data[:len(data)/2])           //nolint:errcheck // it is to break
		http.NewResponseController(w).Flush() //nolint:errcheck // as above
		panic(http.ErrAbortHandler)
	case h.Spoils:
		data = slices.Clone(data)
		data[len(data)/2] ^= 1
	}
	w.Write(data) //nolint:errcheck // the client sees it
}

func sum256(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
