package reports

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"lathe/graphgen/arch"
	"lathe/profiler/stat"
)

// pointer is a place in the report's JSON form, as a JSON pointer.
type pointer string

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// of is a place further in, by keys and indices.
func (a pointer) of(steps ...any) pointer {
	for _, s := range steps {
		switch s := s.(type) {
		case string:
			a += pointer("/" + pointerEscapes.Replace(s))
		case int:
			a += pointer("/" + strconv.Itoa(s))
		}
	}
	return a
}

// written is a string of the model.
func (a pointer) written(s string) cell {
	return cell{text: s, paths: []string{string(a)}, as: asWritten}
}

// orDash is a string of the model, or a dash for an empty one.
func (a pointer) orDash(s string) cell {
	if s == "" {
		return words(none)
	}
	return a.written(s)
}

// count is a whole number with its thousands apart.
func (a pointer) count(n int) cell { return cell{text: grouped(int64(n)), paths: []string{string(a)}} }

// counted is a count with the noun that it counts.
func (a pointer) counted(n int, noun string) cell {
	c := a.count(n)
	c.text += " " + noun
	if n != 1 {
		c.text += "s"
	}
	return c
}

// millions is a count of parameters; one of nothing is not known.
func (a pointer) millions(n int64) cell {
	if n <= 0 {
		return words(none)
	}
	return cell{text: millions(n), paths: []string{string(a)}, as: asMillions}
}

// number is a number as text prints it; one that is not finite is not known.
func (a pointer) number(v float64, text func(float64) string, as scaling) cell {
	s := sure(text)(v)
	if s == none {
		return words(none)
	}
	return cell{text: s, paths: []string{string(a)}, as: as}
}

// pointed is a number that may not be there.
func (a pointer) pointed(v *float64, text func(float64) string, as scaling) cell {
	if v == nil {
		return words(none)
	}
	return a.number(*v, text, as)
}

// sure prints a dash for what is not finite, or would not be once it is scaled and rounded.
func sure(text func(float64) string) func(float64) string {
	return func(v float64) string {
		if !(math.Abs(v) < 1e300) {
			return none
		}
		return text(v)
	}
}

// measure is a figure with its interval: 0.921 [0.905, 0.938].
func (a pointer) measure(m Measure, text func(float64) string, as scaling) cell {
	if m.Value == nil {
		return words(none)
	}
	return withCI(a.of("value"), *m.Value, a.of("ci"), m.CI, text, as)
}

// figure is a measure's figure alone.
func (a pointer) figure(m Measure, text func(float64) string, as scaling) cell {
	return a.of("value").pointed(m.Value, text, as)
}

// withCI is a figure with an interval beside it in the model, without brackets where there
// is none.
func withCI(a pointer, v float64, ci pointer, iv *stat.Interval, text func(float64) string, as scaling) cell {
	c := a.number(v, text, as)
	ends := ci.interval(iv, text, as)
	if len(ends.paths) == 0 {
		return c
	}
	c.text += " [" + ends.text + "]"
	c.paths, c.as = append(c.paths, ends.paths...), as
	return c
}

// interval is both ends: 0.905, 0.938.
func (a pointer) interval(iv *stat.Interval, text func(float64) string, as scaling) cell {
	ci, ok := known(iv)
	if !ok {
		return words(none)
	}
	low, high := a.of(0).number(ci.Low, text, as), a.of(1).number(ci.High, text, as)
	return cell{text: low.text + ", " + high.text, paths: append(low.paths, high.paths...), as: as}
}

// known is a cell without paths where it has nothing to show.
func (c cell) known() cell {
	if c.text == "" {
		c.paths, c.as = nil, asIs
	}
	return c
}

// marked sets a cell apart.
func (c cell) marked(mark string) cell {
	c.mark = mark
	return c
}

// sizes are n_layer, d_model, d_inner and n_head. Where layers differ, the JSON form lists
// them, and no number of it is what is shown here.
func (a pointer) sizes(s arch.Spec) []cell {
	if len(s.Layers) == 0 {
		return []cell{words(none), words(none), words(none), words(none)}
	}
	inner, heads := layerSizes(s)
	out := []cell{words(strconv.Itoa(len(s.Layers))), words(strconv.Itoa(s.DModel)), words(inner), words(heads)}
	var form map[string]json.RawMessage
	if b, err := json.Marshal(s); err != nil || json.Unmarshal(b, &form) != nil {
		return out
	}
	for i, key := range []string{"n_layer", "d_model", "d_inner", "n_head"} {
		if string(form[key]) == out[i].text {
			out[i].paths = []string{string(a.of(key))}
		}
	}
	return out
}

// text is a sentence without what its words are from.
func (s sentence) text() string {
	var out strings.Builder
	for _, c := range s {
		out.WriteString(c.text)
	}
	return out.String()
}

// mostRows is how many rows a table for people has; JSON and CSV have all.
const mostRows = 40

// cut leaves rows out that are more than people read.
func (g *grid) cut() *grid {
	if n := len(g.rows); n > mostRows {
		g.rows, g.more = g.rows[:mostRows], n-mostRows
	}
	return g
}

func (g *grid) add(cells ...cell) { g.rows = append(g.rows, cells) }
