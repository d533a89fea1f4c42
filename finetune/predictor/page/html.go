package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strings"
)

// html is the whole page: its style and its script are in it, and it loads nothing.
//
//go:embed page.html
var html string

// contentPolicy lets the page have its own style and script, by their hashes, and talk to
// where it came from; nothing else.
var contentPolicy = "default-src 'none'; style-src " + hashOf("style") + "; script-src " + hashOf("script") +
	"; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// hashOf is the policy's source of what the page has between the tags of that name.
func hashOf(tag string) string {
	_, rest, _ := strings.Cut(html, "<"+tag+">")
	inside, _, _ := strings.Cut(rest, "</"+tag+">")
	sum := sha256.Sum256([]byte(inside))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func (p *Page) serveHTML(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write([]byte(html)) // who does not read it any more has gone
}
