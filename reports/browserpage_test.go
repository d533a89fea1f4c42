package reports

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	printing "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"lathe/reports/browsertest"
)

// shown is an element that says which numbers of the model it shows.
type shown struct{ Paths, As, Text string }

const allShown = `[...document.querySelectorAll("[data-path]")].map(e => ({Paths: e.dataset.path, As: e.dataset.as || "", Text: e.textContent}))`

// The page, in one browser.
func TestPage(t *testing.T) {
	b := openBrowser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *browser)
	}{
		{"AgreesWithJSON", pageAgreesWithJSON},
		{"NumbersHavePlaces", pageNumbersHavePlaces},
		{"Names", pageNames},
		{"Keyboard", pageKeyboard},
		{"Pointer", pagePointer},
		{"Sorts", pageSorts},
		{"Themes", pageThemes},
		{"Fits", pageFits},
		{"WithoutScript", pageWithoutScript},
		{"Prints", pagePrints},
		{"Hostile", pageHostile},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.Scheme(t, "light", "")
			b.sized(t, 1200, 900, 1)
			b.Do(t, "script", browsertest.Send(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{}))
			b.Forget()
			c.test(t, b)
		})
	}
}

// Every number that the page shows is one of the JSON form's, rounded; and the page is quiet.
func pageAgreesWithJSON(t *testing.T, b *browser) {
	for name, r := range map[string]*Report{"sample": sampleReport(), "empty": emptyReport()} {
		address := b.open(t, r)
		doc, cells := formed(t, r), evaluated[[]shown](t, b, allShown)
		for _, s := range cells {
			if err := agrees(doc, cell{text: s.Text, paths: strings.Fields(s.Paths), as: scaling(s.As)}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if name == "sample" && len(cells) < 500 {
			t.Errorf("%d elements have a place in the JSON form, want 500 at least", len(cells))
		}
		b.quiet(t, address)
	}
}

// plainNumbers are texts of cells that have numbers which are none of the model's own: times
// of the clock, and counts of what the model lists.
var plainNumbers = regexp.MustCompile(`^(?:(?:measured|time): \d{4}-\d\d-\d\d \d\d:\d\d UTC|front: \d+|sessions: \d+|metric: P95 .*)$`)

// A number of a table that has no place in the JSON form is one of few kinds.
func pageNumbersHavePlaces(t *testing.T, b *browser) {
	b.open(t, sampleReport())
	for _, text := range evaluated[[]string](t, b, `[...document.querySelectorAll("tbody td, tbody th")].filter(c => !c.querySelector("[data-path]") && /\d/.test(c.textContent))
		.map(c => c.closest("table").tHead.rows[0].cells[c.cellIndex].textContent + ": " + c.textContent)`) {
		if !plainNumbers.MatchString(text) {
			t.Errorf("%q has no data-path", text)
		}
	}
}

// The page's parts are named for who does not see them.
func pageNames(t *testing.T, b *browser) {
	for name, r := range map[string]*Report{"sample": sampleReport(), "empty": emptyReport(), "hostile": hostileReport()} {
		b.open(t, r)
		for _, problem := range evaluated[[]string](t, b, `(() => {
			const out = [], by = ids => ids.split(" ").map(id => document.getElementById(id)?.textContent ?? "").join(" ");
			const nameOf = e => (e.getAttribute("aria-label") || by(e.getAttribute("aria-labelledby") || "") || e.querySelector(":scope > title")?.textContent || (e.matches("svg, g") ? "" : e.textContent)).trim();
			for (const e of document.querySelectorAll("svg, [role=img], [role=region], section, nav, button, a, summary, th, caption"))
				if (!e.closest("[aria-hidden=true]") && !nameOf(e)) out.push("no name: " + e.outerHTML.slice(0, 120));
			const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
			for (const id of new Set(ids)) if (ids.filter(other => other === id).length > 1) out.push("twice: #" + id);
			for (const a of document.querySelectorAll("a")) if (!document.getElementById(a.hash.slice(1))) out.push("leads nowhere: " + a.href);
			for (const th of document.querySelectorAll("th")) if (!th.scope) out.push("no scope: " + th.textContent);
			for (const table of document.querySelectorAll("table")) if (!table.caption) out.push("no caption: " + table.textContent.slice(0, 80));
			if (document.querySelectorAll("h1").length !== 1) out.push("not one h1");
			let level = 0;
			for (const h of document.querySelectorAll("h1, h2, h3, h4")) {
				if (+h.tagName[1] > level + 1) out.push("skips a level: " + h.textContent);
				level = +h.tagName[1];
			}
			for (const tag of ["main", "header", "nav", "footer"]) if (document.querySelectorAll(tag).length !== 1) out.push("not one " + tag);
			if (document.documentElement.lang !== "en") out.push("no language");
			return out;
		})()`) {
			t.Errorf("%s: %s", name, problem)
		}
	}
}

// By the keyboard one gets everywhere, and reads what the marks say.
func pageKeyboard(t *testing.T, b *browser) {
	address := b.open(t, sampleReport())
	press := func(key string) { t.Helper(); b.Do(t, "pressing a key", chromedp.KeyEvent(key)) }
	want := []string{"a.skip", "button#theme", "a contents", "mark"}
	var got []string
	for len(want) > 0 && len(got) < 60 {
		press(kb.Tab)
		at := evaluated[string](t, b, `(e => e.matches(".skip") ? "a.skip" : e.id === "theme" ? "button#theme" : e.closest("nav") ? "a contents" : e.matches(".mark") ? "mark" : e.tagName)(document.activeElement)`)
		if got = append(got, at); at == want[0] {
			want = want[1:]
		}
	}
	if len(want) > 0 {
		t.Fatalf("Tab does not get to %q, but to %q", want, got)
	}
	const marks = `const svg = document.activeElement.closest("svg"), marks = [...svg.querySelectorAll(".mark")]; `
	told := func(index int) {
		t.Helper()
		b.Until(t, fmt.Sprintf(`(() => { %s return marks.at(%d) === document.activeElement && svg.closest("figure").querySelector(".detail").textContent === document.activeElement.getAttribute("aria-label") })()`, marks, index))
	}
	told(0)
	first := evaluated[string](t, b, `document.activeElement.getAttribute("aria-label")`)
	for _, step := range []struct {
		key string
		at  int
	}{{kb.ArrowRight, 1}, {kb.ArrowDown, 2}, {kb.ArrowLeft, 1}, {kb.End, -1}, {kb.ArrowRight, -1}, {kb.Home, 0}, {kb.ArrowUp, 0}, {kb.ArrowRight, 1}} {
		press(step.key)
		told(step.at)
	}
	if is := evaluated[string](t, b, `document.activeElement.closest("figure").querySelector(".detail").textContent`); is == first || is == "" {
		t.Errorf("after an arrow key the line says %q, before %q", is, first)
	}
	if n := evaluated[int](t, b, `document.activeElement.closest("svg").querySelectorAll('.mark[tabindex="0"]').length`); n != 1 {
		t.Errorf("%d marks are stops of the Tab key, want 1", n)
	}
	if ring := evaluated[string](t, b, `getComputedStyle(document.activeElement.querySelector("circle")).stroke`); ring == "none" {
		t.Error("the focus is not seen")
	}
	b.quiet(t, address)
}

// Where marks lie over each other, the pointer finds the nearest, not that on top.
func pagePointer(t *testing.T, b *browser) {
	address := b.open(t, sampleReport())
	at := evaluated[[]float64](t, b, `(() => {
		const svg = document.querySelector("#front svg.wide");
		svg.scrollIntoView({block: "center", behavior: "instant"});
		const places = [...svg.querySelectorAll(".mark circle")].map(c => { const r = c.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2, r.width / 2]; });
		for (let i = 0; i < places.length; i++) // one whose centre another's circle covers
			for (let j = i + 1; j < places.length; j++) {
				const far = Math.hypot(places[i][0] - places[j][0], places[i][1] - places[j][1]);
				const alone = places.every((p, k) => k === i || Math.hypot(p[0] - places[i][0], p[1] - places[i][1]) > 2);
				if (alone && far < places[j][2]) return [...places[i].slice(0, 2), i];
			}
		return [];
	})()`)
	if len(at) != 3 {
		t.Fatal("no two marks lie over each other")
	}
	says := fmt.Sprintf(`document.querySelector("#front .detail").textContent === document.querySelectorAll("#front svg.wide .mark")[%v].getAttribute("aria-label")`, at[2])
	b.Do(t, "pointing", chromedp.MouseEvent(chromedp.MouseMoved, at[0], at[1]))
	b.Until(t, says)
	b.Do(t, "clicking", chromedp.MouseClickXY(at[0], at[1]))
	b.Until(t, fmt.Sprintf(`document.activeElement === document.querySelectorAll("#front svg.wide .mark")[%v]`, at[2]))
	b.quiet(t, address)
}

// A header's button sorts its table, numbers as numbers and what is not known last.
func pageSorts(t *testing.T, b *browser) {
	address := b.open(t, sampleReport())
	column := func(name string) string {
		return fmt.Sprintf(`(() => { const table = document.querySelector("#measured table"), i = [...table.tHead.rows[0].cells].findIndex(c => c.textContent === %q); `, name)
	}
	for _, c := range []struct{ name, order string }{{"TL", "ascending"}, {"TL", "descending"}, {"decoder params", "ascending"}, {"candidate", "ascending"}, {"failure", "descending"}} {
		var texts []string
		for range 2 {
			evaluated[bool](t, b, column(c.name)+`table.tHead.rows[0].cells[i].querySelector("button").click(); return true; })()`)
			if evaluated[string](t, b, column(c.name)+`return table.tHead.rows[0].cells[i].getAttribute("aria-sort"); })()`) == c.order {
				texts = evaluated[[]string](t, b, column(c.name)+`return [...table.tBodies[0].rows].map(r => r.cells[i].textContent); })()`)
				break
			}
		}
		if len(texts) != mostRows {
			t.Fatalf("%s %s: %d rows, want %d", c.name, c.order, len(texts), mostRows)
		}
		known := slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return s == "-" || s == "" })
		if !slices.Equal(known, texts[:len(known)]) {
			t.Errorf("%s %s: what is not known is not last: %q", c.name, c.order, texts)
		}
		sorted := slices.IsSortedFunc(known, func(a, b string) int {
			less := naturally(a, b)
			if c.order == "descending" {
				less = -less
			}
			return less
		})
		if !sorted {
			t.Errorf("%s %s: %q", c.name, c.order, known)
		}
	}
	if n := evaluated[int](t, b, `document.querySelectorAll("#measured [aria-sort]").length`); n != 1 {
		t.Errorf("%d columns say that they are sorted, want 1", n)
	}
	b.quiet(t, address)
}

