// Package onnxfile opens ONNX files, whoever wrote them: it reads a model without the
// payloads of its tensors, and finds those, in the file and beside it.
//
// Files come from strangers. Sizes are checked before anything is allocated; external
// data is a regular file of the model's own folder, or it is refused. Memory does not
// grow with the weights: a tensor's bytes are read where they are, when they are asked
// for.
//
// What the graph means is for others: package inspect describes any file, package
// recover finds the decoder in one.
package onnxfile
