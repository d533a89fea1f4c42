// Package tokenizer turns text into token ids and back, as the model's training
// did: byte-level BPE, of GPT-2's kind, read from a Hugging Face tokenizer.json or
// from vocab.json and merges.txt.
//
// It stands at both ends of the pipeline: training and evaluation read their text
// through it, a predictor shows its tokens through it, and workloads are counted
// with it. It imports nothing of ours, never uses the network, and declares no
// interface: who needs several kinds of tokenizers says what it asks of them.
//
// It is not a normaliser and adds no tokens of its own: what is encoded is the
// text, byte by byte, so that Decode gives it back. Names of special tokens, such
// as <|endoftext|>, are text like any other unless EncodeSpecial is asked for.
package tokenizer
