package latmodel

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
)

// Version is that of a model's JSON. It changes with the format and with any
// feature's closed form: a weight means nothing beside another form.
const Version = 1

// modelDoc is a Model as JSON has it.
type modelDoc struct {
	Version        int            `json:"version"`
	Baseline       arch.Candidate `json:"baseline"`
	BaselineName   string         `json:"baseline_name"`
	Build          arch.Build     `json:"build"`
	BuildName      string         `json:"build_name"`
	Host           record.Host    `json:"host"`
	HostHash       string         `json:"host_hash"`
	LibraryVersion string         `json:"library_version"`
	Binding        string         `json:"binding"`
	Point          Point          `json:"point"`
	Records        int            `json:"records"`
	Candidates     int            `json:"candidates"`
	LeftOut        []LeftOut      `json:"left_out"`
	Level          float64        `json:"level"`
	Ranges         []Range        `json:"ranges"`
	Warnings       []string       `json:"warnings"`
	PL             targetDoc      `json:"pl"`
	TL             targetDoc      `json:"tl"`
}

type targetDoc struct {
	BaselineMS float64   `json:"baseline_ms"`
	Terms      []termDoc `json:"terms"`
	CV         CV        `json:"cv"`
	// What intervals are made of: a candidate's fold and the factor by which the
	// fold's weights missed it.
	HeldOut     []heldOutDoc `json:"held_out"`
	FoldWeights [][]float64  `json:"fold_weights"`
}

type termDoc struct {
	Feature  string  `json:"feature"`
	Unit     string  `json:"unit"`
	Weight   float64 `json:"weight"`
	Excluded string  `json:"excluded,omitempty"`
}

type heldOutDoc struct {
	Fold   int     `json:"fold"`
	Factor float64 `json:"factor"`
}

// MarshalJSON writes the model whole.
func (m *Model) MarshalJSON() ([]byte, error) {
	return json.Marshal(modelDoc{
		Version: Version, Baseline: m.Baseline, BaselineName: m.Baseline.Name(), Build: m.Build, BuildName: m.Build.Name(),
		Host: m.Host, HostHash: m.Host.Hash(), LibraryVersion: m.Host.LibraryVersion, Binding: m.Binding, Point: m.Point,
		Records: m.Records, Candidates: m.Candidates, LeftOut: m.LeftOut, Level: m.Level, Ranges: m.Ranges, Warnings: m.Warnings,
		PL: m.pl.doc(), TL: m.tl.doc(),
	})
}

func (t *target) doc() targetDoc {
	d := targetDoc{BaselineMS: t.baselineMS, CV: t.cv, FoldWeights: t.conformal.weights}
	for j, f := range t.features {
		d.Terms = append(d.Terms, termDoc{f.Name, f.Unit, t.weights[j], t.excluded[j]})
	}
	for i, s := range t.conformal.factor {
		d.HeldOut = append(d.HeldOut, heldOutDoc{t.conformal.fold[i], s})
	}
	return d
}

// UnmarshalJSON reads what MarshalJSON writes. It refuses other versions, unknown
// keys, and figures that no fit gives.
func (m *Model) UnmarshalJSON(b []byte) error {
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("latmodel: json: %w", err)
	}
	if v.Version != Version {
		return fmt.Errorf("latmodel: json: version %d of the model: this program reads version %d, fit again", v.Version, Version)
	}
	var d modelDoc
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return fmt.Errorf("latmodel: json: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("latmodel: json: something follows the model")
	}
	read, err := d.model()
	if err != nil {
		return fmt.Errorf("latmodel: json: %w", err)
	}
	*m = *read
	return nil
}

