// Package text is what a model is trained and judged on: text from files, as rows of
// token ids.
//
// Open reads documents from text files, JSON lines, or either of them compressed,
// parts them into train, dev and test by a hash of what they say, and tokenizes them
// once, to files that the next run finds again. Neither text nor tokens are held in
// memory. Batches cuts rows from a part's tokens; a batch depends on the seed and on
// its number alone, so that a training that is resumed sees what it would have seen.
//
// It stands before the training loop, knows nothing of models, and draws nothing from
// a clock or a global source of random numbers. Package sample makes text to try it on.
package text
