// Package onnxpb is Lathe's own subset of the ONNX schema, generated from
// onnx.proto: what the graph builder writes and the readers of existing models
// need. It is for encoding and decoding only; graphs are built with package ir.
//
// Unknown fields survive a round trip, as protobuf keeps them.
package onnxpb

//go:generate go run ./gen onnx.proto
