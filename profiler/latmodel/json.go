package latmodel

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"lathe/graphgen/arch"
	"lathe/profiler/record"
	"lathe/profiler/stat/gp"
)

// Version is that of a model's JSON. It changes with the format and with any
// feature's closed form: a weight means nothing beside another form.
const Version = 4

// modelDoc is a Model as JSON has it.
type modelDoc struct {
	Version        int            `json:"version"`
	Baseline       record.Subject `json:"baseline"`
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
	BaselineMS float64     `json:"baseline_ms"`
	Terms      []termDoc   `json:"terms"`
	Shape      []string    `json:"shape"`   // dimensions of points
	Points     [][]float64 `json:"points"`  // shapes of the candidates, then of the baseline where it was fitted too
	Process    *processDoc `json:"process"` // null: least squares alone
	CV         CV          `json:"cv"`
	Noise      *Noise      `json:"noise"`
	// What intervals are made of: what was measured of each candidate and what the
	// models of folds without it said.
	HeldOut []HeldOut `json:"held_out"`
	Folds   []foldDoc `json:"folds"`
	Naive   naiveDoc  `json:"naive_decoder_params"`
}

type termDoc struct {
	Feature  string  `json:"feature"`
	Unit     string  `json:"unit"`
	Weight   float64 `json:"weight"`
	Excluded string  `json:"excluded,omitempty"`
}

type processDoc struct {
	Amplitude float64   `json:"amplitude"`
	Nugget    float64   `json:"nugget"`
	Rates     []float64 `json:"inverse_lengths"`
	Alpha     []float64 `json:"alpha"`
}

// foldDoc is a model fitted without one fold.
type foldDoc struct {
	Weights []float64   `json:"weights"`
	Process *processDoc `json:"process"`
}

type naiveDoc struct {
	Weights []float64   `json:"weights"`
	Folds   [][]float64 `json:"folds"`
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
	m := t.full.model
	d := targetDoc{
		BaselineMS: t.baselineMS, Shape: shapeNames, Points: t.points, Process: docOf(m.Process), CV: t.cv, Noise: t.noise, HeldOut: t.held,
		Naive: naiveDoc{Weights: t.naive.model.Weights},
	}
	for j, f := range t.features {
		d.Terms = append(d.Terms, termDoc{f.Name, f.Unit, m.Weights[j], m.Excluded[j]})
	}
	for _, f := range t.full.intervals.Models {
		d.Folds = append(d.Folds, foldDoc{f.Weights, docOf(f.Process)})
	}
	for _, f := range t.naive.intervals.Models {
		d.Naive.Folds = append(d.Naive.Folds, f.Weights)
	}
	return d
}

func docOf(p *gp.Process) *processDoc {
	if p == nil {
		return nil
	}
	return &processDoc{p.Amplitude, p.Nugget, p.Rates, p.Alpha}
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
	for _, t := range []struct {
		name Target
		doc  *targetDoc
	}{{PL, &d.PL}, {TL, &d.TL}} {
		read, err := t.doc.target(t.name, d.Point, d.Candidates)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
		*m.target(t.name) = *read
	}
	return m, nil
}
