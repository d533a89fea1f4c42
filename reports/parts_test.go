package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// failer is a test, of testing or of rapid.
type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// formed is the JSON form of a report, decoded.
func formed(t failer, r *Report) (doc any) {
	t.Helper()
	var out bytes.Buffer
	if err := r.Write(&out, FormJSON); err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(&out)
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// resolve is what a JSON pointer (RFC 6901) points to.
func resolve(doc any, path string) (any, error) {
	for _, step := range strings.Split(path, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch in := doc.(type) {
		case map[string]any:
			next, ok := in[step]
			if !ok {
				return nil, fmt.Errorf("%s: there is no %q", path, step)
			}
			doc = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(in) {
				return nil, fmt.Errorf("%s: no index %q of %d", path, step, len(in))
			}
			doc = in[i]
		default:
			return nil, fmt.Errorf("%s: %q of a %T", path, step, doc)
		}
	}
	return doc, nil
}

var numbers = regexp.MustCompile(`[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?`)

// agrees checks that a cell shows the model's numbers, each within half a unit of its last
// digit.
func agrees(doc any, c cell) error {
	if c.as == asWritten {
		if len(c.paths) != 1 {
			return fmt.Errorf("%q has the paths %q: want one", c.text, c.paths)
		}
		v, err := resolve(doc, c.paths[0])
		text := string([]rune(c.text)) // what is no UTF-8 is replaced, as JSON does
		if s, ok := v.(string); err == nil && (!ok || s != text && s != text+".") {
			err = fmt.Errorf("%s is %v, shown as %q", c.paths[0], v, c.text)
		}
		return err
	}
	shown := numbers.FindAllString(c.text, -1)
	if len(c.paths) == 0 {
		return nil
	}
	if len(shown) != len(c.paths) {
		return fmt.Errorf("%q has %d numbers, and %d paths: %q", c.text, len(shown), len(c.paths), c.paths)
	}
	for i, path := range c.paths {
		v, err := resolve(doc, path)
		if err != nil {
			return err
		}
		n, ok := v.(json.Number)
		if !ok {
			return fmt.Errorf("%s is %v, shown as %q", path, v, c.text)
		}
		want, err := n.Float64()
		if err != nil {
			return err
		}
		got, err := strconv.ParseFloat(strings.ReplaceAll(shown[i], ",", ""), 64)
		if err != nil {
			return err
		}
		half := unitOf(shown[i]) / 2
		switch c.as {
		case asPercent:
			want *= 100
		case asChange:
			want = 100 * (want - 1)
		case asMillions:
			unit := 1e3
			if strings.HasSuffix(c.text, "M") {
				unit = 1e6
			}
			digit := unitOf(shown[i])
			want, half = math.Floor(want/unit/digit)*digit, 0
		}
		if math.Abs(got-want) > half*(1+1e-9)+1e-9*math.Abs(want) {
			return fmt.Errorf("%s is %v, shown as %q (%s)", path, n, c.text, c.as)
		}
	}
	return nil
}

// unitOf is one of the last digit of a number.
func unitOf(s string) float64 {
	mantissa, exponent, _ := strings.Cut(s, "e")
	e, _ := strconv.Atoi(exponent)
	if _, decimals, ok := strings.Cut(mantissa, "."); ok {
		e -= len(decimals)
	}
	return math.Pow(10, float64(e))
}

// cellsOf are all cells of parts, and where each is.
func cellsOf(all []part, visit func(where string, c cell)) {
	for _, p := range all {
		sentences := func(where string, of []sentence) {
			for i, s := range of {
				for _, c := range s {
					visit(fmt.Sprintf("%s, %s %d", p.key, where, i), c)
				}
			}
		}
		sentences("prose", p.prose)
		for _, b := range p.blocks {
			switch b := b.(type) {
			case *list:
				sentences("list", b.items)
			case *grid:
				for i, row := range b.rows {
					for j, c := range row {
						visit(fmt.Sprintf("%s, %s, row %d, %s", p.key, b.caption, i, b.columns[j].name), c)
					}
				}
			}
		}
	}
}

// Every number that a form for people shows is the JSON form's, rounded.
func TestPartsAgreeWithJSON(t *testing.T) {
	for name, r := range map[string]*Report{"sample": sampleReport(), "empty": emptyReport(), "hostile": hostileReport()} {
		all, err := r.parts()
		if err != nil {
			t.Fatal(err)
		}
		doc, n := formed(t, r), 0
		cellsOf(all, func(where string, c cell) {
			n += len(c.paths)
			if err := agrees(doc, c); err != nil {
				t.Errorf("%s: %s: %v", name, where, err)
			}
		})
		if name != "empty" && n < 500 {
			t.Errorf("%s: %d numbers and names have a place in the JSON form, want 500 at least", name, n)
		}
		for _, p := range all {
			for _, b := range p.blocks {
				if g, ok := b.(*grid); ok {
					for i, row := range g.rows {
						if len(row) != len(g.columns) {
							t.Errorf("%s: %s: row %d of %q has %d cells, want %d", name, p.key, i, g.caption, len(row), len(g.columns))
						}
					}
				}
			}
		}
	}
}

// What the check of agreement is worth: it finds what is wrong.
func TestAgrees(t *testing.T) {
	doc := formed(t, &Report{Title: "x", Conditions: []Condition{{"a/b", "0.5"}}, Front: &Front{Evaluations: 12345, SpacePoints: 0.1234}})
	for _, c := range []struct {
		cell cell
		ok   bool
	}{
		{cell{text: "12,345 candidates", paths: []string{"/front/evaluations"}}, true},
		{cell{text: "12,344 candidates", paths: []string{"/front/evaluations"}}, false},
		{cell{text: "12k", paths: []string{"/front/evaluations"}, as: asMillions}, true},
		{cell{text: "13k", paths: []string{"/front/evaluations"}, as: asMillions}, false},
		{cell{text: "0.123", paths: []string{"/front/space_points"}}, true},
		{cell{text: "0.124", paths: []string{"/front/space_points"}}, false},
		{cell{text: "12.3 %", paths: []string{"/front/space_points"}, as: asPercent}, true},
		{cell{text: "-87.7 %", paths: []string{"/front/space_points"}, as: asChange}, true},
		{cell{text: "87.7 %", paths: []string{"/front/space_points"}, as: asChange}, false},
		{cell{text: "1", paths: []string{"/front/nothing"}}, false},
		{cell{text: "1 2", paths: []string{"/front/evaluations"}}, false},
		{cell{text: "0.5", paths: []string{"/conditions/0/value"}}, false},
		{cell{text: "0.5", paths: []string{"/conditions/0/value"}, as: asWritten}, true},
		{cell{text: "0.6", paths: []string{"/conditions/0/value"}, as: asWritten}, false},
	} {
		if err := agrees(doc, c.cell); (err == nil) != c.ok {
			t.Errorf("%+v: %v, want %v", c.cell, err, c.ok)
		}
	}
}

// JSON with a number that is not finite has null there, and all else as before.
func TestFiniteJSON(t *testing.T) {
	r := sampleReport()
	var want, got bytes.Buffer
	if err := r.writeJSON(&want); err != nil {
		t.Fatal(err)
	}
	quality := r.Front.Points[3].Quality
	r.Front.Points[3].Quality, r.Distributions[0].Own[0] = math.NaN(), math.Inf(1)
	r.Models[0].Latency.Drift = math.Inf(-1)
	if err := r.writeJSON(&got); err != nil {
		t.Fatal(err)
	}
	for path, null := range map[string]bool{"/front/points/3/quality": true, "/latency_distributions/0/own_ms/0": true, "/models/0/latency/drift": true, "/front/points/2/quality": false} {
		var doc any
		if err := json.Unmarshal(got.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		if v, err := resolve(doc, path); err != nil || (v == nil) != null {
			t.Errorf("%s: %v, %v", path, v, err)
		}
	}
	old, changed := strings.Split(want.String(), "\n"), strings.Split(got.String(), "\n")
	if len(old) != len(changed) {
		t.Fatalf("%d lines, with numbers that are not finite %d", len(old), len(changed))
	}
	n := 0
	for i := range old {
		if old[i] != changed[i] {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d lines differ, want 3 (quality was %v)", n, quality)
	}
}

// The baseline is in a front's table where its quality is, and no unit of an axis is said of
// values that are not divided by it.
func TestFrontTableIsInOrder(t *testing.T) {
	point := func(name string, quality float64) Candidate { return Candidate{Name: name, Quality: quality} }
	base, pick := point("base", 25), point("b", 20)
	f := &Front{Quality: "total_params", QualityLabel: "parameters (millions)", QualityUnit: 1e6, HigherBetter: true, Baseline: &base, Pick: &pick, Points: []Candidate{point("a", 30), pick, point("c", 10)}}
	for _, c := range []struct {
		quality float64
		higher  bool
		want    string
	}{{25, true, "a base b c"}, {40, true, "base a b c"}, {1, true, "a b c base"}, {25, false, "c b base a"}} {
		if base.Quality, f.HigherBetter = c.quality, c.higher; !c.higher {
			slices.Reverse(f.Points)
		}
		g := f.withEnds(f.table("", pointer("/front/points"), f.Points), pointer("/front"))
		var got []string
		for _, row := range g.rows {
			got = append(got, row[0].text)
		}
		if s := strings.Join(got, " "); s != c.want || g.columns[4].name != "parameters" {
			t.Errorf("%+v: %s, %s", c, s, g.columns[4].name)
		}
	}
}
