// Package inspect says what is in an ONNX file, whoever wrote it: operators,
// inputs and outputs, parameters, depth, cycles, the largest initializers, the
// external data it needs, and the candidate it is if Lathe wrote it, or the model that
// package recover finds in it.
//
// Two readers look at every file. The topology comes from onnx-go, an
// implementation that is not ours, which builds it in a graph of gonum's
// ([Graph]); in tests it is what an emitted graph is held against. What onnx-go
// cannot see (domains, subgraphs, types, shapes, metadata, external data) comes
// from our own schema beside it. Where the two see different operators, the
// report says so.
//
// The bytes of tensors are not read, neither those in the file nor those beside it,
// unless recover looks at them: a model of any size takes as much memory as its
// nodes. A file that is
// broken in a way that still lets it be described is described, with what is
// wrong in [Report.Problems]; only what is no ONNX model is an error.
//
// It is not the place for reading weights, nor for judging whether a model can
// run: it knows no operator's signature. It stands beside the pipeline.
package inspect
