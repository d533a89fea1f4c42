package latmodel

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/profiler/stat"
)

// LeftOut counts records that a fit did not use, and says why.
type LeftOut struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Point is the workload point that a model is for.
type Point struct {
	Prompt int `json:"prompt_tokens"` // of PL
	Cache  int `json:"cache_tokens"`  // tokens in the cache in TL's step, a mean
}

// observation is what all records of one candidate say together.
type observation struct {
	spec   arch.Spec
	pl, tl measured
}

// measured is a median of paired ratios, for PL that of the quiet machine.
type measured struct {
	ratio float64
	// spread is the half width of its 95 % interval, relative; infinite where there
	// are too few pairs.
	spread float64
	past   float64 // mean number of tokens in the cache
	weight float64 // of all pairs together, beside that of other sessions
}

// observed is what Fit works from.
type observed struct {
	baseline   record.Subject
	build      arch.Build
	host       record.Host
	binding    string
	point      Point
	records    int
	drifted    int
	leftOut    []LeftOut
	all        []observation // in the order of their first records
	baselineMS both[float64]
	noise      both[*Noise]
}

// both is one for each target.
type both[T any] struct{ pl, tl T }

func (b both[T]) of(t Target) T {
	if t == PL {
		return b.pl
	}
	return b.tl
}

func (o observation) of(t Target) measured {
	if t == PL {
		return o.pl
	}
	return o.tl
}

// cacheWindow is how far from the point's cache length a decode step may be and
// still be used: 16 tokens, as many as a usual session's steps are apart, or a
// quarter. Within it features are computed at the true length.
func cacheWindow(cache int) int { return max(16, cache/4) }

// observe chooses the records that belong and pools them by candidate.
func observe(records []record.Record, o Options) (*observed, error) {
	out := &observed{}
	leave := func(format string, args ...any) {
		reason := fmt.Sprintf(format, args...)
		for i := range out.leftOut {
			if out.leftOut[i].Reason == reason {
				out.leftOut[i].Count++
				return
			}
		}
		out.leftOut = append(out.leftOut, LeftOut{reason, 1})
	}
	var use []record.Record
	for _, r := range records {
		switch err := r.Validate(); {
		case err != nil:
			leave("not valid: %v", err)
		case r.Kind()&record.Steps == 0:
			leave("no step pairs: it holds %v", r.Kind())
		case r.Candidate.File != nil:
			leave("an ONNX file as it is, and no candidate: %s", r.Candidate.Name())
		case o.Baseline != nil && !r.Baseline.Equal(*o.Baseline):
			leave("another baseline: %s", r.Baseline.Name())
		case o.Build != nil && !r.Candidate.SameBuild(*o.Build):
			leave("another build: %s", buildName(r.Candidate.Candidate.Build))
		case o.Host != "" && r.Host.Hash() != o.Host:
			leave("another host: %s", hostName(r.Host))
		case o.Binding != "" && r.Binding != o.Binding:
			leave("another binding: %s", r.Binding)
		case r.Candidate.Equal(r.Baseline):
			leave("the baseline beside itself: that ratio is 1 by definition")
		default:
			use = append(use, r)
		}
	}
	if len(use) == 0 {
		return nil, fmt.Errorf("latmodel: none of %d records belongs to the model%s", len(records), because(out.leftOut))
	}
	if err := agree(use); err != nil {
		return nil, err
	}
	first := use[0]
	out.baseline, out.build = first.Baseline.Normalized(), first.Candidate.Candidate.Build.Normalized()
	out.host, out.binding = first.Host, first.Binding
	out.point = choosePoint(use, o)
	out.pool(use, leave)
	if len(out.all) == 0 {
		return nil, fmt.Errorf("latmodel: none of %d records has a prefill of %d tokens and a step with about %d in the cache%s",
			len(records), out.point.Prompt, out.point.Cache, because(out.leftOut))
	}
	return out, nil
}

// pool takes the pairs at the point out of the records and joins those of one
// candidate.
func (seen *observed) pool(use []record.Record, leave func(string, ...any)) {
	var order []*sessions
	byHash := map[string]*sessions{}
	var basePL, baseTL []float64
	window := cacheWindow(seen.point.Cache)
	for _, r := range use {
		pl := choose(r.PL, func(n int) bool { return n == seen.point.Prompt })
		tl := choose(r.TL, func(n int) bool { return max(n-seen.point.Cache, seen.point.Cache-n) <= window })
		if len(pl) == 0 {
			leave("no prefill of %d tokens", seen.point.Prompt)
			continue
		}
		if len(tl) == 0 {
			leave("no step with %d to %d tokens in the cache", seen.point.Cache-window, seen.point.Cache+window)
			continue
		}
		spec := r.Candidate.Candidate.Spec
		hash := spec.Hash()
		s := byHash[hash]
		if s == nil {
			s = &sessions{spec: spec.Normalized()}
			byHash[hash], order = s, append(order, s)
		}
		s.pl, s.tl = append(s.pl, pl), append(s.tl, tl)
		basePL, baseTL = append(basePL, partnerNS(pl)...), append(baseTL, partnerNS(tl)...)
		seen.records++
		if record.Drifted(r) {
			seen.drifted++
		}
	}
	if len(order) == 0 {
		return
	}
	quiet := stat.Quantile(basePL, quietQuantile)
	plOf := func(pairs []record.StepPair) measured { return quietRatio(pairs, quiet) }
	var plEach, tlEach [][]measured
	for _, s := range order {
		seen.all = append(seen.all, observation{s.spec, plOf(slices.Concat(s.pl...)), pairedRatio(slices.Concat(s.tl...))})
		plEach, tlEach = append(plEach, each(s.pl, plOf)), append(tlEach, each(s.tl, pairedRatio))
	}
	seen.noise = both[*Noise]{noiseOf(plEach), noiseOf(tlEach)}
	const ms = 1e6 // ns
	seen.baselineMS = both[float64]{stat.Median(basePL) / ms, stat.Median(baseTL) / ms}
}

