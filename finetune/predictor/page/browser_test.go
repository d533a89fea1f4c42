package page

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var (
	shotsOf = flag.String("shots", "", "take pictures of the page that is served at this `URL`, instead of tests with one")
	shotsTo = flag.String("shots-to", ".", "`FOLDER` of the pictures")
)

// browser is a tab of a Chromium, which is watched.
type browser struct {
	context.Context
	mu       sync.Mutex
	trouble  []string // errors and warnings of its console
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
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(960, 720),
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

// send is an action that sends a command of the protocol.
func send[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, c, params)
		return err
	})
}

func (b *browser) do(t *testing.T, what string, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatalf("%s: %v; console: %q", what, err, b.trouble)
	}
}

// until waits for a condition of the page.
func (b *browser) until(t *testing.T, condition string) {
	t.Helper()
	poll := chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingInterval(10*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second))
	if err := chromedp.Do(b, poll); err != nil {
		is, _ := chromedp.Run(b, chromedp.Evaluate[string](`document.body.innerText + "\n" + document.getElementById("behind").innerHTML`))
		t.Fatalf("%s: %v; console: %q; the page:\n%s", condition, err, b.trouble, is)
	}
}

// The page's elements, as conditions name them.
const (
	ghostIs = `document.querySelector("#behind span").textContent === %q`
	textIs  = `document.getElementById("text").value === %q`
	liveIs  = `document.getElementById("live").textContent === %q`
	cardHas = `document.querySelectorAll(".model")[%d]?.innerText.includes(%q)`
)

// rhymes completes one text.
type rhymes struct{ latency float64 }

func (r rhymes) Complete(_ context.Context, text string) (Completion, error) {
	const all = "Mary had a little lamb, its fleece was white as snow."
	rest, ok := strings.CutPrefix(all, text)
	if !ok {
		return Completion{Why: "not sure", Latency: r.latency, Read: 1}, nil
	}
	at := strings.IndexAny(rest, ",.") + 1
	return Completion{Suggestion: rest[:at], Latency: r.latency, Read: 1, Kept: len(text), Generated: 5}, nil
}

// Somebody types on the page, in a real browser.
func TestInBrowser(t *testing.T) {
	if *shotsOf != "" {
		t.Skip("pictures are taken")
	}
	b := openBrowser(t)
	p := newPage(t, Options{Models: []Model{{"small", []Completer{rhymes{1.25}}}, {"big", []Completer{rhymes{20.4}}}}})
	url, stop := serve(t, p)
	b.do(t, "opening", chromedp.Navigate(url), chromedp.WaitVisible("#text"))
	is := func(format string, args ...any) { t.Helper(); b.until(t, fmt.Sprintf(format, args...)) }
	press := func(keys string) { t.Helper(); b.do(t, fmt.Sprintf("pressing %q", keys), chromedp.KeyEvent(keys)) }

	// The text box has the focus, and each letter is answered.
	is(cardHas, 0, "small")
	is(cardHas, 1, "big")
	press("Mary")
	is(ghostIs, " had a little lamb,")
	is(liveIs, "Suggestion:  had a little lamb,")
	for card, want := range [][]string{{"PICK", "1.3\nms", "1 read, 4 kept, 5 generated", "had a little lamb,", "nothing"}, {"BASELINE", "20\nms", "1 read, 4 kept"}} {
		for _, w := range want {
			is(cardHas, card, w)
		}
	}
	is(`document.getElementById("compared").textContent.includes("pick 1.3 ms, baseline 20.4 ms, ratio 0.06")`)

	// Escape dismisses, and the next letter asks again.
	press(kb.Escape)
	is(ghostIs, "")
	is(liveIs, "Suggestion dismissed")
	press(" ")
	is(ghostIs, "had a little lamb,")
	is(textIs, "Mary ")

	// Tab accepts, and stays in the box; what follows is suggested.
	press(kb.Tab)
	is(textIs, "Mary had a little lamb,")
	is(ghostIs, " its fleece was white as snow.")
	is(`document.activeElement.id === "text"`)

	// Inside the text nothing is suggested; at its end again.
	press(kb.ArrowLeft)
	is(ghostIs, "")
	press(kb.End + kb.Backspace)
	is(textIs, "Mary had a little lamb")
	is(ghostIs, ",")

	// The other model's suggestion is shown where it is asked for.
	b.do(t, "choosing", chromedp.Click(".model.second input"))
	is(ghostIs, ",")
	is(`document.activeElement.id === "text"`)

	// Without a suggestion Tab moves on.
	press("x")
	is(ghostIs, "")
	is(cardHas, 1, "Nothing: not sure.")
	press(kb.Tab)
	is(`document.activeElement.id !== "text"`)

	// What is typed is text, whatever it says.
	b.do(t, "focus", chromedp.Focus("#text"))
	press("<img src=x onerror=alert(1)>")
	is(textIs, "Mary had a little lambx<img src=x onerror=alert(1)>")
	is(`document.querySelectorAll("img").length === 0`)

	if len(b.trouble) > 0 {
		t.Errorf("console: %q", b.trouble)
	}
	for _, r := range b.requests {
		if !strings.HasPrefix(r, url+"/") && r != "data:," {
			t.Errorf("it asked for %s", r)
		}
	}
	if len(b.requests) < 10 {
		t.Errorf("only %d requests were seen", len(b.requests))
	}

	// A server that is gone is said.
	if err := stop(); err != nil {
		t.Error(err)
	}
	press("y")
	is(`document.getElementById("trouble").textContent === "The server does not answer. Was it stopped?"`)
}

// The page in both colours, for the documents: with -shots URL of a page with a model.
func TestShots(t *testing.T) {
	if *shotsOf == "" {
		t.Skip("for -shots URL")
	}
	for name, scheme := range map[string]string{"complete.png": "light", "complete-dark.png": "dark"} {
		b := openBrowser(t)
		b.do(t, "opening", send(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}),
			chromedp.Navigate(*shotsOf), chromedp.WaitVisible("#text"))
		b.until(t, fmt.Sprintf(cardHas, 0, "MODEL")+" || "+fmt.Sprintf(cardHas, 1, "BASELINE"))
		for _, letter := range "Once upon a time, there was a li" {
			b.do(t, "typing", chromedp.KeyEvent(string(letter)), chromedp.Sleep(60*time.Millisecond))
		}
		b.until(t, `document.querySelector("#behind span").textContent !== "" && document.querySelectorAll(".stale").length === 0`)
		ctx, cancel := context.WithTimeout(b, time.Minute)
		picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*shotsTo, name), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
