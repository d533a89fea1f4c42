package page

import (
	"fmt"
	"net"
	"net/http"
	"strings"
)

// guard lets only requests through that are meant for this page and come from it.
//
// A page elsewhere can make a browser send requests here. It cannot read the answers, as
// none allows another origin; with a name of its own that leads to this machine it could,
// and so Host has to be one of ours. Origin and Sec-Fetch-Site keep it from asking at all.
func (p *Page) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if err := p.checkHost(r.Host); err != nil {
			fail(w, http.StatusForbidden, err)
			return
		}
		if err := checkOrigin(r); err != nil {
			fail(w, http.StatusForbidden, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkHost refuses names that are not this page's. The port may be any: a tunnel has one
// of its own.
func (p *Page) checkHost(hostPort string) error {
	host := hostPort
	if h, _, err := net.SplitHostPort(hostPort); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	ip := net.ParseIP(host)
	switch {
	case strings.EqualFold(host, "localhost"), ip != nil && ip.IsLoopback():
	case ip != nil && p.o.AnyAddress:
	case p.o.Host != "" && strings.EqualFold(host, p.o.Host):
	default:
		return fmt.Errorf("page: the request is for host %q: want localhost, or the address that the page was started at", hostPort)
	}
	return nil
}

// checkOrigin refuses requests that a page elsewhere has made. Programs that are no
// browsers send neither header.
func checkOrigin(r *http.Request) error {
	if origins := r.Header.Values("Origin"); len(origins) > 1 || len(origins) == 1 && !strings.EqualFold(origins[0], "http://"+r.Host) {
		return fmt.Errorf("page: the request comes from %q: want http://%s, this page", strings.Join(origins, ", "), r.Host)
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case site == "", site == "same-origin", site == "none":
	case r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate": // somebody follows a link to the page
	default:
		return fmt.Errorf("page: the request is %s: want one of this page's own", site)
	}
	return nil
}

// only answers other methods with what is allowed.
func (p *Page) only(method string, f http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method && !(method == http.MethodGet && r.Method == http.MethodHead) {
			w.Header().Set("Allow", method)
			fail(w, http.StatusMethodNotAllowed, fmt.Errorf("page: %.20q on %.80q: want %s", r.Method, r.URL.Path, method))
			return
		}
		f(w, r)
	}
}

func (p *Page) serveOther(w http.ResponseWriter, r *http.Request) {
	fail(w, http.StatusNotFound, fmt.Errorf("page: there is no %.80q: want /, /models or /complete", r.URL.Path))
}
