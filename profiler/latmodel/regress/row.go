package regress

import (
	"fmt"
	"math"
)

// Row is one thing that was measured.
type Row struct {
	Features []float64 // amounts that cost in proportion: 0 or more
	Shape    []float64 // what likeness is judged by: logarithms of sizes
	Y        float64   // what was measured: positive
	// SD is the standard error of Y, relative; 0 is exact, or unknown alike for all.
	SD float64
	// Weight is of the row's relative error in the least squares; 0 stands for 1.
	Weight float64
}

func (r *Row) weight() float64 {
	if r.Weight == 0 {
		return 1
	}
	return r.Weight
}

// Options of a fit. The zero value is the documented default.
type Options struct {
	// Names of the features, for the reasons why one is left out; nil: "feature 0"
	// and so on.
	Names []string
	// Anchor, if not nil, is known exactly (the baseline's ratio to itself is 1 by
	// definition): it is fitted like a row, and never held out.
	Anchor *Row
	// SumOnly leaves the process out: least squares alone.
	SumOnly bool
}

func (o *Options) name(j int) string {
	if j < len(o.Names) {
		return o.Names[j]
	}
	return fmt.Sprintf("feature %d", j)
}

// check reports rows that cannot be fitted.
func check(rows []Row, o *Options) error {
	if len(rows) == 0 {
		return fmt.Errorf("regress: no rows to fit: want at least 1")
	}
	features, shape := len(rows[0].Features), len(rows[0].Shape)
	if features == 0 {
		return fmt.Errorf("regress: rows[0] has no features: want at least 1")
	}
	one := func(where string, r *Row) error {
		switch {
		case len(r.Features) != features || len(r.Shape) != shape:
			return fmt.Errorf("regress: %s has %d features and a shape of %d: want %d and %d, as rows[0] has", where, len(r.Features), len(r.Shape), features, shape)
		case !(r.Y > 0) || math.IsInf(r.Y, 0):
			return fmt.Errorf("regress: %s.Y is %v: want a positive number", where, r.Y)
		case !(r.SD >= 0) || !(r.Weight >= 0) || math.IsInf(r.SD, 0) || math.IsInf(r.Weight, 0):
			return fmt.Errorf("regress: %s has SD %v and Weight %v: want 0 or more", where, r.SD, r.Weight)
		}
		for j, v := range r.Features {
			if !(v >= 0) || math.IsInf(v, 0) {
				return fmt.Errorf("regress: %s: %s is %v: want 0 or more", where, o.name(j), v)
			}
		}
		for j, v := range r.Shape {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("regress: %s.Shape[%d] is %v: want a number", where, j, v)
			}
		}
		return nil
	}
	for i := range rows {
		if err := one(fmt.Sprintf("rows[%d]", i), &rows[i]); err != nil {
			return err
		}
	}
	if o.Anchor != nil {
		return one("the anchor", o.Anchor)
	}
	return nil
}
