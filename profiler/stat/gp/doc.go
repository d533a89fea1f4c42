// Package gp is Gaussian-process regression for a few dozen to a few hundred
// points in a few dimensions: what is smooth in the sizes of things and has no
// closed form.
//
// The covariance is a squared exponential with a length of its own in each
// dimension, and noise. [Inputs] are the points; [Inputs.Fit] finds amplitude,
// noise and lengths by their posterior density, with a [Prior] that says what is
// plausible (a few dozen points cannot tell six parameters by themselves), and gives
// a [Process], the posterior mean alone, which is quick to ask and easy to store.
// Where an uncertainty is wanted, or a mean that follows a trend far from the points,
// [Inputs.Model] gives a [Model].
//
// It knows nothing of what the points are: regress learns with it what physical
// terms leave of a latency, and search's proxy what decoder parameters leave of a
// quality. It draws nothing at random. It is a leaf.
package gp
