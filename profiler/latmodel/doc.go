// Package latmodel predicts a candidate's latency from its architecture: relative
// PL and TL, the ratios to a baseline that was timed in alternation with every
// candidate it learns from. Ratios, since a machine's speed moves within minutes
// and the ratio does not.
//
// A [Model] is a sum of physical terms: weight bytes read, FLOPs, operators
// launched and a few more ([Features]), each a closed form over the candidate that
// equals what its graph does, times a weight that is never negative; times a factor
// by a Gaussian process over sizes, where the evidence says that the sum leaves
// more than noise (package regress). So each term's share of the latency can be
// read ([Model.Terms]), and far from what was measured the sum alone speaks. One
// model is for one baseline, build (threads and all), host, way of binding and
// workload point; it refuses what belongs to another.
//
// The package stands between records and search: [Fit] takes records that the
// profiler made, [Model.Predict] and [Predictor] answer for candidates that were
// never timed. It times nothing, stores nothing ([Model] is JSON for whoever
// does), and does not choose what to measure next. It imports arch, record, stat
// and regress.
//
// # What is predicted
//
// Medians on the quiet machine: relative PL and TL at the prompt and the cache
// length that the model was fitted at. P95 latency_char over a workload
// ([Model.P95]) carries both to each request's lengths by the physical terms, and
// takes the tail from the baseline's own requests ([Model.Tail]): a tail belongs to
// the machine's disturbances, and a candidate's is taken to be like the baseline's.
// [Model.CheckP95] says how wrong that was where requests of candidates were
// measured.
//
// # Error and interval
//
// Every fit reports its own error by cross-validation over candidates ([CV]),
// beside that of its least squares alone, that of a naive model that knows decoder
// parameters only, and that of the measurement itself ([Noise]); [Model.Check] says
// it of candidates that were never fitted. Intervals are
// conformal, by jackknife+ (Barber, Candes, Ramdas and Tibshirani, "Predictive
// inference with the jackknife+", 2021), or CV+ of the same paper where folds are
// fewer than candidates, of the score max(y/p, p/y). At a nominal 90 % their
// guarantee is 80 % and what simulations show is 90 %. Either holds for candidates
// drawn as those measured were. Those that a search picked for being fast are not,
// so a pick is always measured. A candidate outside the measured range of sizes
// gets a warning with its prediction.
package latmodel