func (d *modelDoc) model() (*Model, error) {
	if err := d.Baseline.Validate(); err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	if err := d.Build.Validate(); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	switch {
	case d.Host.Hash() != d.HostHash:
		return nil, fmt.Errorf("host_hash %q does not fit the host, whose hash is %q", d.HostHash, d.Host.Hash())
	case d.Binding != record.Shared && d.Binding != record.Copied:
		return nil, fmt.Errorf("binding %q: want %q or %q", d.Binding, record.Shared, record.Copied)
	case d.Point.Prompt < 1 || d.Point.Cache < 0:
		return nil, fmt.Errorf("point of %d prompt_tokens and %d cache_tokens: want at least 1 and 0", d.Point.Prompt, d.Point.Cache)
	case !(d.Level >= minLevel && d.Level < 1):
		return nil, fmt.Errorf("level %g: want at least %g and less than 1", d.Level, minLevel)
	case d.Candidates < MinCandidates || d.Records < d.Candidates:
		return nil, fmt.Errorf("%d candidates of %d records: want at least %d, and a record of each", d.Candidates, d.Records, MinCandidates)
	case len(d.Ranges) != len(sizes):
		return nil, fmt.Errorf("%d ranges: want %d", len(d.Ranges), len(sizes))
	}
	for i, r := range d.Ranges {
		if r.Name != sizes[i] || !(r.Min <= r.Max) {
			return nil, fmt.Errorf("ranges[%d] is %s from %g to %g: want %s, rising", i, r.Name, r.Min, r.Max, sizes[i])
		}
	}
	m := &Model{
		Baseline: d.Baseline, Build: d.Build.Normalized(), Host: d.Host, Binding: d.Binding, Point: d.Point,
		Records: d.Records, Candidates: d.Candidates, LeftOut: d.LeftOut, Level: d.Level, Ranges: d.Ranges, Warnings: d.Warnings,
	}
	plStep, tlStep := d.Point.steps()
	var err error
	if m.pl, err = d.PL.target(PL, plStep, d.Candidates); err != nil {
		return nil, fmt.Errorf("pl: %w", err)
	}
	if m.tl, err = d.TL.target(TL, tlStep, d.Candidates); err != nil {
		return nil, fmt.Errorf("tl: %w", err)
	}
	return m, nil
}

func (d *targetDoc) target(name Target, at step, candidates int) (target, error) {
	t := target{step: at, features: Features(name), baselineMS: d.BaselineMS, cv: d.CV}
	if !(d.BaselineMS > 0) {
		return t, fmt.Errorf("baseline_ms %g: want a positive time", d.BaselineMS)
	}
	if len(d.Terms) != len(t.features) {
		return t, fmt.Errorf("%d terms: want %d", len(d.Terms), len(t.features))
	}
	for j, term := range d.Terms {
		if f := t.features[j]; term.Feature != f.Name || term.Unit != f.Unit {
			return t, fmt.Errorf("terms[%d] is %s in %s: want %s in %s", j, term.Feature, term.Unit, f.Name, f.Unit)
		}
		t.weights, t.excluded = append(t.weights, term.Weight), append(t.excluded, term.Excluded)
	}
	if err := t.checkWeights(t.weights); err != nil {
		return t, fmt.Errorf("terms: %w", err)
	}
	for k, w := range d.FoldWeights {
		if err := t.checkWeights(w); err != nil {
			return t, fmt.Errorf("fold_weights[%d]: %w", k, err)
		}
	}
	if len(d.HeldOut) != candidates {
		return t, fmt.Errorf("%d held_out: want one for each of %d candidates", len(d.HeldOut), candidates)
	}
	t.conformal.weights = d.FoldWeights
	for i, h := range d.HeldOut {
		if h.Fold < 0 || h.Fold >= len(d.FoldWeights) || !(h.Factor >= 1) {
			return t, fmt.Errorf("held_out[%d] is of fold %d by a factor of %g: want one of %d folds and at least 1", i, h.Fold, h.Factor, len(d.FoldWeights))
		}
		t.conformal.fold, t.conformal.factor = append(t.conformal.fold, h.Fold), append(t.conformal.factor, h.Factor)
	}
	return t, nil
}

// weightLimit is beyond any weight of a fit, and keeps predictions finite.
const weightLimit = 1e12

// checkWeights wants what a fit gives: nothing negative, and something.
func (t *target) checkWeights(w []float64) error {
	if len(w) != len(t.features) {
		return fmt.Errorf("%d weights: want %d", len(w), len(t.features))
	}
	sum := 0.0
	for j, v := range w {
		if !(v >= 0 && v <= weightLimit) {
			return fmt.Errorf("weight %g of %s: want 0 or more", v, t.features[j].Name)
		}
		sum += v
	}
	if sum == 0 || math.IsNaN(sum) {
		return fmt.Errorf("all weights are 0")
	}
	return nil
}
