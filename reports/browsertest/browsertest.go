// Package browsertest is a Chromium in which tests try the pages that the program makes, and
// what it said and asked for meanwhile.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Browser is a tab of a Chromium, which is watched. It is the context of chromedp's actions.
type Browser struct {
	context.Context
	mu       sync.Mutex
	trouble  []string
	requests []string
}

// Open starts a Chromium with nothing of its own, in a window of some points: the test is
// skipped where there is none, and fails where CI wants it. It ends with the test.
func Open(t *testing.T, width, height int) *Browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium in the PATH: .ci/run installs it")
		}
		t.Skip("no chromium in the PATH")
	}
	options := append(slices.Clip(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(width, height),
		chromedp.WSURLReadTimeout(time.Minute), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true))
	ctx, cancelProcess := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, cancelTab := chromedp.NewContext(ctx)
	b := &Browser{Context: ctx}
	t.Cleanup(func() {
		chromedp.Cancel(ctx) // waits for it to end, so that its folder can be removed
		cancelTab()
		cancelProcess()
	})
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	b.Do(t, "watching", Send(log.Enable, cdp.Empty{}), Send(network.Enable, network.EnableParams{}))
	return b
}

// note keeps what the browser says of itself.
func (b *Browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		b.trouble = append(b.trouble, fmt.Sprintf("console.%s", e.Type))
	case *runtime.EventExceptionThrown:
		b.trouble = append(b.trouble, fmt.Sprintf("%+v", *e.ExceptionDetails))
	case *log.EventEntryAdded:
		b.trouble = append(b.trouble, e.Entry.Text+" "+e.Entry.URL)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// Trouble is what the console has had, and what was thrown.
func (b *Browser) Trouble() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.trouble)
}

// Requests are the addresses that were asked for.
func (b *Browser) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.requests)
}

// Forget drops what was noted.
func (b *Browser) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble, b.requests = nil, nil
}

// Send is an action that sends a command of the protocol.
func Send[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, c, params)
		return err
	})
}

// Do runs actions, which a failure calls what.
func (b *Browser) Do(t *testing.T, what string, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatalf("%s: %v; console: %q", what, err, b.Trouble())
	}
}

// Run runs an action that has a result, which a failure calls what.
func Run[T any](t *testing.T, b *Browser, what string, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b, time.Minute)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatalf("%s: %v; console: %q", what, err, b.Trouble())
	}
	return v
}

// Until waits for a condition of the page, in its script's language.
func (b *Browser) Until(t *testing.T, condition string) {
	t.Helper()
	poll := chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingInterval(10*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second))
	if err := chromedp.Do(b, poll); err != nil {
		is, _ := chromedp.Run(b, chromedp.Evaluate[string](`document.body.innerText`))
		t.Fatalf("%s: %v; console: %q; the page:\n%s", condition, err, b.Trouble(), is)
	}
}

// Scheme sets the colours that the system prefers, light or dark, and the media, "" being a
// screen.
func (b *Browser) Scheme(t *testing.T, scheme, media string) {
	t.Helper()
	b.Do(t, "colours", Send(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}))
}
