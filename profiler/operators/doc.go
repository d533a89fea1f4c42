// Package operators says where a session's time goes: by operator, by layer, and
// against what the machine's memory and arithmetic allow.
//
// It reads the trace that ONNX Runtime writes of a session (ort.Options'
// ProfilePrefix), splits it into runs, and sets beside each node's time the bytes
// that it has to move and the operations that it has to do, by closed form over
// our own graph. It stands beside package profiler, which times whole runs and
// compares candidates: a trace slows what it looks at, so no figure of this
// package decides between candidates, and none is stored.
//
// # Whole sums
//
// A node's time is its median over the runs of its phase. What no kernel accounts
// for (the library's own dispatch, and the call into it) is the median over runs of
// the run's time less its kernels'. The total is their sum, so that every table adds
// up; a warning says where it differs from the median run. The library's clock
// counts whole microseconds and rounds down: Profile.RoundingMS bounds what that may
// have moved from kernels to dispatch.
//
// # Limits
//
// A node has to move its weights, in the precision they are stored in, the part of
// the cache it reads, and its activations; at the machine's read bandwidth that
// takes one time, and its operations at the machine's rate another (Williams,
// Waterman and Patterson, "Roofline", 2009). The greater is the node's limit and
// says whether memory or arithmetic bounds it. Activations that stay in the caches
// move faster than memory, and int8 products exceed an fp32 rate: there a node can
// attain more than its limit. Weights that fit the caches do the same in a small
// model.
package operators
