package search

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DescribeGenes writes a genome as a JSON object of gene names and sizes or choices,
// in the order of the genes. Those that active reports false for are left out; nil
// means that all count. It serves implementations of Space.Describe.
func DescribeGenes(genes []Gene, g Genome, active func(gene int) bool) json.RawMessage {
	const usual = 24 // bytes a gene
	b := append(make([]byte, 0, usual*len(genes)), '{')
	for i, gene := range genes {
		if active != nil && !active(i) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = gene.append(append(appendJSON(b, gene.Name), ':'), g.At(i))
	}
	return append(b, '}')
}

// appendJSON writes a string. Names of genes and choices are plain, and a front of a
// hundred points has many of them.
func appendJSON(b []byte, text string) []byte {
	plain := func(r rune) bool { return ' ' <= r && r <= '~' && !strings.ContainsRune(`"\<>&`, r) }
	if strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return append(append(append(b, '"'), text...), '"')
	}
	out, err := json.Marshal(text)
	if err != nil { // a string has an encoding
		panic(err)
	}
	return append(b, out...)
}

// append writes value i.
func (g Gene) append(b []byte, i int) []byte {
	if g.Ordered() {
		return strconv.AppendInt(b, int64(g.Values[i]), 10)
	}
	return appendJSON(b, g.Labels[i])
}

// ParseGenes reads what DescribeGenes wrote: a gene that is not there has index 0. It
// serves implementations of Space.Parse, which check what they get.
func ParseGenes(genes []Gene, point json.RawMessage) (Genome, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(point, &fields); err != nil {
		return "", fmt.Errorf("search: point %.200s: want an object of sizes: %w", point, err)
	}
	indices := make([]int, len(genes))
	for i, gene := range genes {
		raw, has := fields[gene.Name]
		if !has {
			continue
		}
		delete(fields, gene.Name)
		v, err := gene.parse(raw)
		if err != nil {
			return "", fmt.Errorf("search: point %.200s: %s: %w", point, gene.Name, err)
		}
		indices[i] = v
	}
	for name := range fields {
		return "", fmt.Errorf("search: point %.200s: the space has no %q; it has %s", point, name, geneNames(genes))
	}
	return NewGenome(indices...), nil
}

// parse is the index of a size or choice in JSON.
func (g Gene) parse(raw json.RawMessage) (int, error) {
	raw = bytes.TrimSpace(raw)
	if !g.Ordered() {
		var label string
		if err := json.Unmarshal(raw, &label); err != nil {
			return 0, err
		}
		if i := slices.Index(g.Labels, label); i >= 0 {
			return i, nil
		}
		return 0, fmt.Errorf("no choice %q; there are %s", label, strings.Join(g.Labels, ", "))
	}
	var size int
	if err := json.Unmarshal(raw, &size); err != nil {
		return 0, err
	}
	i, ok := slices.BinarySearch(g.Values, size)
	if !ok {
		return 0, fmt.Errorf("%d is none of its %d values, %d to %d", size, len(g.Values), g.Values[0], g.Values[len(g.Values)-1])
	}
	return i, nil
}

func geneNames(genes []Gene) string {
	var names []string
	for _, g := range genes {
		names = append(names, g.Name)
	}
	return strings.Join(names, ", ")
}

// errNotCanonical is for a point that leaves out what it needs, or has what it does
// not.
var errNotCanonical = errors.New("it has sizes of what is not there, or not those of what is")

// parsePoint is Space.Parse for spaces that describe points by DescribeGenes.
func parsePoint(s Space, point json.RawMessage) (Genome, error) {
	g, err := ParseGenes(s.Genes(), point)
	if err != nil {
		return "", err
	}
	if c := s.Canonical(g); c != g || !sameKeys(s.Describe(g), point) {
		return "", fmt.Errorf("search: point %.200s: %w", point, errNotCanonical)
	}
	return g, nil
}

// sameKeys reports whether two JSON objects have equally many fields. Those of a
// are all in b.
func sameKeys(a, b json.RawMessage) bool {
	var x, y map[string]json.RawMessage
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && len(x) == len(y)
}

// hashOf is a short hash of anything that JSON can tell apart.
func hashOf(v any) string {
	data, err := json.Marshal(v)
	if err != nil { // what is hashed is made of numbers and strings
		panic(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
