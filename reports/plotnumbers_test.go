package reports

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// derived are the numbers in what plots say that are computed from the model's: quotients,
// sums of a rest, errors of a prediction, numbers of what is drawn.
var derived = regexp.MustCompile(`at \d[\d.]* of its decoder parameters` +
	`|\d+ others: .*` +
	`|\([-+]\d+\.\d %\)` +
	`|Mean error of [^:]+: \d+\.\d %` +
	`|bands of errors of 5 and 10 %` +
	`|P(50|95|99)\b|\d+ (candidates|models|points|iterations|nights|measured candidates|architectures)\b` +
	`|\d+ have a d_inner of at least \d+ times d_model` +
	`|changes of level: \d+`)

// What the figures of a page say of numbers are numbers of the JSON form, rounded.
func TestPlotNumbers(t *testing.T) {
	r := sampleReport()
	r.Summarize()
	doc := formed(t, r)
	var all []float64 // of the model, in each way in which one is shown
	var texts strings.Builder
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		case json.Number:
			if f, err := v.Float64(); err == nil {
				all = append(all, f, 100*f, 100*(f-1))
			}
		case string:
			texts.WriteString(v + "\n")
		}
	}
	walk(doc)
	slices.Sort(all)
	near := func(v, half float64) bool {
		i, _ := slices.BinarySearch(all, v-half-1e-9*math.Abs(v))
		return i < len(all) && all[i] <= v+half+1e-9*math.Abs(v)
	}
	isModels := func(s, after string) bool {
		v, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
		if err != nil {
			return false
		}
		switch { // truncated, as the paper prints them
		case strings.HasPrefix(after, "M"):
			return near(v*1e6+5e5, 5e5)
		case strings.HasPrefix(after, "k"):
			return near(v*1e3+500, 500)
		}
		return near(v, unitOf(s)/2)
	}
	plots, err := r.Plots()
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, p := range plots {
		said := []string{p.Alt}
		for _, s := range p.Drawing.spots {
			said = append(said, s.detail)
		}
		for _, text := range said {
			rest := derived.ReplaceAllString(text, "")
			for _, word := range strings.Fields(rest) { // names, times and phases are strings of the model
				if w := strings.Trim(word, ",;:.()"); strings.ContainsAny(w, "0123456789") && !numbers.MatchString("^"+w) && strings.Contains(texts.String(), w) {
					rest = strings.ReplaceAll(rest, w, "")
				} else if strings.ContainsFunc(w, func(c rune) bool { return c >= 'a' && c <= 'z' }) && strings.Contains(texts.String(), w) {
					rest = strings.ReplaceAll(rest, w, "")
				}
			}
			for _, at := range numbers.FindAllStringIndex(rest, -1) {
				looked++
				if s := rest[at[0]:at[1]]; !isModels(s, rest[at[1]:]) {
					t.Errorf("%s says %q, whose %s is no number of the report", p.Name, text, s)
				}
			}
		}
	}
	if looked < 300 {
		t.Errorf("only %d numbers were found", looked)
	}
}
