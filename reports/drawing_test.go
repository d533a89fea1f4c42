package reports

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
)

// page is the least page around inline plots, which --plots keeps.
func page(inline string) []byte {
	return []byte("<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'><style>body{margin:16px;background:var(--paper);color:var(--plot-ink);font-family:Arial;max-width:60rem;margin-inline:auto;padding:0 16px}" +
		PlotCSS + "</style>" + inline)
}

// element is what the tests look at of an SVG element.
type element struct {
	name  string
	attrs map[string]string
	text  string
}

// elements parses XML, which it must be.
func elements(t *testing.T, data []byte) (out []element) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(data))
	var open []int
	for {
		token, err := dec.Token()
		if err == io.EOF {
			return out
		} else if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		switch v := token.(type) {
		case xml.StartElement:
			e := element{name: v.Name.Local, attrs: map[string]string{}}
			for _, a := range v.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			open = append(open, len(out))
			out = append(out, e)
		case xml.CharData:
			if len(open) > 0 {
				out[open[len(open)-1]].text += string(v)
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}

func inline(t *testing.T, d *Drawing, id, alt string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := d.Inline(&out, id, alt); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var (
	aVariable = regexp.MustCompile(`var\(--(paper|plot-[a-z0-9-]+),#[0-9a-f]{6,8}\)`)
	aColour   = regexp.MustCompile(`#[0-9A-Fa-f]{3,8}\b|rgb|url\(|<style|<script|href`)
)

// checkInline holds what is true of every inline plot.
func checkInline(t *testing.T, name string, data []byte) {
	t.Helper()
	ids := map[string]bool{}
	var width float64
	first := 0
	for _, e := range elements(t, append(append([]byte("<p>"), data...), "</p>"...)) {
		if id, ok := e.attrs["id"]; ok {
			if ids[id] {
				t.Errorf("%s: two elements have the id %q", name, id)
			}
			ids[id] = true
		}
		for key, value := range e.attrs {
			if key == "aria-label" {
				continue
			}
			if at := aColour.FindString(aVariable.ReplaceAllString(value, "")); at != "" {
				t.Errorf("%s: %s has %s=%q: a page in the dark cannot change it", name, e.name, key, value)
			}
			for _, v := range aVariable.FindAllStringSubmatch(value, -1) {
				if !strings.Contains(PlotCSS, "--"+v[1]+":") {
					t.Errorf("%s: PlotCSS has no --%s", name, v[1])
				}
			}
		}
		switch e.name {
		case "svg":
			box := strings.Fields(e.attrs["viewBox"])
			width, _ = strconv.ParseFloat(box[2], 64)
			if _, ok := e.attrs["width"]; ok {
				t.Errorf("%s: the width is fixed", name)
			}
			first = 0
		case "text":
			x, err := strconv.ParseFloat(e.attrs["x"], 64)
			size, _ := strconv.ParseFloat(e.attrs["font-size"], 64)
			length := textStyle(vg.Length(size), ink).Width(e.text).Points()
			if e.attrs["transform"] != "" {
				length = 0
			}
			if err != nil || x < 0 || x+length > width+0.5 {
				t.Errorf("%s: %q reaches from %v to %v of %v", name, e.text, x, x+length, width)
			}
			if size < 8 {
				t.Errorf("%s: %q is %v points high", name, e.text, size)
			}
		case "g":
			if e.attrs["class"] == "mark" && e.attrs["tabindex"] == "0" {
				first++
			}
		}
		if first > 1 {
			t.Errorf("%s: more than one mark is in the order of the Tab key", name)
		}
	}
	for _, end := range []string{"-w-title", "-n-title"} {
		found := false
		for id := range ids {
			found = found || strings.HasSuffix(id, end)
		}
		if !found {
			t.Errorf("%s: no element has an id that ends in %s", name, end)
		}
	}
}

func TestInline(t *testing.T) {
	data := evolution(10)
	const hostile = "<script>alert(1)</script> \"x\" 'y' &amp; \x00\x1b[31m\u202e\nend"
	data.Pick.Detail, data.Baseline.Detail = hostile, "the baseline"
	data.Title, data.PickName, data.QualityLabel = hostile, hostile, strings.Repeat("a long label ", 20)
	d, err := data.Drawing()
	if err != nil {
		t.Fatal(err)
	}
	out := inline(t, d, "front", hostile+". More "+hostile)
	keep(t, "hostile.html", page(string(out)))
	checkInline(t, "hostile", out)
	if !bytes.Equal(out, inline(t, d, "front", hostile+". More "+hostile)) {
		t.Error("written twice, the plot differs")
	}
	if s := string(out); strings.Contains(s, "<script") || strings.ContainsAny(s, "\x00\x1b\u202e") {
		t.Error("what a name has is in the page as it is")
	}
	marks := 0
	for _, e := range elements(t, append(append([]byte("<p>"), out...), "</p>"...)) {
		if e.attrs["class"] == "mark" {
			marks++
			if l := e.attrs["aria-label"]; !strings.HasPrefix(l, "<script>alert(1)</script> \"x\" 'y' &amp;") && l != "the baseline" {
				t.Errorf("a mark says %q", l)
			}
		}
	}
	if marks != 4 {
		t.Errorf("%d marks, want the baseline's and the pick's twice", marks)
	}
	for _, f := range []Format{SVG, PNG} {
		var file bytes.Buffer
		if err := d.Write(&file, f); err != nil {
			t.Fatal(err)
		}
		if f == SVG {
			elements(t, file.Bytes())
		}
	}
	if err := d.Write(io.Discard, "pdf"); err == nil || err.Error() != `reports: plot format "pdf": want svg or png` {
		t.Error(err)
	}
	if err := d.Inline(fullDisk{}, "a", "b"); err != errFull {
		t.Error(err)
	}
}

// A mark lies where the axes' labels say that its point is.
func TestMarksPlace(t *testing.T) {
	data := evolution(10)
	data.Pick.Detail = "here"
	d, err := data.Drawing()
	if err != nil {
		t.Fatal(err)
	}
	var ticks [2][][2]float64 // of x and y: value, place
	placed := 0
	for _, e := range elements(t, append(append([]byte("<p>"), inline(t, d, "p", "alt")...), "</p>"...)) {
		number := func(name string) float64 { v, _ := strconv.ParseFloat(e.attrs[name], 64); return v }
		switch e.name {
		case "svg":
			ticks = [2][][2]float64{}
		case "text":
			v, err := strconv.ParseFloat(e.text, 64)
			if err != nil {
				continue
			}
			if strings.Contains(e.text, ".") { // latencies have decimals, millions have none
				middle := number("x") + textStyle(vg.Points(10), ink).Width(e.text).Points()/2
				ticks[0] = append(ticks[0], [2]float64{v, middle})
			} else {
				ticks[1] = append(ticks[1], [2]float64{v, number("y")})
			}
		case "circle":
			for axis, want := range map[int]float64{0: data.Pick.Latency, 1: data.Pick.Quality} {
				s := ticks[axis]
				if len(s) < 2 {
					t.Fatalf("axis %d has %d labels", axis, len(s))
				}
				at := number([]string{"cx", "cy"}[axis])
				a, b := s[0], s[len(s)-1]
				// A label's baseline is not its middle, by as much for each.
				off := [2]float64{0, 3.5}[axis]
				got := a[0] + (at+off-a[1])/(b[1]-a[1])*(b[0]-a[0])
				if math.Abs(got-want) > 0.01*math.Abs(b[0]-a[0]) {
					t.Errorf("axis %d: the mark is at %v, the point at %v", axis, got, want)
				}
				placed++
			}
		}
	}
	if placed != 4 {
		t.Errorf("%d places were checked, want 2 in each of 2 widths", placed)
	}
}

// luminance is a colour's, by WCAG 2.2.
func luminance(t *testing.T, s string) float64 {
	t.Helper()
	var rgb [3]uint8
	if n, err := fmt.Sscanf(s, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); n != 3 {
		t.Fatalf("%q: %v", s, err)
	}
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v := float64(rgb[i]) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}

func contrast(t *testing.T, a, b string) float64 {
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// themes are the variables of PlotCSS's blocks: light, dark by the system, dark by choice,
// print.
func themes(t *testing.T) (out []map[string]string) {
	t.Helper()
	for _, block := range strings.Split(PlotCSS, "color-scheme:")[1:] {
		if strings.HasPrefix(strings.TrimSpace(block), "dark)") {
			continue // of a media query
		}
		vars := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z0-9-]+):(#[0-9a-f]+);`).FindAllStringSubmatch(block, -1) {
			vars[m[1]] = m[2]
		}
		out = append(out, vars)
	}
	if len(out) != 4 {
		t.Fatalf("%d themes, want light, dark twice and print", len(out))
	}
	return out
}

func TestPlotCSS(t *testing.T) {
	all := themes(t)
	if fmt.Sprint(all[0]) != fmt.Sprint(all[3]) || fmt.Sprint(all[1]) != fmt.Sprint(all[2]) {
		t.Error("light and print, or dark by the system and by choice, differ")
	}
	swatches := append([]swatch{ink, slate, fog, haze, mist, tint, vermilion, planeColour, within5, within10}, seriesColours...)
	for i := range scaleSteps {
		swatches = append(swatches, sequential(i, scaleSteps))
	}
	for _, s := range swatches {
		if got := all[0]["plot-"+s.name]; got != s.String() {
			t.Errorf("--plot-%s is %q in the light, %s in files", s.name, got, s)
		}
		if all[1]["plot-"+s.name] == "" {
			t.Errorf("--plot-%s is not there in the dark", s.name)
		}
	}
	for k, theme := range all {
		under := []string{theme["paper"], theme["plot-tint"], theme["plot-within-5"], theme["plot-within-10"]}
		for _, name := range []string{"plot-ink", "plot-slate"} {
			for _, u := range under {
				if c := contrast(t, theme[name], u); c < 4.5 {
					t.Errorf("theme %d: text of %s on %s has a contrast of %.2f, want 4.5", k, name, u, c)
				}
			}
		}
		before := 0.0
		for _, s := range swatches {
			if strings.HasPrefix(s.name, "within") || s.name == "mist" || s.name == "tint" || s.name == "plane" {
				continue // areas and grids, on which nothing depends
			}
			c := contrast(t, theme["plot-"+s.name], theme["paper"])
			if c < 3 {
				t.Errorf("theme %d: --plot-%s has a contrast of %.2f, want 3", k, s.name, c)
			}
			if strings.HasPrefix(s.name, "scale-") {
				if c < before {
					t.Errorf("theme %d: %s stands out less than the step before it", k, s.name)
				}
				before = c
			}
		}
	}
	for i := range 100 {
		if got := sequential(i, 100).name; !strings.Contains(PlotCSS, "--plot-"+got+":") {
			t.Errorf("line %d of 100 is %s, which PlotCSS does not have", i, got)
		}
	}
	if *plots != "" {
		if err := os.WriteFile(filepath.Join(*plots, "plots.css"), []byte(PlotCSS), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFirstSentence(t *testing.T) {
	for in, want := range map[string][2]string{
		"One. Two.":                   {"One.", "Two."},
		"A ratio of 0.77 of it. Then": {"A ratio of 0.77 of it.", "Then"},
		"One":                         {"One", ""},
		"One.":                        {"One.", ""},
		"":                            {"", ""},
		"0.5;0.6":                     {"0.5;0.6", ""},
	} {
		if first, rest := firstSentence(in); first != want[0] || rest != want[1] {
			t.Errorf("%q: %q, %q", in, first, rest)
		}
	}
}
