package search

import (
	"encoding/json"
	"iter"
	"math/rand/v2"

	"lathe/graphgen/arch"
)

// Space is the set of points that are searched. Every point is a Genome and a
// Candidate: an architecture and the way it runs. A Space does not change and is safe
// for concurrent use.
type Space interface {
	// Genes are what the points differ in. The caller must not change them.
	Genes() []Gene

	// Candidate is a point as it is built, timed and shipped, its Build normalized.
	// The genome need not satisfy the constraints, but its indices must fit the genes.
	Candidate(Genome) arch.Candidate

	// Contains reports whether a genome is one of the space's points: its indices fit,
	// it is canonical, its candidate is valid and satisfies the constraints.
	Contains(Genome) bool

	// Canonical returns the one spelling of a point: genes that do not bear on it, as
	// those of layers beyond its depth, are 0. It returns g itself where nothing
	// changes.
	Canonical(g Genome) Genome

	// Random draws one of the points; each implementation says with which probability.
	// It gives up with an error that says what was tried.
	Random(rng *rand.Rand) (Genome, error)

	// Size is the number of canonical genomes before the constraints, and Count of
	// the points that they leave: exact, or estimated from a sample.
	Size() float64
	Count() (points float64, exact bool)

	// Builds are the ways in which points run, at least one.
	Builds() []arch.Build

	// Describe writes a point as JSON with sizes and names, which Parse reads back.
	// A journal has points so, and stays readable and right when a space gains values.
	Describe(Genome) json.RawMessage
	Parse(json.RawMessage) (Genome, error)

	// Hash tells spaces apart, constraints and builds included.
	Hash() string
}

// Enumerable is a Space whose points can be gone through: each once, in ascending
// order of their genomes. There may be far too many: Size tells.
type Enumerable interface {
	Space
	All() iter.Seq[Genome]
}
