package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

// hostile is a name that tries what each form could take for its own.
const hostile = "=cmd|' /C calc'!A0 \x1b[31m\u202e\u0085<script>alert(1)</script>|`x`![p](http://evil.example/p.png)[l](javascript:alert(1)) @everyone \"'&lt;\r\n# h\x00\xff]]>-->"

// hostileReport is the sample with a hostile text wherever a report has one that comes from
// outside.
func hostileReport() *Report {
	r := sampleReport()
	for _, v := range []any{&r.Title, r.Front, &r.Models, r.Suggestions, &r.Distributions, &r.Operators, &r.Fits, r.Proxy, r.Measurements, r.Nights, &r.Conditions, &r.Warnings, &r.Missing} {
		spoil(reflect.ValueOf(v).Elem())
	}
	r.Summarize()
	return r
}

// spoil sets the texts in a value, except for those that say which of a few things is meant.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() && v.CanSet() {
			v.SetString(v.String() + hostile)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			spoil(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
		}
	case reflect.Struct:
		if v.Type().PkgPath() == "time" || v.Type().Name() == "Spec" || v.Type().Name() == "Subject" || v.Type().Name() == "Candidate" {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Name == "Problem" && v.Field(i).Len() == 0 { // one is a line more
				continue
			} else if f.IsExported() && f.Name != "Metric" && f.Name != "Verdict" && f.Name != "How" && f.Name != "Metrics" && (f.Name != "Quality" || f.Type.Kind() != reflect.String) {
				spoil(v.Field(i))
			}
		}
	}
}

// lines are a form of a report.
func lines(t failer, r *Report, form Form) []string {
	t.Helper()
	var out bytes.Buffer
	if err := r.Write(&out, form); err != nil {
		t.Fatal(err)
	}
	return strings.Split(out.String(), "\n")
}

// steering is a character that a terminal, or whoever shows text, obeys.
func steering(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) }

func TestHostileText(t *testing.T) {
	got := lines(t, hostileReport(), FormText)
	for _, l := range got {
		if i := strings.IndexFunc(l, steering); i >= 0 {
			t.Fatalf("%q has %q", l, l[i:])
		}
	}
	if !strings.Contains(strings.Join(got, "\n"), "<script>alert(1)</script>") {
		t.Error("names are not shown")
	}
}

// active is what Markdown, HTML within it or GitHub would take for its own, in a line whose
// escapes are taken for stops.
var active = regexp.MustCompile("(?i)[`*~$]|<[a-z/!?]|\\]\\(|\\]\\[|\\]:|&(?:#|[a-z])|(?:^|[^a-z0-9])@[a-z0-9]|#[0-9]|https?:/|www\\.|mailto:[a-z]|(?:^|[^\\pL\\pN_])_+[^ |]|[^ |]_+(?:$|[^\\pL\\pN_])")

var escaped = regexp.MustCompile("\\\\[!-/:-@\\[-`{-~]|&(?:amp|lt|#92);")

// checkMarkdown checks that nothing in a report's Markdown is active but its own.
func checkMarkdown(t failer, text string) {
	t.Helper()
	columns := 0
	for _, l := range strings.Split(text, "\n") {
		if i := strings.IndexFunc(l, func(r rune) bool { return steering(r) && string(r) != apart }); i >= 0 {
			t.Fatalf("%q has %q", l, l[i:])
		}
		bare := escaped.ReplaceAllString(l, ".")
		if m := active.FindString(bare); m != "" {
			t.Fatalf("%q has %q", l, m)
		}
		switch n := strings.Count(bare, "|"); {
		case !strings.HasPrefix(l, "|"):
			columns = 0
		case columns == 0:
			columns = n
		case n != columns:
			t.Fatalf("%q has %d bars, the row before it %d", l, n, columns)
		}
	}
}

func TestHostileMarkdown(t *testing.T) {
	got, want := lines(t, hostileReport(), FormMarkdown), lines(t, sampleReport(), FormMarkdown)
	checkMarkdown(t, strings.Join(got, "\n"))
	checkMarkdown(t, strings.Join(want, "\n"))
	kinds := func(of []string) (out []string) {
		for _, l := range of {
			k, _, _ := strings.Cut(l+" ", " ")
			if strings.Trim(k, "#|-") != "" {
				k = "text"
			}
			out = append(out, k[:min(len(k), 2)])
		}
		return out
	}
	if a, b := kinds(got), kinds(want); !reflect.DeepEqual(a, b) {
		t.Errorf("hostile names made other blocks: %d lines, want %d", len(a), len(b))
	}
}

