package tokenizer

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// added is a token that is matched by its text and not made by merges. A special
// one is none of the text's: it is matched only where that is asked for, and shows
// nothing.
type added struct {
	content string
	id      int
	special bool
	// White space beside it is swallowed; it is not found inside of a word.
	before, behind, whole bool
}

// add enters the added tokens, whose ids number has made room for.
func (t *Tokenizer) add(extra []added) {
	t.named = make(map[string]int, len(extra))
	t.isAdded, t.isSpecial = make([]bool, len(t.bytes)), make([]bool, len(t.bytes))
	for _, a := range extra {
		t.named[a.content] = a.id
		t.bytes[a.id], t.isAdded[a.id], t.isSpecial[a.id] = a.content, true, a.special
	}
	t.literal = newFinder(extra, func(a added) bool { return !a.special })
	t.all = newFinder(extra, func(added) bool { return true })
}

// finder finds added tokens in a text, the longest at each place.
type finder struct {
	re *regexp.Regexp
	by map[string]added
}

// hit is a place in a text that is an added token's.
type hit struct {
	begin, end, id int
	special        bool
}

// newFinder finds the tokens that want holds of; it is nil if there is none.
func newFinder(extra []added, want func(added) bool) *finder {
	f := &finder{by: map[string]added{}}
	var names []string
	for _, a := range extra {
		if want(a) {
			names = append(names, regexp.QuoteMeta(a.content))
			f.by[a.content] = a
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	f.re = regexp.MustCompile(strings.Join(names, "|"))
	f.re.Longest()
	return f
}

// find returns the hits in text, which do not overlap, from the left.
func (f *finder) find(text string) []hit {
	if f == nil {
		return nil
	}
	var hits []hit
	from := 0
	for _, at := range f.re.FindAllStringIndex(text, -1) {
		begin, end := at[0], at[1]
		a := f.by[text[begin:end]]
		if begin < from || a.whole && inWord(text, begin, end) {
			continue
		}
		if a.before {
			begin = from + len(strings.TrimRightFunc(text[from:begin], unicode.IsSpace))
		}
		if a.behind {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
		}
		hits = append(hits, hit{begin, end, a.id, a.special})
		from = end
	}
	return hits
}

// inWord reports whether a letter, a digit, a mark or _ is next to text[begin:end].
func inWord(text string, begin, end int) bool {
	word := func(r rune) bool {
		return r == '_' || unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Pc)
	}
	before, _ := utf8.DecodeLastRuneInString(text[:begin])
	behind, _ := utf8.DecodeRuneInString(text[end:])
	return begin > 0 && word(before) || end < len(text) && word(behind)
}
