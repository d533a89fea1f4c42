package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lathe/graphgen/arch"
	"lathe/search"
	"lathe/search/pareto"
	"lathe/search/proxy"
)

// trained is the table of trained architectures that a fitted proxy learns from.
type trained struct {
	Path           string `json:"path"`
	Hash           string `json:"sha256"`
	Quality        string `json:"quality,omitempty"`
	HigherIsBetter bool   `json:"higher_is_better,omitempty"`
}

// commaList takes a setting apart.
func commaList(text string) (parts []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// parseBuilds reads search.builds: a list of builds, of which "default" is the one that
// has no parts, or axes that vary one of its own.
func parseBuilds(text string, own arch.Build) (builds []arch.Build, axes []buildAxis, err error) {
	if strings.ContainsAny(text, "=;") && !strings.ContainsAny(text, "@") {
		if axes, err = parseBuildAxes(text); err != nil {
			return nil, nil, err
		}
		builds, err = buildsOf(own, axes)
		return builds, axes, err
	}
	for _, part := range commaList(text) {
		if part == "default" {
			part = ""
		}
		b, err := arch.ParseBuild(part)
		if err != nil {
			return nil, nil, fmt.Errorf("search.builds: %w", err)
		}
		if b = b.Normalized(); slices.ContainsFunc(builds, b.Equal) {
			return nil, nil, fmt.Errorf("search.builds has %q twice", part)
		}
		builds = append(builds, b)
	}
	return builds, nil, nil
}

// loadProxy makes the setup's proxy. A table that is not the one it was is refused,
// since every score would be another.
func (s *setup) loadProxy() error {
	if s.Proxy != "fitted" {
		p, err := proxy.New(s.Proxy, nil, nil)
		if err != nil {
			return fmt.Errorf("search.proxy: %w", err)
		}
		s.proxy = p
		return nil
	}
	if s.Trained == nil {
		return fmt.Errorf("search.proxy is fitted: it learns from a table of architectures that you have trained, search.trained (--trained FILE); see lathe proxy --help")
	}
	t, err := s.trainedTable()
	if err != nil {
		return err
	}
	if s.proxy, err = proxy.Fit(t); err != nil {
		return fmt.Errorf("search.trained: %w", err)
	}
	return nil
}

// trainedTable reads what a fitted proxy learns from, which must be the table that the
// search was started with.
func (s *setup) trainedTable() (*proxy.Table, error) {
	data, err := os.ReadFile(s.Trained.Path)
	if err != nil {
		return nil, fmt.Errorf("search.trained: %w", err)
	}
	sum := sha256.Sum256(data)
	if hash := hex.EncodeToString(sum[:]); s.Trained.Hash == "" {
		s.Trained.Hash = hash
	} else if s.Trained.Hash != hash {
		return nil, fmt.Errorf("%s is another table than the search was started with: start another search", s.Trained.Path)
	}
	return proxy.Read(strings.NewReader(string(data)), s.Trained.Path, proxy.ReadOptions{
		Base: s.anyCandidate().Spec, Quality: s.Trained.Quality, HigherIsBetter: s.Trained.HigherIsBetter,
	})
}

// validatedRows bounds the tables that evidence validates a proxy on: a fit takes the cube
// of the rows.
const validatedRows = 400

// evidence is how the setup's proxy was validated: one that is fitted, on the table that it
// learned from.
func (s *setup) evidence() (e proxy.Evidence, err error) {
	var t *proxy.Table
	if s.Trained != nil {
		if t, err = s.trainedTable(); err != nil {
			return e, err
		}
		if len(t.Rows) > validatedRows {
			return e, fmt.Errorf("%s has %d rows: lathe proxy %s --json validates on it", s.Trained.Path, len(t.Rows), s.Trained.Path)
		}
	}
	p, err := proxy.New(s.Proxy, t, rand.New(rand.NewPCG(s.Seed, proxyStream)))
	if err != nil {
		return e, err
	}
	return p.Evidence(), nil
}

// objective is the one of a name. Where quality is by training, that is what "quality"
// means, and what training takes is counted.
func (s *setup) objective(name string, p search.Proxy) (search.Objective, error) {
	if r := s.Training; r != nil {
		switch name {
		case "quality", search.LogLikelihood.Name:
			return search.LogLikelihood, nil
		case trainFlops:
			return search.Objective{Name: name, Count: func(c arch.Candidate) float64 { return r.trainFlops(c.Spec) }}, nil
		case trainBytes:
			return search.Objective{Name: name, Count: func(c arch.Candidate) float64 { return r.trainBytes(c.Spec) }}, nil
		}
	}
	return search.NamedObjective(name, p)
}

// Objectives of a search that trains.
const (
	trainFlops = "train_flops" // of a candidate's whole training
	trainBytes = "train_bytes" // of a pass of it
)

// goals are the objectives and limits in force. Quality and latency, which fronts are
// drawn by, are recorded where they are not compared, and so is what is only limited.
func (s *setup) goals() (objectives []search.Objective, limits []search.Limit, err error) {
	add := func(name string, compared bool) (string, error) {
		o, err := s.objective(name, s.proxy)
		if err != nil {
			return "", err
		}
		if !slices.ContainsFunc(objectives, func(h search.Objective) bool { return h.Name == o.Name }) {
			if !compared {
				o.Direction = pareto.Ignore
			}
			objectives = append(objectives, o)
		} else if compared {
			return "", fmt.Errorf("search.objectives has %s twice", o.Name)
		}
		return o.Name, nil
	}
	for _, name := range s.Objectives {
		if _, err := add(name, true); err != nil {
			return nil, nil, err
		}
	}
	if len(objectives) == 0 {
		return nil, nil, fmt.Errorf("search.objectives is empty; the paper's are quality,latency")
	}
	for _, text := range s.Limits {
		l, err := parseLimit(text)
		if err != nil {
			return nil, nil, err
		}
		if l.Objective, err = add(l.Objective, false); err != nil {
			return nil, nil, err
		}
		limits = append(limits, l)
	}
	for _, name := range []string{"quality", search.Latency.Name} {
		if _, err := add(name, false); err != nil {
			return nil, nil, err
		}
	}
	return objectives, limits, nil
}

var limitForm = regexp.MustCompile(`^(\w+)\s*(<=|>=)\s*(\S+)$`)

// parseLimit reads a bound on an objective, such as "weight_bytes <= 200e6".
func parseLimit(text string) (search.Limit, error) {
	m := limitForm.FindStringSubmatch(text)
	if m == nil {
		return search.Limit{}, fmt.Errorf("search.limits: %q is no limit: want an objective, <= or >=, and a number, such as weight_bytes <= 200e6", text)
	}
	v, err := strconv.ParseFloat(m[3], 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return search.Limit{}, fmt.Errorf("search.limits: %q: %s is no number", text, m[3])
	}
	l := search.Limit{Objective: m[1], Within: search.Interval{Low: v, High: math.Inf(1)}}
	if m[2] == "<=" {
		l.Within = search.Interval{Low: math.Inf(-1), High: v}
	}
	return l, nil
}

// precisionUnseen says it where precisions are compared by a quality that is blind to
// them.
func (s *setup) precisionUnseen() string {
	if slices.Contains(s.Objectives, search.WeightBits.Name) {
		return ""
	}
	for _, b := range s.Builds {
		if b.Precision != s.Builds[0].Precision {
			return fmt.Sprintf("note: %s sees no difference between builds' precisions, so that the fastest is as good to it; with %s among the objectives, fewer bits count as worse", s.Proxy, search.WeightBits.Name)
		}
	}
	return ""
}
