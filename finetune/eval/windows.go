package eval

// Document is a text's tokens, which are scored apart from all others'.
type Document struct {
	// IDs are its tokens, the first of which is not scored: one that begins a
	// sequence, if there is any, else the text's own.
	IDs []int64
	// Lead is how many bytes of the first scored token are not the text's own, as
	// the space is that some tokenizers put before a text.
	Lead int
}

// span is a window in a document: tokens begin to end, the last so many scored.
type span struct{ doc, begin, end, scored int }

// spans parts a document of n tokens into windows of context tokens, stride apart.
// What a window has before its scored tokens is context alone.
func spans(doc, n, context, stride int) (out []span) {
	reached := 0 // tokens that windows before have scored, or have passed over
	for begin := 0; reached < n; begin += stride {
		end := min(begin+context, n)
		scored := min(end-reached, end-begin-1) // a window's first has nothing before it
		if scored > 0 {
			out = append(out, span{doc, begin, end, scored})
		}
		reached = end
	}
	return out
}
