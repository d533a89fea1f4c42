// Package inherit gives a smaller model weights to start from: those of a bigger one of
// its family, layer by layer, head by head and neuron by neuron, what matters most first.
//
// [Measure] runs the bigger model, the baseline, over some thousand tokens and sees what
// its parts do ([Statistics]); [Choose] decides which of them a smaller Spec keeps; the
// [Choice]'s Tensors are views of the baseline's weights: nothing is copied until it is
// read. It is where a training starts from, and no training: what was taken out is missed
// until the rest has learned to do without.
package inherit