// Names that mean no harm stay as they are.
func TestMarkdownNames(t *testing.T) {
	for in, want := range map[string]string{
		"gpt2-l12-d1024-f4096-h16": "gpt2-l12-d1024-f4096-h16", "latency_char": "latency_char", "d__model": "d__model", "0.9 [0.8, 1.0]": "0.9 [0.8, 1.0]",
		"model.onnx@01234567+t2": "model.onnx@01234567+t2", "a < b > c & d": "a < b > c & d", `C:\models`: `C:\models`, "5 #": "5 #",
		"_x_": `\_x\_`, "a_": `a\_`, "<b>": "&lt;b>", "&lt;": "&amp;lt;", "[a](b)": `[a\](b)`, "*": `\*`, `\*`: `&#92;\*`, `a\`: `a&#92;`,
		"@name": "@" + apart + "name", "a@b.example": "a@" + apart + "b.example", "#12": "#" + apart + "12", "http://x": "http:" + apart + "//x", "WWW.x": "WWW" + apart + ".x",
	} {
		if got := inMarkdown(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"# a": `\# a`, "- a": `\- a`, "12. a": `12\. a`, "12.5 ms": "12.5 ms", "  > a": `\> a`, "[x] a": `\[x] a`, "+ a": `\+ a`, "a": "a", "=": `\=`,
	} {
		if got := markdownLine(in); got != want {
			t.Errorf("line %q became %q, want %q", in, got, want)
		}
	}
}

// checkCSV reads a report's CSV back.
func checkCSV(t failer, data []byte) (rows [][]string) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		for j, cell := range row {
			if _, err := strconv.ParseFloat(cell, 64); err == nil {
				if f, _ := strconv.ParseFloat(cell, 64); 3 <= j && j <= 5 && (math.IsNaN(f) || math.IsInf(f, 0)) {
					t.Fatalf("row %d: %q is no number", i+1, cell)
				}
				continue
			}
			if 3 <= j && j <= 5 && i > 0 && cell != "" {
				t.Fatalf("row %d: %s %q is no number", i+1, csvHeader[j], cell)
			}
			if strings.ContainsAny(strings.TrimLeft(cell, " \"")+" ", "=+-@\t\r") && strings.ContainsAny(strings.TrimLeft(cell, " \"")[:1], "=+-@\t\r") || strings.ContainsFunc(cell, steering) {
				t.Fatalf("row %d: %s %q begins a formula, or steers", i+1, csvHeader[j], cell)
			}
		}
	}
	return rows
}

