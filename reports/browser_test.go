package reports

import (
	"bytes"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"lathe/reports/browsertest"
)

var screenshots = flag.String("screenshots", "", "write pictures of the page, and what is printed of it, into this `FOLDER`")

// browser is a browser with a report's page.
type browser struct{ *browsertest.Browser }

func openBrowser(t *testing.T) *browser {
	t.Helper()
	return &browser{browsertest.Open(t, 1200, 900)}
}

// quiet checks that nothing was said, and that of the network nothing was asked.
func (b *browser) quiet(t *testing.T, page string) {
	t.Helper()
	if trouble := b.Trouble(); len(trouble) > 0 {
		t.Errorf("console: %q", trouble)
	}
	requests, seen := b.Requests(), false
	for _, r := range requests {
		switch r {
		case page:
			seen = true
		case "data:,", "about:blank":
		default:
			t.Errorf("the page asked for %s", r)
		}
	}
	if !seen {
		t.Errorf("the request for %s itself was not seen among %q", page, requests)
	}
	b.Forget()
}

// evaluated is what an expression of the page is.
func evaluated[T any](t *testing.T, b *browser, expression string) T {
	t.Helper()
	return browsertest.Run(t, b.Browser, expression, chromedp.Evaluate[T](expression))
}

// sized sets the window, as wide as a telephone or a desk's screen.
func (b *browser) sized(t *testing.T, width, height int64, scale float64) {
	t.Helper()
	b.Do(t, "sizing", browsertest.Send(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: scale, Mobile: width < 600}))
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
	b.Do(t, "opening", chromedp.Navigate(address))
	return address
}
