// Package verify says whether a folder for production is what it claims to be: whether
// its files are those that were written, its configurations those of its graphs, its
// graphs what the programs feed that open it, and what they compute what the weights
// they came from compute.
//
// Each question is a [Check] with a name, which passed, failed or was skipped, and says
// why; what was measured stands beside its bound. [Folder] answers all of them about a
// folder of package bundle, ours or another tool's.
//
// It builds no graph, reads no weights and no text, and knows no tokenizer: what it
// needs of those comes through [Options], as functions that cmd fills in. It times with
// package profiler, and gives no verdict on what a time should be.
package verify
