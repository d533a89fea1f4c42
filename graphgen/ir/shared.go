package ir

import (
	"fmt"
	"strings"
)

// Shared runs f, within which a node that computes what one before it does is not
// emitted again: its emitter returns that one's outputs. Every operator of ours is a
// function of its operands. A body that is built within f shares among its own nodes.
func (b *Builder) Shared(f func()) {
	before := b.shared
	b.shared = map[string]*Node{}
	for _, n := range b.g.Nodes {
		if key := computation(n.Op, n.Domain, n.Attrs, n.Inputs); n.Body() == nil && b.shared[key] == nil {
			b.shared[key] = n
		}
	}
	f()
	b.shared = before
}

// Apart runs f, within which nothing is shared, not even within [Builder.Shared]: what
// it emits is a part of its own.
func (b *Builder) Apart(f func()) {
	before := b.shared
	b.shared = nil
	f()
	b.shared = before
}

// computation says what a node computes: nodes of which it is equal are equal.
func computation(op, domain string, attrs []Attr, inputs []*Value) string {
	var key strings.Builder
	fmt.Fprintf(&key, "%s.%s %v", domain, op, attrs)
	for _, v := range inputs {
		fmt.Fprintf(&key, " %p", v)
	}
	return key.String()
}
