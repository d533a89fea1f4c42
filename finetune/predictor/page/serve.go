package page

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Limits of the server. A browser on this machine needs a millisecond where these allow
// seconds; they are for those who never end.
const (
	headerTime = 5 * time.Second
	readTime   = 10 * time.Second
	idleTime   = 30 * time.Second
	drainTime  = 5 * time.Second // for what runs when the page is stopped

	maxHeader      = 16 << 10 // bytes; browsers send one or two thousand
	maxConnections = 256      // at once; a browser has six, and net/http holds those that went wrong for half a second
)

// ErrAddress marks an address that cannot be listened at.
var ErrAddress = errors.New("page: bad address")

// Listen listens at HOST:PORT; without a host, at the loopback. Other addresses are for
// pages that are allowed to be remote. Port 0 takes one that is free.
func Listen(ctx context.Context, address string, remote bool) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%w %q: want HOST:PORT, such as 127.0.0.1:8085 or :8085", ErrAddress, address)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	ips, err := new(net.Resolver).LookupIPAddr(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrAddress, address, err)
	}
	for _, ip := range ips {
		if !ip.IP.IsLoopback() && !remote {
			return nil, fmt.Errorf("%w %q: %s can be reached from other machines, and whoever reaches it may use the models: want a loopback address such as 127.0.0.1, or leave to be remote", ErrAddress, address, ip.String())
		}
	}
	// The address that was looked at is the one that is taken.
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(ips[0].String(), port))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w %q: another program listens there: want a free port; port 0 takes any", ErrAddress, address)
	case err != nil:
		return nil, fmt.Errorf("%w %q: %w", ErrAddress, address, err)
	}
	return ln, nil
}

// Serve answers requests until ctx ends; then what runs may end, and the listener is
// closed.
func (p *Page) Serve(ctx context.Context, ln net.Listener) error {
	s := &http.Server{
		Handler:           p.Handler(),
		ReadHeaderTimeout: p.headerTime,
		ReadTimeout:       p.readTime,
		WriteTimeout:      p.readTime + p.o.Timeout + p.headerTime, // the answer comes behind the reading and the completion
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(failures{p.o.Failed}, "", 0),
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(limit(ln, p.connections)) }()
	var err error
	select {
	case err = <-ended:
		err = errors.Join(fmt.Errorf("page: %w", err), s.Close())
	case <-ctx.Done():
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if err = s.Shutdown(drain); err != nil { // somebody holds on
			err = s.Close()
		}
	}
	p.running <- struct{}{} // whoever waits gets no turn: completers are their owner's again
	return err
}

// failures passes on what net/http logs, but for what a client did.
type failures struct{ failed func(error) }

func (f failures) Write(b []byte) (int, error) {
	if s := strings.TrimSpace(string(b)); strings.Contains(s, "panic") || strings.Contains(s, "Accept error") {
		f.failed(errors.New("page: " + s))
	}
	return len(b), nil
}

// limited is a listener that holds so many connections open at once; further ones wait
// in the system's queue.
type limited struct {
	net.Listener
	open   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func limit(ln net.Listener, n int) *limited {
	return &limited{Listener: ln, open: make(chan struct{}, n), closed: make(chan struct{})}
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &counted{Conn: c, release: func() { <-l.open }}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// counted is a connection that makes room for another when it is closed.
type counted struct {
	net.Conn
	once    sync.Once
	release func()
}

// CloseWrite is looked for by net/http, to end an answer before it hangs up.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.release)
	return err
}
