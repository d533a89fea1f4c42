package page

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"lathe/reports/browsertest"
)

var (
	shotsOf = flag.String("shots", "", "take pictures of the page that is served at this `URL`, instead of tests with one")
	shotsTo = flag.String("shots-to", ".", "`FOLDER` of the pictures")
)

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
	b := browsertest.Open(t, 960, 720)
	p := newPage(t, Options{Models: []Model{{"small", []Completer{rhymes{1.25}}}, {"big", []Completer{rhymes{20.4}}}}})
	url, stop := serve(t, p)
	b.Do(t, "opening", chromedp.Navigate(url), chromedp.WaitVisible("#text"))
	is := func(format string, args ...any) { t.Helper(); b.Until(t, fmt.Sprintf(format, args...)) }
	press := func(keys string) { t.Helper(); b.Do(t, fmt.Sprintf("pressing %q", keys), chromedp.KeyEvent(keys)) }

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
	b.Do(t, "choosing", chromedp.Click(".model.second input"))
	is(ghostIs, ",")
	is(`document.activeElement.id === "text"`)

	// Without a suggestion Tab moves on.
	press("x")
	is(ghostIs, "")
	is(cardHas, 1, "Nothing: not sure.")
	press(kb.Tab)
	is(`document.activeElement.id !== "text"`)

	// What is typed is text, whatever it says.
	b.Do(t, "focus", chromedp.Focus("#text"))
	press("<img src=x onerror=alert(1)>")
	is(textIs, "Mary had a little lambx<img src=x onerror=alert(1)>")
	is(`document.querySelectorAll("img").length === 0`)

	if len(b.Trouble()) > 0 {
		t.Errorf("console: %q", b.Trouble())
	}
	for _, r := range b.Requests() {
		if !strings.HasPrefix(r, url+"/") && r != "data:," {
			t.Errorf("it asked for %s", r)
		}
	}
	if len(b.Requests()) < 10 {
		t.Errorf("only %d requests were seen", len(b.Requests()))
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
		b := browsertest.Open(t, 960, 720)
		b.Scheme(t, scheme, "")
		b.Do(t, "opening", chromedp.Navigate(*shotsOf), chromedp.WaitVisible("#text"))
		b.Until(t, fmt.Sprintf(cardHas, 0, "MODEL")+" || "+fmt.Sprintf(cardHas, 1, "BASELINE"))
		for _, letter := range "Once upon a time, there was a li" {
			b.Do(t, "typing", chromedp.KeyEvent(string(letter)), chromedp.Sleep(60*time.Millisecond))
		}
		b.Until(t, `document.querySelector("#behind span").textContent !== "" && document.querySelectorAll(".stale").length === 0`)
		picture := browsertest.Run(t, b, "a picture", chromedp.FullScreenshot(100))
		if err := os.WriteFile(filepath.Join(*shotsTo, name), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
