package arch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseCandidate reads a compact name. The result is normalized and valid. An
// [*Error] says which part is wrong, at which column, and what would be right.
func ParseCandidate(name string) (Candidate, error) {
	var c Candidate
	if err := checkName(name); err != nil {
		return c, err
	}
	spec, _, _ := strings.Cut(name, "+")
	var err error
	if c.Spec, err = parseSpec(name, spec); err != nil {
		return Candidate{}, err
	}
	if c.Build, err = parseBuild(name, len(spec)); err != nil {
		return Candidate{}, err
	}
	if err := c.Validate(); err != nil {
		return Candidate{}, asProblem(name, err)
	}
	return c.Normalized(), nil
}

// ParseSpec reads the compact name of a Spec alone.
func ParseSpec(name string) (Spec, error) {
	if err := checkName(name); err != nil {
		return Spec{}, err
	}
	if i := strings.IndexByte(name, '+'); i >= 0 {
		return Spec{}, nameError(name, i, "a model's name has no build parts: drop %q", name[i:])
	}
	s, err := parseSpec(name, name)
	if err == nil {
		err = asProblem(name, s.Validate())
	}
	if err != nil {
		return Spec{}, err
	}
	return s, nil
}

// ParseBuild reads the build parts of a name, as [Build.Name] writes them; the
// leading "+" may be left out. The empty string is the default Build.
func ParseBuild(parts string) (Build, error) {
	if parts == "" {
		return Build{}.Normalized(), nil
	}
	if err := checkName(parts); err != nil {
		return Build{}, err
	}
	input, shift := parts, 0
	if parts[0] != '+' {
		input, shift = "+"+parts, 1
	}
	b, err := parseBuild(input, 0)
	if e, ok := err.(*Error); ok {
		e.Input, e.Column = parts, e.Column-shift
	}
	if err == nil {
		err = asProblem(parts, b.Validate())
	}
	if err != nil {
		return Build{}, err
	}
	return b, nil
}

// checkName refuses what cannot be a name at all.
func checkName(name string) error {
	switch {
	case name == "":
		return &Error{Problem: "empty name: write one such as gpt2-l12-d1024-f4096-h16"}
	case len(name) > MaxNameLen:
		return &Error{Input: name, Problem: fmt.Sprintf("%d bytes are too long for a name: at most %d", len(name), MaxNameLen)}
	case !utf8.ValidString(name):
		return &Error{Input: name, Problem: "not UTF-8"}
	}
	return nil
}

// asProblem turns what Validate says about a parsed value into an error about
// its name, with the column of the part that is to blame.
func asProblem(name string, err error) error {
	if err == nil {
		return nil
	}
	field, problem := fieldOf(err)
	if at := partOf(name, field); at >= 0 {
		return nameError(name, at, "%s", problem)
	}
	return &Error{Input: name, Problem: problem}
}

// partOf returns the byte offset of the part of a well-formed name that gives a
// field, or -1 where it is left to its default.
func partOf(name, field string) int {
	spec, build, _ := strings.Cut(name, "+")
	at := 0
	for part := range strings.SplitSeq(spec, "-") {
		if keyName(strings.TrimRight(part, "0123456789")) == field {
			return at
		}
		at += len(part) + 1
	}
	for part := range strings.SplitSeq(build, "+") {
		word, _, _ := strings.Cut(part, "@")
		switch {
		case field == "embed" && strings.HasPrefix(part, "embed-"),
			field == "head" && strings.HasPrefix(part, "head-"),
			field == "precision" && looksLikePrecision(part) && !slices.Contains(floatNames, part),
			field == "provider" && slices.Contains(providerNames, word),
			field == "float" && slices.Contains(floatNames, part):
			return at
		}
		at += len(part) + 1
	}
	return -1
}

// nameError is an Error at a byte offset of a name.
func nameError(name string, offset int, format string, args ...any) *Error {
	return &Error{
		Input:   name,
		Column:  utf8.RuneCountInString(name[:offset]) + 1,
		Problem: fmt.Sprintf(format, args...),
	}
}

// specParts are the keys of a Spec's name with an example of each, in the order
// in which they are printed.
var specParts = []struct{ key, what, example string }{
	{"l", "n_layer", "l12"},
	{"d", "d_model", "d1024"},
	{"f", "d_inner", "f4096"},
	{"h", "n_head", "h16"},
	{"kv", "n_kv_head", "kv4"},
	{"hs", "hidden", "hs2048"},
	{"v", "vocab", "v32000"},
	{"p", "positions", "p1024"},
	{"hd", "head_dim", "hd128"},
}

// requiredParts have no default, and foreignParts no meaning, in a model of a family.
func requiredParts(s Spec) []string {
	if s.Stack() {
		return []string{"l", "d"}
	}
	return []string{"l", "d", "f", "h"}
}

