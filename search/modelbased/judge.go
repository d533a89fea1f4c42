package modelbased

import (
	"math"
	"math/rand/v2"
	"slices"

	"lathe/search"
	"lathe/search/pareto"
)

// judge says by how much a point is expected to improve the expected front.
//
// For a point that is on that front the improvement is what knowing it would bring: what
// the front without it gains by the point as it may be, less what it gains by the point
// as expected. For all others the latter is nothing, and it is the usual expected
// hypervolume improvement.
type judge struct {
	frame   frame
	problem *search.Problem
	volume  float64 // the front's hypervolume
	limit   int     // points that are worth judging exactly

	planar bool
	plane  plane // if planar
	coarse plane // some of its steps
	order  []int // if planar: place in plane by index of the front

	front [][]float64 // costs, if not planar
	draws [][]float64 // standard normal, by draw
}

// Where there are more than two objectives, improvements are means over draws, and the
// front is thinned: a hypervolume takes that long.
const (
	monteCarlo      = 64
	monteCarloFront = 128
	monteCarloList  = 192
)

// newJudge takes the front's values.
func (m *Method) newJudge(f frame, front [][]float64) judge {
	j := judge{frame: f, problem: m.problem, limit: shortlist}
	costs := make([][]float64, len(front))
	for i, v := range front {
		costs[i] = f.costs(nil, v)
	}
	if j.planar = len(f.kept) == 2; j.planar {
		by := make([]int, len(costs))
		for i := range by {
			by[i] = i
		}
		slices.SortFunc(by, func(a, b int) int { return slices.Compare(costs[a], costs[b]) })
		j.order = make([]int, len(costs))
		for place, i := range by {
			j.order[i] = place
			j.plane.a, j.plane.b = append(j.plane.a, costs[i][0]), append(j.plane.b, costs[i][1])
		}
		for i := 0; i < len(costs); i += max(1, len(costs)/coarseSteps) {
			j.coarse.a, j.coarse.b = append(j.coarse.a, j.plane.a[i]), append(j.coarse.b, j.plane.b[i])
		}
		j.volume = pareto.Directions{0, 0}.Hypervolume(costs, []float64{pareto.ReferenceMargin, pareto.ReferenceMargin})
		return j
	}
	minimise := make(pareto.Directions, len(f.kept))
	if len(costs) > monteCarloFront {
		all := make([]int, len(costs))
		for i := range all {
			all[i] = i
		}
		crowding := minimise.Crowding(costs, all)
		slices.SortStableFunc(all, func(a, b int) int {
			switch {
			case crowding[a] > crowding[b]:
				return -1
			case crowding[a] < crowding[b]:
				return 1
			}
			return 0
		})
		var thin [][]float64
		for _, i := range all[:monteCarloFront] {
			thin = append(thin, costs[i])
		}
		costs = thin
	}
	j.front, j.limit = costs, monteCarloList
	j.volume = minimise.Hypervolume(costs, reference(len(f.kept)))
	rng := rand.New(rand.NewPCG(monteCarlo, uint64(len(f.kept)))) // the same draws for all points
	for range monteCarlo / 2 {
		z, mirrored := make([]float64, len(f.kept)), make([]float64, len(f.kept))
		for k := range z {
			z[k] = rng.NormFloat64()
			mirrored[k] = -z[k]
		}
		j.draws = append(j.draws, z, mirrored)
	}
	return j
}

func reference(k int) []float64 {
	ref := make([]float64, k)
	for i := range ref {
		ref[i] = pareto.ReferenceMargin
	}
	return ref
}

// improvement is that of a point with the given means and standard deviations; on is its
// index on the front, -1 if it is not there.
func (j *judge) improvement(values, sd []float64, on int) float64 {
	likely := j.feasible(values, sd)
	if likely == 0 {
		return 0
	}
	var buf [16]float64 // room for 8 of each; more are allocated
	costs := j.frame.costs(buf[:0:8], values)
	sds := j.frame.sds(buf[8:8], sd)
	if j.planar {
		mean, wide, skip := [2]float64{costs[0], costs[1]}, [2]float64{sds[0], sds[1]}, -1
		if on >= 0 {
			skip = j.order[on]
			return likely * (j.plane.expected(mean, wide, skip) - j.plane.expected(mean, [2]float64{}, skip))
		}
		return likely * j.plane.expected(mean, wide, -1)
	}
	sum := 0.0
	at := make([]float64, len(costs))
	others := j.front
	if on >= 0 {
		others = slices.DeleteFunc(slices.Clone(others), func(c []float64) bool { return slices.Equal(c, costs) })
	}
	for _, z := range j.draws {
		for k := range at {
			at[k] = costs[k] + sds[k]*z[k]
		}
		sum += gained(others, at)
	}
	sum /= float64(len(j.draws))
	if on >= 0 {
		sum -= gained(others, costs)
	}
	return likely * max(0, sum)
}

// gained is the hypervolume that a point adds to a front: its box up to the reference,
// less what the front has of that.
func gained(front [][]float64, at []float64) float64 {
	box := 1.0
	for _, v := range at {
		if v >= pareto.ReferenceMargin {
			return 0
		}
		box *= pareto.ReferenceMargin - v
	}
	limited := make([][]float64, 0, len(front))
	for _, f := range front {
		l := make([]float64, len(at))
		for k := range at {
			l[k] = max(f[k], at[k])
		}
		if slices.Equal(l, at) {
			return 0 // dominated
		}
		limited = append(limited, l)
	}
	return box - make(pareto.Directions, len(at)).Hypervolume(limited, reference(len(at)))
}

// coarseSteps of a front are enough to tell what is worth judging by all of them.
const coarseSteps = 64

// optimism is how many standard deviations better than expected a point is taken to be
// where only its promise is wanted.
const optimism = 2

// promise is a quick guess at improvement: with two objectives that itself, of a thinned
// front without the point; with more, by how much the point is ahead if it is two
// standard deviations better in each.
func (j *judge) promise(values, sd []float64) float64 {
	likely := j.feasible(values, sd)
	if likely == 0 {
		return 0
	}
	if j.planar {
		var buf [4]float64
		costs, sds := j.frame.costs(buf[:0], values), j.frame.sds(buf[2:2], sd)
		return likely * j.coarse.expected([2]float64{costs[0], costs[1]}, [2]float64{sds[0], sds[1]}, -1)
	}
	costs, sds := j.frame.costs(nil, values), j.frame.sds(nil, sd)
	slack := math.Inf(1) // by how much the point is ahead of each of the front in some cost
	for k := range costs {
		costs[k] -= optimism * sds[k]
		if costs[k] >= pareto.ReferenceMargin {
			return 0
		}
	}
	for _, f := range j.front {
		ahead := math.Inf(-1)
		for k, v := range costs {
			ahead = max(ahead, f[k]-v)
		}
		if slack = min(slack, ahead); slack <= 0 {
			return 0
		}
	}
	return slack
}

// feasible is the probability that a point keeps the limits, as if what they are on were
// independent.
func (j *judge) feasible(values, sd []float64) float64 {
	p := 1.0
	for _, l := range j.problem.Limits {
		i := j.problem.Index(l.Objective)
		if sd[i] == 0 {
			if !l.Within.Contains(values[i]) {
				return 0
			}
			continue
		}
		p *= max(0, below(l.Within.High, values[i], sd[i])-below(l.Within.Low, values[i], sd[i]))
	}
	return p
}

// below is the probability that a normal number is at most t, which may be infinite.
func below(t, mean, sd float64) float64 {
	return math.Erfc((mean-t)/(sd*math.Sqrt2)) / 2
}
