package reports

import "strconv"

// conditionsPart is what the figures hold under.
func (r *Report) conditionsPart(figures) part {
	p := part{title: "Conditions"}
	g := &grid{columns: []column{{"condition", true}, {"value", true}}}
	for i, c := range r.Conditions {
		a := pointer("/conditions").of(i)
		g.add(a.of("name").orDash(c.Name), a.of("value").orDash(c.Value))
	}
	p.blocks = []block{g}
	return p
}

// warningsPart is every doubt, once.
func (r *Report) warningsPart(figures) part {
	p := part{title: "Warnings"}
	g := &grid{columns: []column{{"of", true}, {"warning", true}, {"times", false}}}
	for i, w := range r.Warnings {
		a := pointer("/warnings").of(i)
		g.add(a.of("where").orDash(w.Where), a.of("text").orDash(w.Text), cell{text: strconv.Itoa(w.Times), paths: []string{string(a.of("times"))}})
	}
	p.blocks = []block{g}
	return p
}

// missingPart is what the report could have, and what makes it.
func (r *Report) missingPart(figures) part {
	p := part{title: "Missing parts"}
	g := &grid{columns: []column{{"part", true}, {"command that makes it", true}}}
	for i, m := range r.Missing {
		a := pointer("/missing").of(i)
		g.add(a.of("part").orDash(m.Part), a.of("command").orDash(m.Command))
	}
	p.blocks = []block{g}
	return p
}
