package modelbased

import "lathe/search"

// Surrogate is what a search believes of points that it did not measure, and of those
// that it did. cmd has one over the latency model and the quality proxy. It must be
// deterministic: the same evaluations in the same order give the same belief.
type Surrogate interface {
	// Name says what it is, with all that bears on what it believes: it is part of the
	// journal's head.
	Name() string

	// Refit forgets everything and learns from evaluations, none of them dropped. With
	// few of them, or none, it believes what it believes before anything is measured.
	Refit(evaluations []search.Evaluation) error

	// Mean fills in what is expected of points: values[i] is that of points[i], and has
	// what is counted already. An evaluated point has its fitted value, not what was
	// measured of it.
	Mean(points []search.Genome, values [][]float64) error

	// Posterior is what is not known of a few points together. Known is false as long
	// as nothing can be said: then there is none.
	Known() bool
	Posterior(points []search.Genome) (Posterior, error)

	// Coordinates are a point's place among others, for spreading the first
	// measurements: logarithms of sizes, or what else is alike in alike points.
	Coordinates(g search.Genome) []float64

	// Stratum is which of several parts of the space a point is in that tell little or
	// nothing of each other, counted from 0: each gets as much of the first batch.
	Stratum(g search.Genome) int
}

// Posterior is the uncertainty of several points' values, in the unit of the values.
type Posterior interface {
	// SD fills in the standard deviations of point i, 0 for what is known exactly. Noise
	// of measurement is left out.
	SD(i int, sd []float64)

	// Believe conditions on point i's being measured and found as expected: means stay,
	// standard deviations fall.
	Believe(i int)

	// Spread is the standard deviation of a weighted sum over the points of one
	// objective's values.
	Spread(objective int, weights []float64) float64
}
