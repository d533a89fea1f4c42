package searchtest

import (
	"fmt"

	"lathe/search"
	"lathe/search/pareto"
)

// exact is what is true of the whole space.
type exact struct {
	front  [][]float64
	scale  pareto.VectorScale
	volume float64
}

func (t *Truth) enumerate() *exact {
	var vectors []pareto.Vector
	for g := range t.space.All() {
		vectors = append(vectors, pareto.Vector{ID: len(vectors), Values: t.Values(g)})
	}
	d := t.Problem.Directions()
	e := new(exact)
	for _, v := range d.Front(vectors) {
		e.front = append(e.front, v.Values)
	}
	var err error
	if e.scale, err = d.NewScale(e.front); err != nil {
		panic(fmt.Sprintf("searchtest: %v", err))
	}
	e.volume = e.scale.Hypervolume(e.front)
	return e
}

// Values are what is true of a point.
func (t *Truth) Values(g search.Genome) []float64 {
	return []float64{t.Problem.Quality(g), t.Latency(t.Ratios(g))}
}

// Front is the exact front.
func (t *Truth) Front() [][]float64 { return t.exact().front }

// Share is the fraction of the exact front's hypervolume that points attain by what is
// true of them: normalised, the reference point at 1.1 times the nadir.
func (t *Truth) Share(points []search.Genome) float64 {
	values := make([][]float64, len(points))
	for i, g := range points {
		values[i] = t.Values(g)
	}
	return t.Believed(values)
}

// Believed is the fraction that values claim, true or not: over 1 where they are too
// good.
func (t *Truth) Believed(values [][]float64) float64 {
	e := t.exact()
	return e.scale.Hypervolume(values) / e.volume
}

// Genomes are those of evaluations.
func Genomes(evaluations []search.Evaluation) []search.Genome {
	out := make([]search.Genome, len(evaluations))
	for i := range evaluations {
		out[i] = evaluations[i].Genome
	}
	return out
}
