// Package arch says what a model is and how it is run, and counts what that
// costs, without building anything.
//
//   - [Spec] is what is trained: family, sizes and layers.
//   - [Build] is how it is lowered and run: dialect, precision, threads,
//     execution provider.
//   - [Candidate] is both, and what every other package passes about.
//   - [Counts] are its parameters, FLOPs and bytes, in closed form and exact.
//   - [Space] is the set of candidates that a search may choose from.
//
// It stands at the head of the pipeline: graphgen lowers a Candidate, the
// profiler times it, latmodel predicts it from its counts, search proposes
// Specs out of a Space. It imports nothing else of Lathe's.
//
// It is not the place for graphs, weights or timings, and it does not know
// which libraries are installed: [Build.CheckSpec] knows what providers can run
// in principle, and package ort what this machine has.
//
// # Names
//
// A homogeneous Spec has a compact name, its parts joined by "-":
//
//	gpt2-l12-d1024-f4096-h16    layers, d_model, d_inner, n_head
//	llama-l12-d1024-f2816-h16   the same of the other family
//	lstm-l2-d1024, gru-l2-d1024 stacks of recurrent layers: layers, d_model
//	-hs2048                     hidden size, where it is not d_model (lstm, gru)
//	-kv4                        heads of keys and values, where they are not n_head (llama)
//	-v50000                     vocabulary, where it is not 50257 (llama: 32000)
//	-p1024                      positions, where they are not 2048
//	-hd128                      head_dim, where it is not d_model/n_head
//	-untied                     LM head and token embedding are two matrices (llama: always
//	                            so without -tied)
//	-tied                       they are one (all but llama: always so without -untied)
//
// A Build adds parts joined by "+", each left out where it is the default:
//
//	+portable                   dialect (default fused)
//	+int4b32                    precision of the linear layers (default: not quantized): int4
//	                            or int8 weights in blocks of 16, 32, 64 or 128 (+int4 is read
//	                            as +int4b32), with zero points as +int4b32asym; or +int8dyn,
//	                            activations too
//	+fp16                       type of activations, cache, and all weights that are not
//	                            quantized (default fp32)
//	+head-int8b32               precision of the LM head (default: as the linear layers)
//	+embed-int8b32              precision of the token embedding (default: where it is tied
//	                            to an int4 or int8 head it is that matrix, else fp32)
//	+t2                         threads (default 1)
//	+cuda@device_id=0           execution provider and its options (default cpu)
//
// Parts may come in any order after the family; names are printed in the order
// above. Every name that is printed for a homogeneous Spec with simple provider
// options reads back to the same value. Anything else (layers that differ in size or
// type; of norms an epsilon, of the rotary embedding a base or scaling, biases of
// queries, keys and values) has a YAML form, which [Load] reads; its printed name ends
// in a hash and says no more than that two things differ.
package arch