func foreignParts(s Spec) []string {
	if s.Stack() {
		return []string{"f", "h", "kv", "hd"}
	}
	return []string{"hs"}
}

const knownSpecParts = "known are l12, d1024, f4096, h16, kv4, hs2048, v32000, p1024, hd128, tied and untied"

// parseSpec reads text, which begins name.
func parseSpec(name, text string) (Spec, error) {
	family, _, _ := strings.Cut(text, "-")
	def, ok := families[Family(family)]
	if !ok {
		return Spec{}, nameError(name, 0, "%s", unknownFamily(family))
	}
	if Family(family) == Mixed {
		return Spec{}, nameError(name, 0, "a model of family %s cannot be read from its name: pass its YAML file", Mixed)
	}
	if i := strings.Index(text, mixedPart); i >= 0 {
		return Spec{}, nameError(name, i+1, "a model whose layers differ cannot be read from its name: pass its YAML file")
	}
	if i := strings.Index(text, customPart); i >= 0 {
		return Spec{}, nameError(name, i+1, "a model with norm_eps, rope_base, rope_scaling or qkv_bias of its own cannot be read from its name: pass its YAML file")
	}
	values := map[string]int{"v": def.vocab, "p": def.positions}
	untied := def.untied
	seen := map[string]string{}
	for at := len(family); at < len(text); {
		at++ // the "-"
		part, _, _ := strings.Cut(text[at:], "-")
		key := strings.TrimRight(part, "0123456789")
		if part == "tied" {
			key = "untied" // two words for one thing
		}
		if earlier, ok := seen[key]; ok {
			return Spec{}, nameError(name, at, "%s is given twice (%s, then %s)", keyName(key), earlier, part)
		}
		if key == "untied" && part == strings.Trim(part, "0123456789") {
			untied = part == "untied"
		} else {
			v, err := parseSize(name, at, part, key)
			if err != nil {
				return Spec{}, err
			}
			values[key] = v
		}
		seen[key] = part
		at += len(part)
	}
	s := Spec{Family: Family(family)}
	for _, p := range specParts {
		switch _, ok := seen[p.key]; {
		case !ok && slices.Contains(requiredParts(s), p.key):
			return Spec{}, nameError(name, len(text), "%s is missing: add it as in -%s", p.what, p.example)
		case ok && slices.Contains(foreignParts(s), p.key):
			return Spec{}, nameError(name, partOf(name, p.what), "%s has no %s: drop -%s", family, p.what, seen[p.key])
		}
	}
	for _, key := range []string{"hd", "kv", "hs"} { // where 0 would be the default
		if v, ok := values[key]; ok && v == 0 {
			return Spec{}, nameError(name, partOf(name, keyName(key)), "%s 0 is out of range: it must be at least 1", keyName(key))
		}
	}
	if p := sizeProblem("n_layer", values["l"], 1, MaxLayers); p != "" {
		return Spec{}, nameError(name, partOf(name, "n_layer"), "%s", p)
	}
	if s.Stack() {
		s = NewStack(s.Family, values["l"], values["d"], values["hs"])
	} else {
		s = NewSpec(s.Family, values["l"], values["d"], values["f"], values["h"])
	}
	if kv, ok := values["kv"]; ok {
		s = s.WithKVHeads(kv)
	}
	s.Vocab, s.Positions, s.HeadDim, s.Untied = values["v"], values["p"], values["hd"], untied
	return s.Normalized(), nil
}

// keyName is what a part's key stands for.
func keyName(key string) string {
	for _, p := range specParts {
		if p.key == key {
			return p.what
		}
	}
	return key
}

// parseSize reads one part: a known key and a number.
func parseSize(name string, at int, part, key string) (int, error) {
	i := slices.IndexFunc(specParts, func(p struct{ key, what, example string }) bool { return p.key == key })
	switch {
	case part == "":
		return 0, nameError(name, at, "a part is empty (sizes have no sign): %s", knownSpecParts)
	case key == "":
		return 0, nameError(name, at, "%q has no letter before its number: %s", part, knownSpecParts)
	case i < 0 && strings.TrimRight(strings.ToLower(part), "0123456789.") == key:
		return 0, nameError(name, at, "unknown part %q: %s", part, knownSpecParts)
	case i < 0:
		return 0, nameError(name, at, "unknown part %q: %s, in lower case", part, knownSpecParts)
	case part == key:
		return 0, nameError(name, at, "%q has no number: write %s as in %s", part, specParts[i].what, specParts[i].example)
	}
	return parseNumber(name, at, part, key)
}

// parseNumber reads the number of a part that begins with key. Leading zeros are
// refused, so that one value has one spelling.
func parseNumber(name string, at int, part, key string) (int, error) {
	digits := part[len(key):]
	v, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return 0, nameError(name, at, "%q is too large", part)
	}
	if len(digits) > 1 && digits[0] == '0' {
		return 0, nameError(name, at, "%q has leading zeros: write %s%d", part, key, v)
	}
	return int(v), nil
}