func TestHostileCSV(t *testing.T) {
	var out bytes.Buffer
	if err := hostileReport().Write(&out, FormCSV); err != nil {
		t.Fatal(err)
	}
	rows := checkCSV(t, out.Bytes())
	out.Reset()
	if err := sampleReport().Write(&out, FormCSV); err != nil {
		t.Fatal(err)
	}
	if n := len(checkCSV(t, out.Bytes())); n != len(rows) {
		t.Errorf("hostile names made %d rows of %d", len(rows), n)
	}
	for in, want := range map[string]string{
		"=1+1": "'=1+1", "-1.5": "-1.5", "+3": "+3", "-": "'-", "@SUM(A1)": "'@SUM(A1)", " =1": "' =1", "\"=1": "'\"=1", "\t=1": "' =1", "\r\n=1": "'  =1", "'=1": "''=1", "\uff1d1": "'\uff1d1",
		"a=b": "a=b", "gpt2-l2": "gpt2-l2", "": "", " ": " ",
	} {
		if got := CSVText(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// checkXML reads a report's JUnit back.
func checkXML(t failer, data []byte) (s junitSuites) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := xml.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestJUnit(t *testing.T) {
	for name, r := range map[string]*Report{"sample": sampleReport(), "hostile": hostileReport(), "empty": emptyReport()} {
		var out bytes.Buffer
		if err := r.Write(&out, FormJUnit); err != nil {
			t.Fatal(err)
		}
		s := checkXML(t, out.Bytes())
		passed, failed, skipped := r.checkCounts()
		if s.Tests != passed+failed+skipped || s.Failures != failed || s.Skipped != skipped {
			t.Errorf("%s: %d tests, %d failures, %d skipped; the report's checks: %d, %d, %d", name, s.Tests, s.Failures, s.Skipped, passed+failed+skipped, failed, skipped)
		}
		at := 0
		for _, suite := range s.Suites {
			for _, c := range suite.Cases {
				want := r.Checks[at].Status
				if want == CannotTell {
					want = Skipped
				}
				at++
				if got := map[bool]string{true: Failed}[c.Failure != nil] + map[bool]string{true: Skipped}[c.Skipped != nil]; got != want && (got != "" || want != Passed) {
					t.Errorf("%s: %s is %q, want %q", name, c.Name, got, want)
				}
			}
		}
	}
}

// Whatever texts and numbers a report has, its forms can be read.
func TestFormsOfAnything(t *testing.T) {
	number := rapid.OneOf(rapid.Float64Range(0.5, 2), rapid.Float64(), rapid.SampledFrom([]float64{0, -1, 1, 1e-300, 1e300, math.NaN(), math.Inf(1), math.Inf(-1), 5e-324}))
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", hostile, "=", "- a", "# a", "|", "\\", "](x)", "&#64;a", "_a_", "<!--", "[x]", "1) a", "\xff", "\u202e", "a\n\nb", "www.a.b"}))
	few := func() *Report {
		r := sampleReport()
		r.Measurements.Candidates, r.Nights.Rows, r.Front.Points = r.Measurements.Candidates[:3], r.Nights.Rows[65:67], r.Front.Points[:3]
		r.Front.Evaluated, r.Front.Iterations, r.Distributions, r.Operators = nil, r.Front.Iterations[:1], nil, r.Operators[1:]
		r.Fits[0].Points, r.Proxy.Plots = nil, nil
		return r
	}
	rapid.Check(t, func(t *rapid.T) {
		r := few()
		a := &anything{rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), rapid.SliceOfN(number, 1, 4).Draw(t, "numbers"), rapid.SliceOfN(text, 1, 4).Draw(t, "texts")}
		for _, v := range []any{&r.Title, r.Front, &r.Models, r.Suggestions, &r.Operators, &r.Fits, r.Proxy, r.Measurements, r.Nights, &r.Conditions, &r.Warnings, &r.Missing} {
			a.set(reflect.ValueOf(v).Elem())
		}
		r.Summarize()
		if len(r.Summary) != 3 {
			t.Fatalf("summary: %q", r.Summary)
		}
		all, err := r.parts()
		if err != nil {
			t.Fatal(err)
		}
		doc := formed(t, r)
		cellsOf(all, func(where string, c cell) {
			if err := agrees(doc, c); err != nil {
				t.Fatalf("%s: %v", where, err)
			}
		})
		for _, l := range lines(t, r, FormText) {
			if i := strings.IndexFunc(l, steering); i >= 0 {
				t.Fatalf("%q has %q", l, l[i:])
			}
		}
		checkMarkdown(t, strings.Join(lines(t, r, FormMarkdown), "\n"))
		checkCSV(t, []byte(strings.Join(lines(t, r, FormCSV), "\n")))
		checkXML(t, []byte(strings.Join(lines(t, r, FormJUnit), "\n")))
	})
}

// anything sets a tenth of the numbers and texts of a report.
type anything struct {
	rng     *rand.Rand
	numbers []float64
	texts   []string
}

func (a *anything) set(v reflect.Value) {
	some := a.rng.IntN(10) == 0
	switch v.Kind() {
	case reflect.String:
		if some {
			v.SetString(a.texts[a.rng.IntN(len(a.texts))])
		}
	case reflect.Float64:
		if some {
			v.SetFloat(a.numbers[a.rng.IntN(len(a.numbers))])
		}
	case reflect.Int, reflect.Int64:
		if some {
			v.SetInt(a.rng.Int64N(math.MaxInt32) - 2)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			a.set(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			a.set(v.Index(i))
		}
	case reflect.Struct:
		if v.Type().PkgPath() == "time" || v.Type().Name() == "Spec" || v.Type().Name() == "Subject" || v.Type().Name() == "Candidate" {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				a.set(v.Field(i))
			}
		}
	}
}
