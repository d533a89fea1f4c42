package reports

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain is a text in one line that steers no terminal, ends no reader of XML and turns no
// text around it: names come from files, stores and other people.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r == 0xfffe, r == 0xffff:
			return ' '
		case unicode.Is(unicode.Cf, r): // turns or hides the text around it
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// PlainLines is Plain of each line.
func PlainLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Plain(lines[i])
	}
	return strings.Join(lines, "\n")
}

// apart is nothing that is seen, and parts what would be read as one.
const apart = "\u200b"

// schemes are what GitHub makes a link of by itself. No escape keeps it from that: it looks
// for them in the text that Markdown became.
var schemes = regexp.MustCompile(`(?i)(www|https?:|ftp:|mailto:|xmpp:)(\.|/|[[:alnum:]])`)

// domain is what follows the @ of an address, of which GitHub makes a link; alone, such as in
// model.onnx@01234567, it makes nothing of an @ within a word.
var domain = regexp.MustCompile(`^[\w-]+\.[[:alnum:]]`)

// inMarkdown escapes what GitHub's Markdown, or HTML within it, would take for its own, and
// leaves all else as it is: gpt2-l12 and d_inner and [0.9, 1.1] are what they seem.
func inMarkdown(s string) string {
	s = Plain(s)
	var out strings.Builder
	before := ' '
	for i, r := range s {
		rest := s[i+utf8.RuneLen(r):]
		next, _ := utf8.DecodeRuneInString(rest)
		if rest == "" {
			next = ' '
		}
		letter := next < utf8.RuneSelf && unicode.IsLetter(next)
		switch {
		case r == '&' && (letter || next == '#'):
			out.WriteString("&amp;")
		case r == '<' && (letter || strings.ContainsRune("/!?", next)):
			out.WriteString("&lt;")
		case r == '\\' && (next == ' ' && rest == "" || next < utf8.RuneSelf && (unicode.IsPunct(next) || unicode.IsSymbol(next))):
			out.WriteString("&#92;")
		case r == '`' || r == '*' || r == '~' || r == '$' || r == '_' && !(within(before) && within(afterUnderscores(rest))):
			out.WriteString(`\` + string(r))
		case r == ']' && strings.ContainsRune("([:", next) && rest != "":
			out.WriteString(`\]`)
		case r == '@' && (!(before < utf8.RuneSelf && within(before)) && within(next) || domain.MatchString(rest)) || r == '#' && unicode.IsDigit(next):
			out.WriteString(string(r) + apart)
		default:
			out.WriteRune(r)
		}
		if r != '_' {
			before = r
		}
	}
	return schemes.ReplaceAllString(out.String(), "${1}"+apart+"${2}")
}

// within is whether an underscore beside a character is inside a word.
func within(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func afterUnderscores(s string) rune {
	r, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, "_"))
	return r
}

// markdownCell is a text in a cell of a table.
func markdownCell(s string) string { return strings.ReplaceAll(inMarkdown(s), "|", `\|`) }

// blockStart is what begins a block of its own at the start of a line, or a task in a list.
var blockStart = regexp.MustCompile(`^(?:[#>|]|[+-](?:\s|$)|--|=+\s*$|\d{1,9}[.)](?:\s|$)|\[[ xX]\])`)

// markdownLine is a text that begins a line, or an item of a list.
func markdownLine(s string) string {
	s = strings.TrimLeftFunc(inMarkdown(s), unicode.IsSpace)
	if m := blockStart.FindString(s); m != "" {
		at := 0
		if '0' <= m[0] && m[0] <= '9' {
			at = strings.IndexAny(m, ".)")
		}
		s = s[:at] + `\` + s[at:]
	}
	return s
}