const knownBuildParts = "known are +portable, +fused, +fp16, +int4b32 and +int8b32 (blocks of 16, 32, 64 or 128; +int4b32asym with zero points), +int8dyn, +head-int8b32, +embed-fp32, +t2 and the providers +cpu, +cuda, +tensorrt, +openvino, +coreml, +directml"

// parseBuild reads the build parts of name, which begin at the byte offset at.
func parseBuild(name string, at int) (Build, error) {
	var b Build
	var float saidFloat
	seen := map[string]string{}
	for at < len(name) {
		at++ // the "+"
		part, _, _ := strings.Cut(name[at:], "+")
		kind, err := b.parsePart(name, at, part, &float)
		if err != nil {
			return Build{}, err
		}
		if earlier, ok := seen[kind]; ok {
			return Build{}, nameError(name, at, "%s is given twice (+%s, then +%s)", kind, earlier, part)
		}
		seen[kind] = part
		at += len(part)
	}
	b.Float = float.FloatType
	return b.Normalized(), nil
}

// parsePart reads one part into b and says what it was about.
func (b *Build) parsePart(name string, at int, part string, float *saidFloat) (kind string, err error) {
	precision := func(at int, text string) (Precision, error) {
		p, f, problem := parsePrecision(text)
		if problem == "" {
			problem = float.say(f)
		}
		if problem != "" {
			return Precision{}, nameError(name, at, "%s", problem)
		}
		return p, nil
	}
	word, options, _ := strings.Cut(part, "@")
	switch {
	case part == "":
		return "", nameError(name, at, "a build part is empty: %s", knownBuildParts)
	case slices.Contains(providerNames, word):
		b.Provider.Name = word
		if word == part {
			return "the execution provider", nil
		}
		b.Provider.Options, err = parseOptions(name, at+len(word)+1, options)
		return "the execution provider", err
	case word != part:
		return "", nameError(name, at, "%q has options (@), which only execution providers have: %s", part, strings.Join(providerNames, ", "))
	case slices.Contains(dialectNames, part):
		b.Dialect = Dialect(part)
		return "the dialect", nil
	case strings.HasPrefix(part, "head-"):
		b.Head, err = precision(at+len("head-"), part[len("head-"):])
		return "the LM head's precision", err
	case strings.HasPrefix(part, "embed-"):
		b.Embed, err = precision(at+len("embed-"), part[len("embed-"):])
		return "the embedding's precision", err
	case slices.Contains(floatNames, part):
		_, err = precision(at, part)
		return "the type of floats", err
	case looksLikePrecision(part):
		b.Precision, err = precision(at, part)
		return "the precision", err
	case len(part) > 1 && part[0] == 't' && strings.Trim(part[1:], "0123456789") == "":
		b.Threads, err = parseNumber(name, at, part, "t")
		if err == nil && (b.Threads < 1 || b.Threads > MaxThreads) {
			err = nameError(name, at, "threads %d is out of range: it must be 1 to %d", b.Threads, MaxThreads)
		}
		return "the thread count", err
	}
	words := slices.Concat(dialectNames, precisionNames, providerNames)
	if n := Nearest(part, words); n != "" {
		return "", nameError(name, at, "unknown build part %q, did you mean +%s? %s", part, n, knownBuildParts)
	}
	return "", nameError(name, at, "unknown build part %q: %s", part, knownBuildParts)
}

// looksLikePrecision catches the precisions that other versions or tools have,
// so that they get a message of their own.
func looksLikePrecision(part string) bool {
	for _, p := range []string{"fp", "bf", "int", "uint"} {
		if rest, ok := strings.CutPrefix(part, p); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return true
		}
	}
	return false
}

// parseOptions reads key=value pairs joined by "@".
func parseOptions(name string, at int, text string) (map[string]string, error) {
	options := map[string]string{}
	for pair := range strings.SplitSeq(text, "@") {
		key, value, ok := strings.Cut(pair, "=")
		switch {
		case !ok && strings.HasPrefix(pair, "options-"):
			return nil, nameError(name, at, "these provider options cannot be read from a name: pass the YAML file")
		case !ok:
			return nil, nameError(name, at, "provider option %q has no value: write it as @key=value", pair)
		case !simpleKey(key):
			return nil, nameError(name, at, "provider option %q: a key in a name is made of letters, digits and _; use a YAML file for others", pair)
		case !simpleValue(value):
			return nil, nameError(name, at, "provider option %q: a value in a name is made of letters, digits and _.- and does not end in a dot; use a YAML file for others", pair)
		}
		if _, ok := options[key]; ok {
			return nil, nameError(name, at, "provider option %q is given twice", key)
		}
		options[key] = value
		at += len(pair) + 1
	}
	return options, nil
}
