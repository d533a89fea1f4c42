package arch

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// MaxNameLen is the length in bytes that a name stays within: file systems take
// 255, and users of a name append suffixes to it.
const MaxNameLen = 234

// customPart and mixedPart stand before the hash that ends the name of a Spec with
// settings that names have no parts for, or whose layers differ.
const (
	customPart = "-custom-"
	mixedPart  = "-mixed-"
)

// nameHashLen is how many hex digits of a hash end a name that cannot be parsed.
const nameHashLen = 8

// Name returns the compact name of a homogeneous Spec, which [ParseCandidate]
// reads back. Any other Spec, and one with settings that names have no parts for (an
// epsilon, a rotary base or scaling, biases), gets a deterministic name that tells
// it apart but cannot be parsed: gpt2-l4-d256-mixed-1a2b3c4d,
// llama-l4-d256-custom-1a2b3c4d, and of the family mixed mixed-l4-d256-1a2b3c4d.
func (s Spec) Name() string {
	s = s.Normalized()
	def := families[s.Family]
	b := []byte(s.Family)
	part := func(key string, v int) {
		b = strconv.AppendInt(append(append(b, '-'), key...), int64(v), 10)
	}
	part("l", len(s.Layers))
	part("d", s.DModel)
	switch {
	case s.Family == Mixed:
		return string(b) + "-" + s.Hash()[:nameHashLen]
	case !s.Homogeneous():
		return string(b) + mixedPart + s.Hash()[:nameHashLen]
	case s.custom():
		return string(b) + customPart + s.Hash()[:nameHashLen]
	}
	first := s.Layers[0]
	if !s.Stack() {
		part("f", first.DInner)
		part("h", first.NHead)
	}
	if first.NKVHead != 0 {
		part("kv", first.NKVHead)
	}
	if first.Hidden != 0 {
		part("hs", first.Hidden)
	}
	if s.Vocab != def.vocab {
		part("v", s.Vocab)
	}
	if s.Positions != def.positions {
		part("p", s.Positions)
	}
	if s.HeadDim != 0 {
		part("hd", s.HeadDim)
	}
	switch {
	case s.Untied && !def.untied:
		b = append(b, "-untied"...)
	case !s.Untied && def.untied:
		b = append(b, "-tied"...)
	}
	return string(b)
}

// Name returns the parts of b that are not the default, each with its leading
// "+"; the default Build has the empty name. Provider options that are not safe
// in a file name are replaced by a hash, and such a name cannot be parsed.
func (b Build) Name() string {
	b = b.Normalized()
	var n strings.Builder
	if b.Dialect != Fused {
		n.WriteString("+" + string(b.Dialect))
	}
	if (b.Precision != Precision{Type: Unquantized}) {
		n.WriteString("+" + b.Precision.String())
	}
	if b.Float != FP32 {
		n.WriteString("+" + string(b.Float))
	}
	if b.Head != b.Precision {
		n.WriteString("+head-" + b.NameOf(b.Head))
	}
	if b.Embed != (Precision{}) {
		n.WriteString("+embed-" + b.NameOf(b.Embed))
	}
	if b.Threads != 1 {
		n.WriteString("+t" + strconv.Itoa(b.Threads))
	}
	if b.Provider.Name != CPU || b.Provider.Options != nil {
		n.WriteString("+" + b.Provider.Name + b.Provider.optionSuffix())
	}
	return n.String()
}

// NameOf is a precision in b as names have it: int4b32, or b's type of floats.
func (b Build) NameOf(p Precision) string {
	if p.Type == Unquantized {
		return string(b.Normalized().Float)
	}
	return p.String()
}

// maxOptionsLen bounds the options within a name; with the longest other parts
// the whole stays within MaxNameLen.
const maxOptionsLen = 80

// optionSuffix is "@key=value" for each option in the order of the keys, or
// "@options-" and a hash where they are not all simple.
func (p Provider) optionSuffix() string {
	var n strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p.Options)) {
		n.WriteString("@" + k + "=" + p.Options[k])
		if !simpleKey(k) || !simpleValue(p.Options[k]) || n.Len() > maxOptionsLen {
			hash := Build{Provider: p}.Hash()
			return "@options-" + hash[:nameHashLen]
		}
	}
	return n.String()
}

// simpleKey reports whether an option's key can stand in a name.
func simpleKey(s string) bool {
	return s != "" && strings.Trim(s, nameAlphabet) == ""
}

// simpleValue reports whether an option's value can stand in a name. A final dot
// cannot: Windows drops it from file names.
func simpleValue(s string) bool {
	return s != "" && strings.Trim(s, nameAlphabet+".-") == "" && !strings.HasSuffix(s, ".")
}

// nameAlphabet is what keys of options are made of: letters, digits and "_" are
// safe in file names and in shells, and separate nothing in a name.
const nameAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// Name returns the name of the model followed by what is not default about the
// way of running: gpt2-l12-d1024-f4096-h16+int4b32+t2.
func (c Candidate) Name() string {
	return c.Spec.Name() + c.Build.For(c.Spec).Name()
}

func (s Spec) String() string      { return s.Name() }
func (c Candidate) String() string { return c.Name() }
