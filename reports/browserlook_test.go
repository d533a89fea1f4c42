package reports

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"lathe/reports/browsertest"
)

// contrasts lists texts whose colour is too near to that behind them, by the formula of the
// Web Content Accessibility Guidelines 2.2: 4.5 for text, 3 for what is large.
const contrasts = `(() => {
	const parse = css => {
		const n = css.match(/-?[\d.]+/g).map(Number), k = css.startsWith("color(") ? 1 : 255;
		return [n[0] / k, n[1] / k, n[2] / k, n[3] ?? 1];
	};
	const light = c => c.slice(0, 3).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = e => {
		for (; e; e = e.parentElement) {
			const c = parse(getComputedStyle(e).backgroundColor);
			if (c[3] === 1) return c;
		}
		return [1, 1, 1, 1];
	};
	const out = [], done = new Set();
	let n = 0;
	for (const e of document.querySelectorAll("body *:not(script, svg, svg *, .unseen)")) {
		if (![...e.childNodes].some(c => c.nodeType === 3 && c.textContent.trim()) || !e.checkVisibility()) continue;
		const style = getComputedStyle(e), a = light(parse(style.color)), b = light(behind(e));
		const is = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), size = parseFloat(style.fontSize);
		n++;
		if (is < (size >= 24 || size >= 18.66 && +style.fontWeight >= 700 ? 3 : 4.5)) out.push(is.toFixed(2) + ": " + e.outerHTML.slice(0, 100));
	}
	if (n < 300) out.push("only " + n + " texts were looked at");
	return [...new Set(out)].slice(0, 10);
})()`

// The page is light or dark as the system is, until the button says otherwise, and can be
// read in both.
func pageThemes(t *testing.T, b *browser) {
	for _, c := range []struct{ scheme, paper, other string }{
		{"light", "rgb(255, 255, 255)", "rgb(21, 24, 28)"}, {"dark", "rgb(21, 24, 28)", "rgb(255, 255, 255)"},
	} {
		b.Scheme(t, c.scheme, "")
		address := b.open(t, sampleReport())
		paper := func(want string) {
			t.Helper()
			for _, e := range []string{"document.documentElement", "document.body", `document.querySelector("#front svg.plot.wide")`} {
				if is := evaluated[string](t, b, "getComputedStyle("+e+").backgroundColor"); is != want {
					t.Errorf("%s: the background of %s is %s, want %s", c.scheme, e, is, want)
				}
			}
			for _, problem := range evaluated[[]string](t, b, contrasts) {
				t.Errorf("%s, on %s: contrast %s", c.scheme, want, problem)
			}
		}
		paper(c.paper)
		evaluated[bool](t, b, `document.getElementById("theme").click(), true`)
		paper(c.other)
		evaluated[bool](t, b, `document.getElementById("theme").click(), true`)
		paper(c.paper)
		b.quiet(t, address)
	}
}

// fits lists what is wider than the window, outside of regions that scroll.
const fits = `(() => {
	const wide = document.documentElement.clientWidth, out = [];
	if (document.documentElement.scrollWidth > wide) out.push("the page scrolls to " + document.documentElement.scrollWidth);
	for (const e of document.querySelectorAll("body *:not(.unseen, .skip, svg *)")) {
		const box = e.getBoundingClientRect();
		if (box.width && box.right > wide + 1 && !e.closest(".scroll table") && e.checkVisibility()) out.push(e.outerHTML.slice(0, 100) + " to " + box.right);
	}
	for (const e of document.querySelectorAll(".scroll"))
		if (e.scrollWidth > e.clientWidth + 1 && (e.tabIndex !== 0 || getComputedStyle(e).overflowX !== "auto")) out.push("cannot be scrolled by keys: " + e.ariaLabel);
	return out.slice(0, 10);
})()`

