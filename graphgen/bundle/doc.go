// Package bundle writes and reads folders that go to production: models with what
// other programs need to open them.
//
// A bundle has a layout that one or several [Loader]s open as it is: Optimum
// (ORTModelForCausalLM), transformers.js, onnxruntime-genai. It holds the model in one
// or several precisions, config.json and generation_config.json as transformers has
// them, genai_config.json, a tokenizer, and what is ours: [ManifestFile] says what the
// model is, what was measured of it and under which conditions, and has the checksums
// of all files; README.md says the same to people.
//
// [Check] says which loaders can open a candidate, before anything is built.
//
// Folders that are read come from strangers, of other tools too: [Open] reads regular
// files of the folder only, of bounded size, and never the weights.
//
// Graphs and weights are written by others (graphgen, weights), into the places that
// [Place] names; tokenizers by finetune/tokenizer. Whether a bundle computes what it
// should is for profiler/verify.
package bundle