// naturally compares texts by the first number in each, and words where there is none.
func naturally(a, b string) int {
	var x, y float64
	n, _ := fmt.Sscan(strings.TrimRight(numbers.FindString(a), "-"), &x)
	m, _ := fmt.Sscan(strings.TrimRight(numbers.FindString(b), "-"), &y)
	switch {
	case n+m < 2:
		return strings.Compare(a, b)
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// Pictures of the page, for whoever wants to look at it.
func TestPageScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("for -screenshots FOLDER")
	}
	b := openBrowser(t)
	b.open(t, sampleReport())
	keep := func(name string, data []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*screenshots, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, shot := range []struct {
		name, scheme  string
		width, height int64
		scale         float64
	}{{"light.png", "light", 1200, 1600, 1}, {"dark.png", "dark", 1200, 1600, 1}, {"phone.png", "light", 360, 1400, 2}, {"phone-dark.png", "dark", 360, 1400, 2}} {
		b.Scheme(t, shot.scheme, "")
		b.sized(t, shot.width, shot.height, shot.scale)
		data, err := chromedp.Run(b, chromedp.CaptureScreenshot())
		keep(shot.name, data, err)
	}
	yes := true
	b.Do(t, "printing", chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		printed, err := cdp.Call(ctx, tab, printing.PrintToPDF, printing.PrintToPDFParams{PaperWidth: 8.27, PaperHeight: 11.69, PrintBackground: &yes, PreferCSSPageSize: &yes})
		keep("print.pdf", printed.Data, err)
		return nil
	}))
}
