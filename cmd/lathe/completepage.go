package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"lathe/finetune/predictor/page"
)

// pageTexts is for how many windows of the page what was read is kept. Each takes the
// memory of a cache for each model.
const pageTexts = 3

// completePage serves the page until it is interrupted.
func (a *app) completePage(ctx context.Context, f *completeFlags, writers []*writer) error {
	host, _, _ := net.SplitHostPort(f.serve) // Listen says what is wrong with it
	ip := net.ParseIP(host)
	o := page.Options{
		Host: host, AnyAddress: f.allowRemote && ip != nil && ip.IsUnspecified(),
		Failed: func(err error) { a.note("%v", err) },
	}
	for _, w := range writers {
		o.Models = append(o.Models, page.Model{Name: w.name, Completers: w.completers})
	}
	p, err := page.New(o)
	if err != nil {
		return err
	}
	ln, err := page.Listen(ctx, f.serve, f.allowRemote)
	if errors.Is(err, page.ErrAddress) {
		if !f.allowRemote {
			err = fmt.Errorf("%w (--allow-remote)", err)
		}
		return badInput(err)
	}
	if err != nil {
		return err
	}
	if err := a.printAddress("http://" + ln.Addr().String()); err != nil {
		return errors.Join(err, ln.Close())
	}
	a.note("%s: open the address in a browser; Ctrl-C ends", names(writers))
	return p.Serve(ctx, ln)
}

func (a *app) printAddress(url string) error {
	if a.json {
		return newEncoder(a.stdout).Encode(map[string]string{"url": url})
	}
	_, err := fmt.Fprintln(a.stdout, url)
	return err
}
