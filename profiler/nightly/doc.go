// Package nightly judges a night's timings of what is deployed against a stored
// reference: slower, faster, the same, or not to be told. It also finds where a
// history of nights changed its level.
//
// It measures nothing and stores nothing: cmd times the sessions, the store keeps
// nights as JSON, reports prints them. It stands on stat, for bounds that allow for
// looking again and again, and on record, for who was timed on which machine.
//
// # What a decision rests on
//
// A session is one process in which a thing is timed in pairs with the baseline; its
// figure is a ratio to the baseline, so that a machine that got slower as a whole
// cancels. Three things make two such figures of one and the same model differ:
//
//   - the samples of the session, whose share the session's own interval gives;
//   - the process: where memory lies stays for as long as a process lives, so that
//     more samples do not help (coefficients of variation of 0.4 to 0.9 % in
//     docs/BENCHMARKS.md). Several processes a night do;
//   - the night: what stays for as long as the machine runs, or the weather of a day.
//
// A night's mean has weights by the first two, and an interval by Student's t whose
// spread is learned from tonight's sessions and from the nights before
// ([Spread]). Against a stored reference the third counts twice, for the reference's
// night and for tonight. Where the reference's own file is timed in the same sessions,
// they pair directly, and the third does not count.
//
// # Errors
//
// Slower and faster are decided by intervals that hold for all comparisons of a night
// together, each a thing and a metric, in [Level] of nights: each has 1-Level divided by
// their number (Bonferroni), and on twice the sessions that same takes: intervals are of
// sessions that differ by normal errors, of which real ones have larger. Same is an
// equivalence test of each comparison by itself, at [SameLevel]. Both are spread over the
// looks of a night (stat.Sequential).
package nightly
