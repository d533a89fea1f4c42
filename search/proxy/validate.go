package proxy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"lathe/search"
)

// Plan is how rows are held out of what a proxy learns from. The zero value is
// cross-validation: every row is scored by a proxy that has seen the other nine
// tenths, and all rows are ranked together.
type Plan struct {
	Train  int // rows to learn from, drawn at random; the others are ranked
	Splits int // how often; figures are means
}

// folds of the cross-validation.
const folds = 10

func (p Plan) check(t *Table) error {
	switch n := len(t.Rows); {
	case p == Plan{}:
		return nil
	case p.Splits < 1:
		return fmt.Errorf("proxy: %d splits: want 1 or more", p.Splits)
	case p.Train < MinTrain || n-p.Train < MinRows:
		return fmt.Errorf("proxy: %d rows to learn from: want %d to %d, so that %d or more of %d are left to rank",
			p.Train, MinTrain, max(MinTrain, n-MinRows), MinRows, n)
	}
	return nil
}

// split is one way to part the rows.
type split struct{ train, out []int }

// splits are the plan's for n rows, and what they are called.
func (p Plan) splits(n int, rng *rand.Rand) (all []split, method string) {
	if p == (Plan{}) {
		k := min(folds, n)
		out := make([][]int, k)
		for i, row := range rng.Perm(n) {
			out[i%k] = append(out[i%k], row)
		}
		for j := range out {
			all = append(all, split{slices.Concat(slices.Concat(out[:j]...), slices.Concat(out[j+1:]...)), out[j]})
		}
		return all, fmt.Sprintf("%d-fold cross-validation", k)
	}
	for range p.Splits {
		perm := rng.Perm(n)
		all = append(all, split{perm[:p.Train], perm[p.Train:]})
	}
	if p.Splits == 1 {
		return all, fmt.Sprintf("one random split, %d trained", p.Train)
	}
	return all, fmt.Sprintf("%d random splits, %d trained", p.Splits, p.Train)
}

// ranked is rows that are ranked together, with their scores by proxy.
type ranked struct {
	rows   []int
	scores [][]float64
}

// Validate compares proxies with what training gave, all on the same held-out rows,
// one Evidence each in the order of names. rng parts the rows and draws the
// bootstrap's samples.
func Validate(t *Table, names []string, p Plan, rng *rand.Rand) ([]Evidence, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if err := p.check(t); err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := CheckName(name); err != nil {
			return nil, err
		}
	}
	// Decoder parameters last, for what the others gain over them.
	asked := append(slices.Clone(names), "decoder_params")
	splits, method := p.splits(len(t.Rows), rng)
	coverage := make([]coverage, len(asked))
	var groups []ranked
	for _, s := range splits {
		g := ranked{s.out, make([][]float64, len(asked))}
		for j, name := range asked {
			proxy, err := learn(name, t.With(s.train), t.target())
			if err != nil {
				return nil, fmt.Errorf("%w (%s)", err, method)
			}
			for _, i := range s.out {
				g.scores[j] = append(g.scores[j], proxy.Score(t.Rows[i].Spec))
				coverage[j].add(proxy, &t.Rows[i])
			}
		}
		groups = append(groups, g)
	}
	if p == (Plan{}) {
		groups = []ranked{pooled(groups)}
	}
	figures := bootstrap(t.goodness(), groups, len(asked), rng)
	var out []Evidence
	for j, name := range names {
		e := Evidence{
			Proxy: name, Table: t.Name, Quality: t.Quality, HigherIsBetter: t.HigherIsBetter, Trained: len(t.Rows), Method: method,
			Spearman: figures[j].spearman, KendallTau: figures[j].kendall, Top10: figures[j].top, Coverage: coverage[j].share(),
			Held: held(t, groups, j),
		}
		if name != "decoder_params" {
			e.Gain = &figures[j].gain
		}
		if e.Coverage != nil {
			e.LearnedFrom = len(splits[0].train) // the first fold is the largest
		}
		if math.IsNaN(e.Spearman.Value) {
			e.Warnings = append(e.Warnings, fmt.Sprintf("%s is the same for all that was ranked: it says nothing about quality", name))
		}
		if ci := e.Spearman.CI; ci.Finite() && ci.High < 0 {
			better := "lower"
			if t.HigherIsBetter {
				better = "higher"
			}
			e.Warnings = append(e.Warnings, fmt.Sprintf("%s ranks the wrong way round: is %s really better for %s?", name, better, t.Quality))
		}
		if n := len(groups[0].rows); n < 30 {
			e.Warnings = append(e.Warnings, fmt.Sprintf("only %d architectures are ranked together: the best tenth is %d of them", n, (n+9)/10))
		}
		out = append(out, e)
	}
	return out, nil
}

// pooled is the folds of a cross-validation as one ranking.
func pooled(folds []ranked) ranked {
	all := ranked{scores: make([][]float64, len(folds[0].scores))}
	for _, f := range folds {
		all.rows = append(all.rows, f.rows...)
		for j := range f.scores {
			all.scores[j] = append(all.scores[j], f.scores[j]...)
		}
	}
	return all
}

// held are the rows that were held out, with their mean scores.
func held(t *Table, groups []ranked, proxy int) (out []Held) {
	sum, times := make([]float64, len(t.Rows)), make([]float64, len(t.Rows))
	for _, g := range groups {
		for k, i := range g.rows {
			sum[i] += g.scores[proxy][k]
			times[i]++
		}
	}
	for i, r := range t.Rows {
		if times[i] > 0 {
			out = append(out, Held{r.Name, r.Quality, sum[i] / times[i]})
		}
	}
	return out
}

// coverage counts qualities within their intervals.
type coverage struct{ inside, total float64 }

func (c *coverage) add(p search.Proxy, r *Row) {
	f, ok := p.(*Fitted)
	if !ok {
		return
	}
	const z = 1.96 // 95 % of a normal distribution, two-sided
	mean, sd := f.Predict(r.Spec)
	if math.Abs(f.target.of(r.Quality)-mean) <= z*math.Hypot(sd, f.Noise()) {
		c.inside++
	}
	c.total++
}

func (c *coverage) share() *float64 {
	if c.total == 0 {
		return nil
	}
	s := c.inside / c.total
	return &s
}