// sessions are one candidate's pairs at the point, by record.
type sessions struct {
	spec   arch.Spec
	pl, tl [][]record.StepPair
}

// each is every session by itself.
func each(sessions [][]record.StepPair, of func([]record.StepPair) measured) (out []measured) {
	for _, pairs := range sessions {
		out = append(out, of(pairs))
	}
	return out
}

func partnerNS(pairs []record.StepPair) []float64 {
	out := make([]float64, len(pairs))
	for i, p := range pairs {
		out[i] = float64(p.PartnerNS)
	}
	return out
}

func choose(pairs []record.StepPair, at func(int) bool) (out []record.StepPair) {
	for _, p := range pairs {
		if at(p.Len) {
			out = append(out, p)
		}
	}
	return out
}

// pairedRatio is the plain median of the pairs' ratios.
func pairedRatio(pairs []record.StepPair) measured {
	own, partner, lens := make([]float64, len(pairs)), make([]float64, len(pairs)), 0.0
	for i, p := range pairs {
		own[i], partner[i] = float64(p.NS), float64(p.PartnerNS)
		lens += float64(p.Len)
	}
	est := stat.PairedRatioDependent(own, partner, stat.DefaultLevel)
	n := float64(len(pairs))
	return measured{est.Value, (est.CI.High - est.CI.Low) / 2 / est.Value, lens / n, n}
}

// choosePoint finds the workload point that is not given.
func choosePoint(use []record.Record, o Options) Point {
	p := Point{o.Prompt, o.Cache}
	if p.Prompt == 0 {
		held := map[int]int{} // by how many records
		for _, r := range use {
			lens := map[int]bool{}
			for _, s := range r.PL {
				lens[s.Len] = true
			}
			for n := range lens {
				held[n]++
			}
		}
		p.Prompt = slices.MinFunc(slices.Collect(maps.Keys(held)), func(a, b int) int {
			return cmp.Or(cmp.Compare(held[b], held[a]), cmp.Compare(a, b))
		})
	}
	if p.Cache == 0 {
		var lens []float64
		for _, r := range use {
			for _, s := range r.TL {
				lens = append(lens, float64(s.Len))
			}
		}
		p.Cache = int(math.Round(stat.Median(lens)))
	}
	return p
}

// agree refuses records of more than one kind, where a fit would have to guess
// which is meant.
func agree(use []record.Record) error {
	for _, k := range []struct {
		what      string
		key, name func(record.Record) string
	}{
		{"baselines", func(r record.Record) string { return r.Baseline.Hash() }, func(r record.Record) string { return r.Baseline.Name() }},
		{"builds", func(r record.Record) string { return r.Candidate.BuildHash() }, func(r record.Record) string { return buildName(r.Candidate.Candidate.Build) }},
		{"hosts", func(r record.Record) string { return r.Host.Hash() }, func(r record.Record) string { return hostName(r.Host) }},
		{"bindings", func(r record.Record) string { return r.Binding }, func(r record.Record) string { return r.Binding }},
	} {
		count, names := map[string]int{}, map[string]string{}
		for _, r := range use {
			count[k.key(r)]++
			names[k.key(r)] = k.name(r)
		}
		if len(count) == 1 {
			continue
		}
		var parts []string
		for key, n := range count {
			parts = append(parts, fmt.Sprintf("%s (%d)", names[key], n))
		}
		slices.Sort(parts)
		return fmt.Errorf("latmodel: the records are of %d %s, and a model is for one: choose one of %s",
			len(count), k.what, strings.Join(parts, ", "))
	}
	return nil
}

// because lists the reasons, for an error.
func because(left []LeftOut) string {
	if len(left) == 0 {
		return ""
	}
	parts := make([]string, len(left))
	for i, l := range left {
		parts[i] = fmt.Sprintf("%d: %s", l.Count, l.Reason)
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

// buildName is the build's name, which is empty for the default.
func buildName(b arch.Build) string {
	if n := b.Name(); n != "" {
		return n
	}
	n := b.Normalized()
	return fmt.Sprintf("default (%s, %s)", n.Dialect, n.NameOf(n.Precision))
}