// On a telephone nothing but wide tables scrolls aside, whatever the names.
func pageFits(t *testing.T, b *browser) {
	long := sampleReport()
	long.Title = strings.Repeat("a_title_that_goes_on", 30)
	long.Front.Pick.Name, long.Front.Points[0].Name, long.Conditions[0].Value = long.Title, long.Title, long.Title
	long.Summarize()
	for name, r := range map[string]*Report{"sample": sampleReport(), "empty": emptyReport(), "hostile": hostileReport(), "long": long} {
		b.open(t, r)
		for _, width := range []int64{320, 360, 700, 1000, 1200} {
			b.sized(t, width, 740, 1)
			b.Until(t, fmt.Sprintf("innerWidth === %d", width))
			evaluated[bool](t, b, "document.querySelectorAll('details').forEach(d => d.open = true), true")
			b.Do(t, "drawing", browsertest.Send(emulation.SetScrollbarsHidden, emulation.SetScrollbarsHiddenParams{Hidden: true}))
			b.Until(t, `[...document.querySelectorAll(".scroll")].every(e => e.scrollWidth <= e.clientWidth + 1 || e.tabIndex === 0)`)
			for _, problem := range evaluated[[]string](t, b, fits) {
				t.Errorf("%s at %d: %s", name, width, problem)
			}
			if shown := evaluated[int](t, b, `[...document.querySelectorAll("figure")].filter(f => [...f.querySelectorAll("svg.plot")].filter(s => s.checkVisibility()).length !== 1).length`); shown != 0 {
				t.Errorf("%s at %d: %d figures do not show one drawing", name, width, shown)
			}
		}
	}
}

// Without a script everything is there, and nothing that does not work.
func pageWithoutScript(t *testing.T, b *browser) {
	b.Do(t, "no script", browsertest.Send(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.open(t, sampleReport())
	if n := evaluated[int](t, b, `[...document.querySelectorAll("button, .hint")].filter(e => e.checkVisibility()).length`); n != 0 {
		t.Errorf("%d elements are shown that need the script", n)
	}
	if n := evaluated[int](t, b, `document.querySelectorAll(".mark > title").length`); n < 50 {
		t.Errorf("%d marks say what they are by themselves, want 50 at least", n)
	}
	b.Scheme(t, "dark", "")
	if is := evaluated[string](t, b, `getComputedStyle(document.body).backgroundColor`); is != "rgb(21, 24, 28)" {
		t.Errorf("in the dark the page is %s", is)
	}
}

// What is printed is light, whole and without what paper cannot do.
func pagePrints(t *testing.T, b *browser) {
	b.open(t, sampleReport())
	evaluated[string](t, b, `document.documentElement.dataset.theme = "dark"`)
	b.Scheme(t, "dark", "print")
	b.sized(t, 688, 1000, 1) // A4 without its margins
	for what, want := range map[string]string{
		`getComputedStyle(document.body).color`:           "rgb(34, 38, 43)",
		`getComputedStyle(document.body).backgroundColor`: "rgb(255, 255, 255)",
		`[...document.querySelectorAll("nav, button#theme, .hint, .detail, .skip, .mark")].filter(e => e.getClientRects().length).map(e => e.outerHTML.slice(0, 90)).slice(0, 3).join()`:           "",
		`[...document.querySelectorAll("tbody tr")].filter(e => !e.getClientRects().length).length + ""`:                                                                                           "0",
		`[...document.querySelectorAll("table")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.caption.textContent + " " + e.getBoundingClientRect().right).join(", ")`: "",
	} {
		if is := evaluated[string](t, b, what); is != want {
			t.Errorf("%s is %s, want %s", what, is, want)
		}
	}
}

// Hostile names make no element and no attribute that harmless ones do not.
func pageHostile(t *testing.T, b *browser) {
	made := func(r *Report) map[string]bool {
		address := b.open(t, r)
		out := map[string]bool{}
		for _, s := range evaluated[[]string](t, b, `[...document.querySelectorAll("*")].map(e => e.tagName + " " + [...e.attributes].map(a => a.name + (/href|src|style|^on/.test(a.name) ? "=" + a.value : "")).sort().join(" "))`) {
			out[s] = true
		}
		b.quiet(t, address)
		return out
	}
	want, got := made(sampleReport()), made(hostileReport())
	for s := range got {
		if !want[s] {
			t.Errorf("a hostile report has <%s>", s)
		}
	}
	if text := evaluated[string](t, b, `document.querySelector("h1").textContent`); !strings.Contains(text, "<") {
		t.Errorf("the title is %q, without what makes it hostile", text)
	}
}
