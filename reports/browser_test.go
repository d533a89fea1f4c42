package reports

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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

var screenshots = flag.String("screenshots", "", "write pictures of the page, and what is printed of it, into this `FOLDER`")

// browser is a tab of a Chromium, which is watched.
type browser struct {
	context.Context
	mu       sync.Mutex
	trouble  []string // what its console has, and what was thrown
	requests []string // addresses that it asked for
}

// openBrowser starts a Chromium with nothing of its own: skipped where there is none, and
// failed where CI wants it.
func openBrowser(t *testing.T) *browser {
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
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1200, 900),
		chromedp.WSURLReadTimeout(time.Minute), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true))
	ctx, cancelProcess := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, cancelTab := chromedp.NewContext(ctx)
	b := &browser{Context: ctx}
	t.Cleanup(func() {
		chromedp.Cancel(ctx) // waits for it to end, so that its folder can be removed
		cancelTab()
		cancelProcess()
	})
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	b.do(t, "watching", send(log.Enable, cdp.Empty{}), send(network.Enable, network.EnableParams{}))
	return b
}

// note keeps what the browser says of itself.
func (b *browser) note(event any) {
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

// forget drops what was noted.
func (b *browser) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble, b.requests = nil, nil
}

// quiet checks that nothing was said, and that of the network nothing was asked.
func (b *browser) quiet(t *testing.T, page string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.trouble) > 0 {
		t.Errorf("console: %q", b.trouble)
	}
	seen := false
	for _, r := range b.requests {
		switch r {
		case page:
			seen = true
		case "data:,", "about:blank":
		default:
			t.Errorf("the page asked for %s", r)
		}
	}
	if !seen {
		t.Errorf("the request for %s itself was not seen among %q", page, b.requests)
	}
	b.trouble, b.requests = nil, nil
}

// send is an action that sends a command of the protocol.
func send[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, c, params)
		return err
	})
}

func (b *browser) do(t *testing.T, what string, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatalf("%s: %v; console: %q", what, err, b.trouble)
	}
}

// evaluated is what an expression of the page is.
func evaluated[T any](t *testing.T, b *browser, expression string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b, 30*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for a condition of the page.
func (b *browser) until(t *testing.T, condition string) {
	t.Helper()
	poll := chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingInterval(10*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second))
	if err := chromedp.Do(b, poll); err != nil {
		t.Fatalf("%s: %v; console: %q", condition, err, b.trouble)
	}
}

// sized sets the window, as wide as a telephone or a desk's screen.
func (b *browser) sized(t *testing.T, width, height int64, scale float64) {
	t.Helper()
	b.do(t, "sizing", send(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: scale, Mobile: width < 600}))
}

// scheme sets what the system's colours are.
func (b *browser) scheme(t *testing.T, scheme, media string) {
	t.Helper()
	b.do(t, "colours", send(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}))
}

// open writes a report's page into a file, opens that, and returns its address.
func (b *browser) open(t *testing.T, r *Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := r.Write(&out, FormHTML); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	address := (&url.URL{Scheme: "file", Path: path}).String()
	b.do(t, "opening", chromedp.Navigate(address))
	return address
}
