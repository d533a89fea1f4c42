package tokenizer

import (
	"fmt"
	"regexp"

	"golang.org/x/text/unicode/norm"
)

// hfStep is a normaliser or pre-tokeniser of a tokenizer.json, or a sequence of them.
type hfStep struct {
	Type          string    `json:"type"`
	Normalizers   []*hfStep `json:"normalizers"`
	Pretokenizers []*hfStep `json:"pretokenizers"`

	AddPrefixSpace *bool  `json:"add_prefix_space"` // ByteLevel's and Metaspace's
	UseRegex       *bool  `json:"use_regex"`        // ByteLevel's; absent is true
	Prepend        string `json:"prepend"`          // Prepend's
	Pattern        struct {
		String *string `json:"String"`
		Regex  *string `json:"Regex"`
	} `json:"pattern"` // Split's and Replace's
	Content       string `json:"content"`           // Replace's
	Behavior      string `json:"behavior"`          // Split's
	Invert        bool   `json:"invert"`            // Split's
	Individual    bool   `json:"individual_digits"` // Digits'
	Replacement   string `json:"replacement"`       // Metaspace's
	PrependScheme string `json:"prepend_scheme"`    // Metaspace's
	Split         *bool  `json:"split"`             // Metaspace's; absent is true

	CharsMap []byte `json:"precompiled_charsmap"` // Precompiled's, in base64
	Left     bool   `json:"strip_left"`           // Strip's
	Right    bool   `json:"strip_right"`          // likewise
}

// hfLeaf is a step that is no sequence, and where the file has it.
type hfLeaf struct {
	*hfStep
	at string
}

// maxDepth bounds sequences of sequences.
const maxDepth = 8

// leaves are the steps of s in their order; s may be nil.
func (s *hfStep) leaves(at string) ([]hfLeaf, error) { return s.leavesTo(nil, at, maxDepth) }

func (s *hfStep) leavesTo(all []hfLeaf, at string, depth int) ([]hfLeaf, error) {
	if s == nil {
		return all, nil
	}
	if s.Type != "Sequence" {
		return append(all, hfLeaf{s, at}), nil
	}
	if depth == 0 {
		return nil, fmt.Errorf("%s: more than %d sequences inside one another", at, maxDepth)
	}
	name, steps := "normalizers", s.Normalizers
	if steps == nil {
		name, steps = "pretokenizers", s.Pretokenizers
	}
	var err error
	for i, step := range steps {
		if all, err = step.leavesTo(all, fmt.Sprintf("%s.%s[%d]", at, name, i), depth-1); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// usesMark reports whether spaces become mark.
func usesMark(normal, pre []hfLeaf) bool {
	for _, s := range normal {
		if s.escapes() {
			return true
		}
	}
	for _, s := range pre {
		if s.Type == "Metaspace" {
			return true
		}
	}
	return false
}

// escapes reports whether s replaces spaces by mark.
func (s hfLeaf) escapes() bool {
	return s.Type == "Replace" && s.Pattern.String != nil && *s.Pattern.String == " " && s.Content == mark
}

// steps takes over what a byte-level tokenizer's steps do, or reports the first that
// is not supported.
func (b *byteLevelFile) steps(m *hfModel, normal, pre []hfLeaf) error {
	for _, s := range normal {
		if s.Type != "NFC" {
			return unsupported("it has a normalizer, %q, which changes the text", s.Type)
		}
		b.normalize = norm.NFC.String
	}
	if len(pre) == 0 {
		return unsupported("it has no pre_tokenizer")
	}
	if m.ByteFallback {
		return unsupported("model.byte_fallback is true, a SentencePiece vocabulary's")
	}
	for i, s := range pre {
		last := i == len(pre)-1
		switch {
		case last != (s.Type == "ByteLevel"):
			return unsupported("%s.type is %q, want ByteLevel as the last step", s.at, s.Type)
		case s.Type == "ByteLevel":
			if s.AddPrefixSpace != nil && *s.AddPrefixSpace {
				return unsupported("%s.add_prefix_space is true, which changes the text", s.at)
			}
			if s.UseRegex == nil || *s.UseRegex {
				b.parts = append(b.parts, part{pattern, s.at})
			}
		case s.Type == "Digits":
			expr := `\p{N}+`
			if s.Individual {
				expr = `\p{N}`
			}
			b.parts = append(b.parts, part{expr, s.at})
		case s.Type == "Split":
			expr, err := s.split()
			if err != nil {
				return err
			}
			b.parts = append(b.parts, part{expr, s.at})
		default:
			return unsupported("%s is a %s", s.at, s.Type)
		}
	}
	if len(b.parts) == 0 {
		return unsupported("%s.use_regex is false, and nothing else parts the text", pre[len(pre)-1].at)
	}
	return nil
}

// split is the pattern of a Split that leaves nothing out. Where only what matches
// is kept, nothing is left out if the pattern matches everything, as those in use do.
func (s hfLeaf) split() (string, error) {
	if s.Behavior != "Isolated" && !(s.Behavior == "Removed" && s.Invert) {
		return "", unsupported("%s.behavior is %q with invert %v, want Isolated", s.at, s.Behavior, s.Invert)
	}
	switch {
	case s.Pattern.Regex != nil && *s.Pattern.Regex != "":
		return *s.Pattern.Regex, nil
	case s.Pattern.String != nil && *s.Pattern.String != "":
		return regexp.QuoteMeta(*s.Pattern.String), nil
	}
	return "", fmt.Errorf("%s.pattern: want a String or a Regex", s.at)
}

// steps takes over what the steps do around SentencePiece's mark, or reports the first
// that is not supported.
func (p *piecesFile) steps(m *hfModel, normal, pre []hfLeaf) error {
	if m.IgnoreMerges {
		return unsupported("model.ignore_merges is true")
	}
	replaced, prepended := false, false
	for _, s := range normal {
		switch {
		case s.escapes():
			replaced = true
		case s.Type == "Prepend" && s.Prepend == mark && !prepended:
			prepended = true
			p.lead.where = leadStretches
		default:
			return unsupported("%s is a %s, which changes the text", s.at, s.Type)
		}
	}
	for _, s := range pre {
		switch {
		case s.Type == "Split" && replaced && s.Pattern.String != nil && *s.Pattern.String == " ":
			// There are no spaces any more.
		case s.Type == "Metaspace" && s.Replacement == mark && len(pre) == 1 && !prepended:
			if err := p.metaspace(s); err != nil {
				return err
			}
		default:
			return unsupported("%s is a %s with what comes before it", s.at, s.Type)
		}
	}
	return nil
}

// metaspace takes over where a space is put before the text, and whether every space
// parts it.
func (p *piecesFile) metaspace(s hfLeaf) error {
	p.lead.unlessSpace = true
	switch {
	case s.PrependScheme == "always" || s.PrependScheme == "" && (s.AddPrefixSpace == nil || *s.AddPrefixSpace):
		p.lead.where = leadStretches
	case s.PrependScheme == "first":
		p.lead.where = leadFirst
	case s.PrependScheme == "never" || s.PrependScheme == "":
		p.lead = lead{}
	default:
		return unsupported("%s.prepend_scheme is %q", s.at, s.PrependScheme)
	}
	if s.Split == nil || *s.Split {
		p.cut = cutSpaces
	}
	return nil
}
