package arch

import (
	"fmt"
	"strings"
)

// EmptyError says that no point of a Space satisfies its constraints, and which
// of them is to blame.
type EmptyError struct {
	Size        int // points before the constraints
	Invalid     int // of these, points whose n_head does not fit d_model; see Compiled.Invalid
	Constraints []ConstraintCount

	rotary bool // the family has rotary positions, which ask more of n_head
}

// ConstraintCount is what one constraint does to an empty Space.
type ConstraintCount struct {
	Constraint string
	Alone      int // points left by it alone
	Without    int // points left by all the others
}

func (e *EmptyError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "arch: space: no point of %s is left", thousands(int64(e.Size)))
	into := ""
	if e.rotary {
		into = " into heads of even size that share keys and values evenly"
	}
	if e.Invalid == e.Size {
		b.WriteString(": no n_head divides any d_model" + into)
		return b.String()
	}
	if e.Invalid > 0 {
		fmt.Fprintf(&b, " (in %s of them n_head does not divide d_model%s)", thousands(int64(e.Invalid)), into)
	}
	for _, c := range e.Constraints {
		fmt.Fprintf(&b, "\n  %s: alone it leaves %s points, without it %s are left",
			shorten(c.Constraint), thousands(int64(c.Alone)), thousands(int64(c.Without)))
	}
	if culprits := e.culprits(); len(culprits) > 0 {
		fmt.Fprintf(&b, "\n  change %s", strings.Join(culprits, " or "))
	} else {
		b.WriteString("\n  no single one is to blame: change at least two")
	}
	return b.String()
}

// culprits are the constraints without which points would be left.
func (e *EmptyError) culprits() []string {
	var names []string
	for _, c := range e.Constraints {
		if c.Without > 0 {
			names = append(names, shorten(c.Constraint))
		}
	}
	return names
}

// countPoints sets count and valid.
func (c *Compiled) countPoints() {
	count := func(tables []table) (n int) {
		c.each(tables, func([4]int) bool { n++; return true })
		return n
	}
	c.valid = count(c.tables[:1])
	c.count = count(c.tables)
}

// diagnose says why count is 0.
func (c *Compiled) diagnose() error {
	e := &EmptyError{Size: c.Size(), Invalid: c.Invalid(), rotary: families[c.space.Family].rotary}
	for _, text := range c.space.Constraints {
		e.Constraints = append(e.Constraints, ConstraintCount{Constraint: text})
	}
	c.each(c.tables[:1], func(i [4]int) bool {
		failing, last := 0, 0
		for k, t := range c.tables[1:] {
			if t.at(i) {
				e.Constraints[k].Alone++
			} else {
				failing, last = failing+1, k
			}
		}
		if failing == 1 {
			e.Constraints[last].Without++
		}
		return true
	})
	return e
}
