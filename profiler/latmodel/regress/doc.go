// Package regress learns a positive quantity, such as a relative latency, from a
// few dozen measurements of different things.
//
// A [Model] is a sum of physical amounts times weights that are never negative
// (bytes read, arithmetic done), fitted by least squares of relative errors,
// times a factor from a Gaussian process (package gp) over shape (logarithms of sizes), fitted
// to what the sum leaves. The sum carries the prediction far from the data, where
// the factor goes to 1; the process adds what is smooth and has no closed form.
// Where the evidence for it is no better than for noise alone there is none:
// [Model.Process] is nil, and the prediction is the sum's.
//
// [CrossValidate] fits without each fold in turn; [NewIntervals] makes conformal
// intervals of that (jackknife+ and CV+), and [Coverage] says how often those hold
// what is held out.
//
// The package knows no candidates and no records: latmodel gives it features and
// shapes of those, and anything else that has physical amounts and sizes can be
// learned alike. It draws nothing at random and stores nothing. It imports stat and gp.
package regress
