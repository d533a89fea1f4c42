// Package eval judges language models by text that they have not seen: perplexity in
// sliding windows, and the last words of LAMBADA's passages.
//
// What runs the model is a Scorer, which gives each window of tokens its likelihood.
// Decoder is one over any decoder that runtime/decode runs, the graph that is shipped,
// quantized or not; a training step's forward pass can be another. The package parts
// texts into windows, puts those of similar length together, stops between batches when
// it is told to, and says how sure its figures are. It reads no files and no clock.
//
// # Perplexity
//
// The definition is that of Hugging Face's documentation ("Perplexity of fixed-length
// models"): a document's tokens are gone through in windows of Context tokens, each
// Stride tokens after the one before, and of each window the tokens are scored that no
// window before has reached, given all tokens of the window before them. A window's
// first token has none before it and is never scored: not the document's first, unless
// a token that begins a sequence stands before it, and where Stride equals Context one
// in Context. Perplexity is exp of the mean of minus the log-probabilities over the
// tokens that were scored. (Their example takes a mean of the windows' means, weighted
// by a count that is one too small in overlapping windows; here each token counts once,
// exactly.)
//
// Perplexities of models with different tokenizers do not compare. Bits a byte and
// bits a character, over the text of the scored tokens, do.
package eval
