package main

import (
	"fmt"

	"lathe/graphgen/inspect"
	"lathe/reports"
	"lathe/runtime/decode"
	"lathe/runtime/ort"
)

// unrecognised is what import prints of an ONNX file that is none of our families.
type unrecognised struct {
	Path       string          `json:"path"`
	Format     string          `json:"format"` // onnx
	Recognised bool            `json:"recognised"`
	Reason     string          `json:"reason"`   // why it was not recognised
	Timeable   bool            `json:"timeable"` // as it is
	Lacks      string          `json:"lacks"`    // what for that; "" where it is
	Vocabulary int             `json:"vocab"`    // of its logits; 0: their shape does not say
	Layers     int             `json:"layers"`   // that have a cache
	Inputs     []inspect.Value `json:"inputs"`
	Outputs    []inspect.Value `json:"outputs"`
}

// importUnrecognised says what is known of a file whose decoder was not recognised, and
// whether it can be timed nevertheless. One that cannot be is the user's error.
func (a *app) importUnrecognised(path string, reason error) error {
	report, err := inspect.File(path)
	if err != nil {
		return unlessDenied(err)
	}
	u := unrecognised{Path: path, Format: formatONNX, Reason: reason.Error(), Inputs: report.Inputs, Outputs: report.Outputs}
	told, lacks := describe(path)
	if lacks == nil {
		u.Timeable, u.Vocabulary, u.Layers = true, told.Vocab, len(told.Layers)
	} else {
		u.Lacks = lacks.Error()
		lacks = badInput(fmt.Errorf("import: %w", lacks))
	}
	if a.json {
		if err := a.printJSON(u); err != nil {
			return err
		}
		return lacks
	}
	if err := reports.InspectValues(a.stdout, reports.Text, report); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\nIts weights cannot be taken: %s\n", u.Reason)
	if u.Timeable {
		fmt.Fprintf(a.stdout, "It is a decoder of %d layers with caches, and can be timed as it is, as a candidate or a baseline:\n  lathe measure CANDIDATE --baseline %s\n", u.Layers, path)
	}
	return lacks
}

// describe is what decode finds in a file that is timed one sequence at a time.
func describe(path string) (decode.Info, error) {
	d, err := ort.ReadDeclared(path)
	if err != nil {
		return decode.Info{}, err
	}
	told, err := decode.Describe(d)
	if err == nil && told.Batch != 1 {
		err = fmt.Errorf("decode: %s: it is made for %d sequences at once, and one is timed; export it with a batch of any size", path, told.Batch)
	}
	return told, err
}
