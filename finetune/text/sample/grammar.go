package sample

import (
	"fmt"
	"strings"
)

// message is a message that is being made: what it speaks of, by the names that
// patterns have for it.
type message struct {
	d     dice
	slots map[string]string
}

// expand writes a pattern out. [a|b] is one of several, each a pattern; {name} is what
// the message speaks of, which may be a pattern too. A name with a capital has one.
func (m *message) expand(pattern string) string {
	var out strings.Builder
	for pattern != "" {
		i := strings.IndexAny(pattern, "[{")
		if i < 0 {
			out.WriteString(pattern)
			break
		}
		out.WriteString(pattern[:i])
		inside, rest := bracketed(pattern[i:])
		if pattern[i] == '[' {
			out.WriteString(m.expand(one(m.d, alternatives(inside))))
		} else {
			out.WriteString(m.slot(inside))
		}
		pattern = rest
	}
	return out.String()
}

func (m *message) slot(name string) string {
	if s, ok := m.slots[name]; ok {
		return m.expand(s)
	}
	lower := strings.ToLower(name[:1]) + name[1:]
	s, ok := m.slots[lower]
	if !ok {
		panic(fmt.Sprintf("sample: a pattern has {%s}, which nothing fills", name))
	}
	s = m.expand(s)
	return strings.ToUpper(s[:1]) + s[1:]
}

// bracketed parts a pattern that begins with a bracket behind the one that closes it.
func bracketed(s string) (inside, rest string) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return s[1:i], s[i+1:]
			}
		}
	}
	panic(fmt.Sprintf("sample: the pattern %q does not close a bracket", s))
}

// alternatives are what | parts, outside of brackets.
func alternatives(s string) (all []string) {
	depth, from := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '|':
			if depth == 0 {
				all = append(all, s[from:i])
				from = i + 1
			}
		}
	}
	return append(all, s[from:])
}
