package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"lathe/graphgen/arch"
	"lathe/graphgen/bundle"
)

// keepLoadable keeps a search within what loaders can open: its builds have the dialect
// that they take, and its spaces no layers that they do not. builds are search.builds.
func (s *setup) keepLoadable(loaders, build, builds string) (notes []string, err error) {
	if loaders == "" {
		return nil, nil
	}
	by, err := bundle.ParseLoaders(loaders)
	if err != nil {
		return nil, fmt.Errorf("search.loadable_by: %w", err)
	}
	for _, l := range by {
		s.LoadableBy = append(s.LoadableBy, string(l))
	}
	fit := func(b *arch.Build, named string) {
		if namesDialect([]string{named}) {
			return
		}
		b.Dialect = ""
		*b = bundle.Fit(arch.Candidate{Build: *b}, by).Build
	}
	was := s.Build.Dialect
	if fit(&s.Build, build); s.Build.Dialect != was {
		notes = append(notes, fmt.Sprintf("search.loadable_by %s: candidates run in the dialect %s", loaders, s.Build.Dialect))
	}
	if parts := commaList(builds); len(s.Axes) == 0 && len(parts) == len(s.Builds) {
		for i := range s.Builds {
			fit(&s.Builds[i], parts[i])
		}
	}
	more, err := s.loadableLayers(by)
	if err != nil {
		return nil, err
	}
	notes = append(notes, more...)
	for _, b := range s.builds() {
		c := s.anyCandidate()
		c.Build = b
		var refused *bundle.CannotOpen
		if _, err := bundle.CheckFor(c, by); errors.As(err, &refused) {
			return nil, fmt.Errorf("search.loadable_by: %s cannot open what runs as %q: %s", refused.Verdicts[0].Loader, b.Name(), strings.Join(refused.Verdicts[0].Reasons, "; "))
		}
	}
	return notes, nil
}

// loadableLayers leaves recurrent layers out of the space, which no loader opens, and
// asks for heads that are the same in all layers, where a loader wants that.
func (s *setup) loadableLayers(by []bundle.Loader) (notes []string, err error) {
	sp := &s.Space
	if !sp.Layerwise {
		return nil, nil
	}
	names := strings.Join(s.LoadableBy, ",")
	var kept []arch.LayerType
	for _, t := range sp.Types {
		if !t.Recurrent() {
			kept = append(kept, t)
			continue
		}
		notes = append(notes, fmt.Sprintf("search.loadable_by %s: layers of type %s are left out of the space", names, t))
	}
	if len(sp.Types) > 0 && len(kept) == 0 || (arch.Spec{Family: sp.Family}).Stack() {
		return nil, fmt.Errorf("search.loadable_by %s: the space has recurrent layers only, and no loader carries their states", names)
	}
	if len(kept) < len(sp.Types) {
		sp.Types, sp.Hidden = kept, arch.Axis{}
		if sp.Family == arch.Mixed {
			sp.Family = arch.GPT2 // which is what a mixed model of them is
		}
	}
	heads, err := sp.NHead.Values("n_head", arch.MaxHeads)
	if err != nil {
		return nil, err
	}
	if slices.Contains(by, bundle.Optimum) && len(heads) > 1 {
		return nil, fmt.Errorf("search.loadable_by %s: optimum opens models whose layers have the same heads, and space.n_head has %d choices for every layer: give it one, such as {choices: [%d]}, or search homogeneous models (space.layerwise false)", names, len(heads), heads[len(heads)/2])
	}
	return notes, nil
}
